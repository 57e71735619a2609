from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.settings import Settings


def test_what_is_given_wins_over_the_environment(tmp_path: Path):
    environment = {"PLANKTON_WORKSPACE": "/elsewhere", "PLANKTON_STORE": "http://other:1"}
    found = Settings.from_environment(environment, workspace=tmp_path, store="http://here:2")
    assert (found.workspace, found.store_url) == (tmp_path, "http://here:2")


def test_the_environment_wins_over_the_defaults(tmp_path: Path):
    found = Settings.from_environment(
        {
            "PLANKTON_WORKSPACE": str(tmp_path),
            "PLANKTON_STORE": "https://chroma.example",
            "PLANKTON_CATALOGUE": "postgresql://db/plankton",
            "PLANKTON_ROOTS": f"{tmp_path / 'a'}:{tmp_path / 'b'}",
            "PLANKTON_ALLOW_PRIVATE": "1",
            "PLANKTON_READ_ONLY": "Yes",
        }
    )
    assert found.workspace == tmp_path
    assert found.store_url == "https://chroma.example"
    assert found.catalogue_url == "postgresql://db/plankton"
    assert found.roots == (tmp_path / "a", tmp_path / "b")
    assert found.allow_private
    assert found.read_only


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = Settings.from_environment({})
    assert found == Settings(tmp_path / "workspace", roots=(Path.home().resolve(),))


def test_beyond_localhost_pages_read_no_folder_unless_told(tmp_path: Path):
    assert Settings.from_environment({}, localhost=False).roots == ()
    told = Settings.from_environment({"PLANKTON_ROOTS": str(tmp_path)}, localhost=False)
    assert told.roots == (tmp_path,)
    assert Settings.from_environment({"PLANKTON_ROOTS": ""}).roots == ()


def test_roots_are_resolved_so_that_links_lead_nowhere_else(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = Settings.from_environment({"PLANKTON_ROOTS": str(tmp_path / "link")})
    assert found.roots == (tmp_path / "real",)


@pytest.mark.parametrize("store", ["localhost:8000", "chroma", "ftp://x"])
def test_a_store_that_is_no_url(store: str):
    with pytest.raises(WorkspaceError, match="expected the url of a `chroma run` server"):
        Settings.from_environment({}, store=store)


@pytest.mark.parametrize("workspace", ["~nobody-of-that-name/x", "a\0b"])
def test_a_workspace_that_cannot_be_a_folder(workspace: str):
    with pytest.raises(WorkspaceError, match="expected a folder"):
        Settings.from_environment({}, workspace=workspace)
