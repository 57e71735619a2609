"""The check page without a browser: what it finds, deciding on near-duplicates, empty states."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import checkups, jobs, labels
from core.indexing import index
from core.labels import CHECK, Decision
from core.library import Library
from core.settings import Settings
from dashboard import state
from tests.dashboard.conftest import MAIN, Open, said, without_exception
from tests.mistaken import Mistaken, mistaken


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mistaken]:
    base = tmp_path_factory.mktemp("check")
    found = mistaken(base)
    library = Library.open(Settings(workspace=base / "workspace"))
    index(library, collection="run", source=str(found.folder), labels_from="folder")
    library.close()
    return base / "workspace", found


@pytest.fixture
def wrong(indexed, tmp_path: Path, clean: pytest.MonkeyPatch) -> Mistaken:
    """What is wrong in the workspace that is the dashboard's own."""
    shutil.copytree(indexed[0], tmp_path / "workspace")
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    return indexed[1]


def uid() -> str:
    return state.library().catalogue.collection("run").uid


def now(id: str) -> tuple[str | None, str, str]:
    each = labels.current(state.library().catalogue, uid(), [id])[id]
    return each.label, each.status, each.by


def opened(**link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.switch_page("views/check.py")
    for key, value in link.items():
        at.query_params[key] = value
    return without_exception(at.run())


def test_mistakes_are_shown_and_looked_for_once(wrong):
    at = opened()
    assert "validated labels judged" in said(at)
    assert "stand out as mistakes" in said(at)
    shown = at.session_state["checkups"]
    (held,) = shown.values()
    assert set(wrong.wrong) <= {each.id for each in held.screen}
    checkup = held.checkup
    without_exception(at.run())
    assert next(iter(at.session_state["checkups"].values())).checkup is checkup
    later = opened()  # another session: nothing changed, so it is not computed again
    assert next(iter(later.session_state["checkups"].values())).checkup.at == checkup.at


def test_one_kind_only(wrong):
    at = opened(kind="copepod")
    (held,) = at.session_state["checkups"].values()
    assert {each.label for each in held.screen} == {"copepod"}


@pytest.mark.parametrize("answer", ["take", "keep", "doubt"])
def test_the_same_picture_under_two_names_is_settled_and_taken_back(wrong, answer: str):
    one, other = wrong.pair
    at = opened(part="duplicates")
    assert "The same picture" in said(at)
    key = f"check {answer} {one}" + (" ceratium" if answer == "take" else "")
    assert at.button(key=key).disabled  # nobody says so
    at.text_input(key="label who").set_value("Ada").run()
    without_exception(at.button(key=key).click().run())
    after = {
        "take": ("ceratium", "validated", "Ada"),
        "keep": ("ciliate", "validated", "Ada"),
        "doubt": ("ciliate", "dubious", "Ada"),
    }
    assert now(other) == after[answer]
    event = labels.history(state.library().catalogue, uid(), other)[-1]
    assert event["how"] == CHECK
    assert "have different labels" in "\n".join(each.value for each in at.success)
    assert "Ada" not in str(at.query_params)
    without_exception(at.button(key="check undo").click().run())
    assert now(other)[:2] == ("ciliate", "validated")
    assert "The same picture" in said(at)


def test_what_somebody_else_said_meanwhile_stays_and_is_told(wrong, monkeypatch):
    """Two people look at the same pair; the second click comes too late."""
    one, other = wrong.pair
    at = opened(part="duplicates")
    at.text_input(key="label who").set_value("Ada").run()
    catalogue, decide = state.library().catalogue, labels.decide

    def late(*given, **how):  # between drawing the page and Ada's word
        decide(catalogue, uid(), [Decision(other, "radiolarian")], by="Bo")
        return decide(*given, **how)

    monkeypatch.setattr(labels, "decide", late)
    without_exception(at.button(key=f"check take {one} ceratium").click().run())
    assert now(other) == ("radiolarian", "validated", "Bo")
    assert "somebody else decided on" in said(at)


def test_overlaps_show_what_lies_between(wrong):
    at = opened(part="overlaps")
    pairs = at.selectbox(key="link_pair").options
    assert pairs
    assert "The most undecided first" in said(at)
    without_exception(at.selectbox(key="link_pair").select_index(1).run())
    assert " | " in at.query_params["pair"]


def test_nothing_is_decided_where_the_dashboard_only_shows(wrong, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    for part in ("mistakes", "duplicates"):
        at = opened(part=part)
        assert not at.text_input
        assert not [b for b in at.button if (b.key or "").startswith(("check take", "check keep"))]


@pytest.mark.slow
def test_where_it_takes_minutes_a_job_does_it(wrong, clean):
    clean.setattr(checkups, "QUICK_LABELS", 0)
    at = opened()
    assert "Not checked yet" in said(at)
    without_exception(at.button(key="check again").click().run())
    workspace = state.library().workspace
    deadline = time.monotonic() + 120
    while any(job.active for job in jobs.listed(workspace)) and time.monotonic() < deadline:
        time.sleep(0.2)
    (job,) = jobs.listed(workspace)
    assert (job.state, job.error) == ("done", None)
    later = opened()
    assert "validated labels judged" in said(later)
    assert "Not checked yet" not in said(later)


def test_too_few_labels_say_what_is_needed(filled, open_view: Open):
    at = open_view("check")
    assert "needs 60 labels of 2 such kinds" in said(at)


def test_no_label_at_all(filled, open_view: Open, made):
    lib = state.library()
    index(lib, collection="bare", source=str(made / "pictures" / "run"), source_name="bare")
    at = open_view("check", collection="bare")
    assert "There is no label yet" in said(at)


def test_an_empty_workspace(empty, open_view: Open):
    assert "Nothing to explore yet" in said(open_view("check"))
