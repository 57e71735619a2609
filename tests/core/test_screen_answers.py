"""Answers about what a filter drops outlast a visit: added, taken back, deleted, refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core import screen_answers
from core.errors import WorkspaceError
from core.settings import Settings
from core.workspace import Workspace

UID = "0123456789abcdef"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(Settings(workspace=tmp_path / "workspace"))


def test_screens_come_back_in_their_order(workspace: Workspace):
    assert screen_answers.kept(workspace, UID, "one") == []
    first: screen_answers.Answers = {"a/1": True, "b/ß": False}
    screen_answers.add(workspace, UID, "one", first)
    screen_answers.add(workspace, UID, "one", {"c": None})
    screen_answers.add(workspace, UID, "other", {"c": True})
    assert screen_answers.kept(workspace, UID, "one") == [first, {"c": None}]
    screen_answers.take_back(workspace, UID, "one")
    assert screen_answers.kept(workspace, UID, "one") == [first]
    for _ in range(2):
        screen_answers.take_back(workspace, UID, "one")
    assert screen_answers.kept(workspace, UID, "one") == []
    assert screen_answers.kept(workspace, UID, "other") == [{"c": True}]


def test_two_people_at_once_lose_nothing(workspace: Workspace):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: screen_answers.add(workspace, UID, "f", {f"{i}": True}), range(40)))
    kept = screen_answers.kept(workspace, UID, "f")
    assert sorted(int(id) for each in kept for id in each) == list(range(40))


@pytest.mark.parametrize(
    "text", ["{half", '{"a": true}', '[["a"]]', '[{"a": "yes"}]', '[{"a": []}]']
)
def test_a_damaged_file_is_told_and_not_written_over(workspace: Workspace, text: str):
    screen_answers.add(workspace, UID, "f", {"a": True})
    (path,) = workspace.audits(UID).iterdir()
    path.write_text(text)
    for use in (
        lambda: screen_answers.kept(workspace, UID, "f"),
        lambda: screen_answers.add(workspace, UID, "f", {"b": True}),
        lambda: screen_answers.take_back(workspace, UID, "f"),
    ):
        with pytest.raises(WorkspaceError, match="delete that file to begin anew"):
            use()
    assert path.read_text() == text
