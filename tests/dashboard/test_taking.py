"""Original images taken away from the pages: at once when few, else packed by a job."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from core import jobs, taking
from core.library import View
from dashboard import routes, state
from dashboard.downloads import taken_url
from tests.dashboard.conftest import IDS, IMAGES, said, without_exception

KEY = "0123456789abcdef" * 2


@pytest.fixture
def view(filled: Path) -> View:
    return state.view(state.library().catalogue.collection("run"), None)


@pytest.fixture
def client(filled: Path) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.routes())) as client:
        yield client


def gathered(at: AppTest, view: View, rows: tuple[int, ...]) -> AppTest:
    """The map page after a lasso around these rows."""
    ids = state.map_of(view, "pca").ids
    at.session_state.selections = {view.collection.uid: tuple(ids[row] for row in rows)}
    return without_exception(at.run())


def zips(at: AppTest) -> list[str]:
    return [button.label for button in at.button if button.label == "Zip"]


def downloads(at: AppTest) -> list[str]:
    return [element.label for element in at.get("download_button")]


def test_few_images_are_packed_at_once_on_both_pages(open_view, view):
    assert downloads(open_view("similar", id=IDS[0])) == ["CSV", "Sheet", "Zip"]
    at = gathered(open_view("map"), view, (0, 1, 2))
    assert downloads(at) == ["CSV", "Sheet", "Zip"]
    assert "3 selected" in said(at) and not zips(at)


def test_many_are_packed_by_a_job_and_fetched_by_a_link(
    open_view, view, client, filled, monkeypatch
):
    monkeypatch.setattr(taking, "AT_ONCE_IMAGES", 3)
    at = gathered(open_view("map"), view, tuple(range(12)))
    assert downloads(at) == ["CSV", "Sheet"]
    next(button for button in at.button if button.label == "Zip").click()
    at.run()
    end = time.monotonic() + 120
    while any(job.active for job in jobs.listed(state.library().workspace)):
        assert time.monotonic() < end
        time.sleep(0.1)
    (job,) = jobs.listed(state.library().workspace)
    assert (job.state, job.result["images"], job.error) == ("done", 12, None)
    at = without_exception(at.run())
    (link,) = [e for e in at.get("link_button") if e.proto.label.startswith("Zip, ")]
    answer = client.get(link.proto.url)
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="run-selection.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 13


def test_what_a_page_may_not_pack_says_why(open_view, view, monkeypatch):
    monkeypatch.setattr(taking, "AT_ONCE_IMAGES", 3)
    monkeypatch.setattr(taking, "PAGE_LIMIT", 10)
    at = gathered(open_view("map"), view, tuple(range(12)))
    button = next(button for button in at.button if button.label == "Zip")
    assert button.disabled and "format zip" in button.help
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    at = gathered(open_view("map"), view, tuple(range(12)))
    button = next(button for button in at.button if button.label == "Zip")
    assert button.disabled and "only shows" in button.help


def test_only_zips_that_were_packed_are_served(client, filled):
    (filled / "exports").mkdir()
    (filled / "exports" / f"{KEY}.zip").write_bytes(b"a zip")
    (filled / "exports" / f"{KEY}.csv").write_text("id\n")
    answer = client.get(taken_url(KEY, 'a "b"/../c'))
    assert answer.content == b"a zip" and answer.headers["x-content-type-options"] == "nosniff"
    assert "a%20_b__.._c.zip" in answer.headers["content-disposition"]
    for key in (KEY[:-1] + "0", f"{KEY}.csv", "..%2fworkspace.json", "../workspace.json", KEY[1:]):
        assert client.get(f"/taken/{key}").status_code == 404


def test_where_people_log_in_a_zip_is_fetched_with_the_pass(client, filled, monkeypatch):
    (filled / "exports").mkdir()
    (filled / "exports" / f"{KEY}.zip").write_bytes(b"a zip")
    monkeypatch.setattr(state, "has_login", lambda: True)
    assert client.get(f"/taken/{KEY}").status_code == 403
    assert client.get(taken_url(KEY, "x")).status_code == 200


def test_zips_of_days_gone_by_are_taken_away(filled, view):
    workspace = state.library().workspace
    old = taking.prepare(workspace, KEY, IDS)
    taking.prepare(workspace, KEY[::-1], IDS)
    os.utime(old, (0, 0))
    taking.prepare(workspace, KEY[::-1], IDS[:2])
    assert [path.name for path in workspace.exports.iterdir()] == [f"{KEY[::-1]}.csv"]
    assert len(view.snapshot) == IMAGES
