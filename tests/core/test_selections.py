"""Selections kept under a name, and sets of images that links name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import selections
from core.errors import NotFoundError, RangeError, WorkspaceError
from core.settings import Settings
from core.workspace import Workspace


@pytest.fixture
def workspace(settings: Settings) -> Workspace:
    return Workspace.open(settings)


def test_kept_replaced_and_forgotten(workspace: Workspace):
    made = selections.keep(workspace, "u", "odd ones", ["b", "a", "b"])
    assert (made.name, made.images) == ("odd ones", 2)
    assert selections.load(workspace, "u", "odd ones") == ["b", "a"]
    selections.keep(workspace, "u", "odd ones", ["c"])
    assert selections.load(workspace, "u", "odd ones") == ["c"]
    assert [(each.name, each.images) for each in selections.kept(workspace, "u")] == [
        ("odd ones", 1)
    ]
    selections.forget(workspace, "u", "odd ones")
    assert selections.kept(workspace, "u") == []
    with pytest.raises(NotFoundError, match="no selection is called 'odd ones'"):
        selections.forget(workspace, "u", "odd ones")


def test_each_collection_has_its_own_and_the_newest_is_first(workspace: Workspace):
    for name in ("first", "Ünïcode / and $igns", "third"):
        selections.keep(workspace, "u", name, ["a"])
    names = [each.name for each in selections.kept(workspace, "u")]
    assert sorted(names) == sorted(["first", "Ünïcode / and $igns", "third"])
    assert [each.at for each in selections.kept(workspace, "u")] == sorted(
        (each.at for each in selections.kept(workspace, "u")), reverse=True
    )
    assert selections.kept(workspace, "v") == []


@pytest.mark.parametrize("name", ["", " blank", "a\nb", "x" * 81, "ü" * 60])
def test_names_that_cannot_be_used(workspace: Workspace, name: str):
    with pytest.raises(RangeError, match="the selection's name"):
        selections.keep(workspace, "u", name, ["a"])
    assert selections.kept(workspace, "u") == []


def test_nothing_is_no_selection(workspace: Workspace):
    with pytest.raises(RangeError, match="nothing is selected"):
        selections.keep(workspace, "u", "none", [])
    with pytest.raises(RangeError, match="no image is chosen"):
        selections.mark(workspace, "u", [])


def test_an_unknown_one_says_which_there_are(workspace: Workspace):
    with pytest.raises(NotFoundError, match="there is none yet"):
        selections.load(workspace, "u", "mine")
    selections.keep(workspace, "u", "yours", ["a"])
    with pytest.raises(NotFoundError, match="there is 'yours'"):
        selections.load(workspace, "u", "mine")


def test_a_damaged_one_hides_no_other(workspace: Workspace):
    selections.keep(workspace, "u", "good", ["a"])
    selections.keep(workspace, "u", "bad", ["b"])
    path = workspace.selections("u") / "bad.parquet"
    path.write_bytes(path.read_bytes()[:40])
    assert [each.name for each in selections.kept(workspace, "u")] == ["good"]
    with pytest.raises(WorkspaceError, match="cannot be read"):
        selections.load(workspace, "u", "bad")


def test_a_mark_is_of_the_images_not_of_their_order(workspace: Workspace):
    digest = selections.mark(workspace, "u", ["b", "a"])
    assert digest == selections.mark(workspace, "u", ["a", "b", "a"])
    assert digest != selections.mark(workspace, "u", ["a"])
    assert selections.marked(workspace, "u", digest) == ["a", "b"]
    assert selections.kept(workspace, "u") == []  # they are nobody's named ones
    with pytest.raises(NotFoundError, match="not kept any more"):
        selections.marked(workspace, "v", digest)


@pytest.mark.parametrize("digest", ["", "..", "../../catalogue", "A" * 32, "0" * 32])
def test_a_link_can_name_no_other_file(workspace: Workspace, digest: str):
    with pytest.raises(NotFoundError, match="choose again"):
        selections.marked(workspace, "u", digest)


def test_the_oldest_marks_are_forgotten(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selections, "LINKED", 3)
    digests = []
    for number in range(5):
        digests.append(selections.mark(workspace, "u", [f"image {number}"]))
        path = workspace.selections("u") / "linked" / f"{digests[-1]}.parquet"
        os.utime(path, (number, number))
    kept = sorted(path.stem for path in Path(path.parent).glob("*.parquet"))
    assert kept == sorted(digests[2:])
