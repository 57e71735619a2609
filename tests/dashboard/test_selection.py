"""The selection on every page: counted in the sidebar, looked at, labelled, kept, a query."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import labels, selections
from dashboard import state
from tests.dashboard.conftest import IDS, MAIN, Open, buttons, said, without_exception

THREE = (IDS[0], IDS[3], IDS[4])


def uid() -> str:
    return state.library().catalogue.collection("run").uid


def opened(name: str, chosen: tuple[str, ...] = THREE, **link: str) -> AppTest:
    """A page where these are selected."""
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    if name != "home":
        at.switch_page(f"views/{name}.py")
    for key, value in link.items():
        at.query_params[key] = value
    at.session_state["selections"] = {uid(): chosen}
    return without_exception(at.run())


def selected(at: AppTest) -> tuple[str, ...]:
    found: tuple[str, ...] = at.session_state["selections"].get(uid(), ())
    return found


def button(at: AppTest, label: str):
    return next(each for each in at.button if each.label == label)


@pytest.mark.parametrize("name", ["home", "similar", "map", "selection"])
def test_the_sidebar_counts_what_is_selected(filled, name: str):
    at = opened(name)
    assert any("3 selected" in each.value for each in at.sidebar.markdown)


def test_nothing_selected_says_how_to(filled, open_view: Open):
    at = open_view("selection")
    assert "Nothing selected yet" in said(at)
    assert "Lasso" in said(at)
    assert not any("selected" in each.value for each in at.sidebar.markdown)


def test_clear(filled):
    at = opened("selection")
    without_exception(next(b for b in at.sidebar.button if b.label == "Clear").click().run())
    assert selected(at) == ()
    assert "Nothing selected yet" in said(at)


def test_images_that_are_gone_are_left_out(filled):
    at = opened("selection", (*THREE, "run/gone.png"))
    assert "3 images selected" in said(at)


def test_kept_under_a_name_and_selected_again(filled):
    at = opened("selection")
    at.text_input(key="keep name").set_value("odd ones").run()
    without_exception(at.button(key="keep go").click().run())
    kept = selections.kept(state.library().workspace, uid())
    assert [(each.name, each.images) for each in kept] == [("odd ones", 3)]
    later = opened("selection", (IDS[7],))
    assert "odd ones" in said(later)
    without_exception(later.button(key="kept add odd ones").click().run())
    assert selected(later) == (IDS[7], *THREE)
    without_exception(later.button(key="kept open odd ones").click().run())
    assert selected(later) == THREE
    without_exception(later.button(key="kept forget odd ones").click().run())
    assert selections.kept(state.library().workspace, uid()) == []


def test_labelled_by_somebody_and_taken_back(filled):
    at = opened("selection")
    assert at.button(key="label go").disabled
    at.selectbox(key="label name").set_value("Detritus")
    at.text_input(key="label who").set_value("Ada").run()
    without_exception(at.button(key="label go").click().run())
    now = labels.current(state.library().catalogue, uid(), THREE)
    assert {(each.label, each.status, each.by) for each in now.values()} == {
        ("Detritus", "validated", "Ada")
    }
    event = labels.history(state.library().catalogue, uid(), IDS[0])[-1]
    assert event["how"] == "selection"
    assert "Ada" not in str(at.query_params)
    without_exception(at.button(key="label undo").click().run())
    back = labels.current(state.library().catalogue, uid(), THREE)
    assert [back[id].label for id in THREE] == ["Copepod", "Detritus", "Copepod"]
    assert "label undo" not in {each.key for each in at.button}


def test_more_like_these_is_a_link_that_lasts(filled, open_view: Open):
    at = opened("similar", set=selections.mark(state.library().workspace, uid(), THREE), k="6")
    assert "More like these 3" in said(at)
    assert "6 nearest of 30" in said(at)
    assert "These too" in buttons(at)
    assert at.button(key="set not").disabled  # nothing among the matches is ticked
    gone = open_view("similar", set="0" * 32)
    assert "not kept any more" in gone.error[0].value


def test_what_is_ticked_among_the_matches_belongs_or_does_not(filled):
    library = state.library()
    digest = selections.mark(library.workspace, uid(), [IDS[0]])
    view = library.vectors(library.catalogue.collection("run"))
    from core.matching import similar_to_set

    near, second = (m.image.id for m in similar_to_set(library, view, [IDS[0]], k=2).matches)
    at = opened("similar", (near,), set=digest)
    without_exception(at.button(key="set too").click().run())
    now = selections.marked(library.workspace, uid(), at.query_params["set"])
    assert set(now) == {IDS[0], near}
    at = opened("similar", (second,), set=digest)
    without_exception(at.button(key="set not").click().run())
    assert selections.marked(library.workspace, uid(), at.query_params["unlike"]) == [second]
    assert selections.marked(library.workspace, uid(), at.query_params["set"]) == [IDS[0]]
    assert second not in selected(at)
    assert "unlike this one" in said(at)


def test_a_dashboard_that_only_shows_writes_nothing(filled: Path, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    at = opened("selection")
    assert "3 images selected" in said(at)
    without_exception(button(at, "More like these").click().run())
    assert not (filled / "selections").exists()


def test_sets_of_a_dashboard_that_only_shows_work_for_their_session(filled: Path, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    digest = selections.digest_of([IDS[0]])
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.switch_page("views/similar.py")
    at.query_params["set"] = digest
    at.session_state["sets"] = {digest: [IDS[0]]}
    without_exception(at.run())
    assert "More like this image" in said(at)
    assert not (filled / "selections").exists()
