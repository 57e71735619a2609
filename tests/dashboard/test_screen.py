"""The screen page without a browser: the promise, the working point, both sides, empty states."""

from __future__ import annotations

import io
import shutil
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import bundle, labels, screen_answers, screens
from core.adopting import adopt_file
from core.indexing import index
from core.labels import Decision
from core.library import Library, View
from core.screen import Screen
from core.screen_audit import audited
from core.screen_telling import digits, gained, percent
from core.screen_views import guessed_drop, zipped
from core.settings import Settings
from core.sources import open_source
from core.sources.sample import SampleSource, draw_sample
from core.sources.vectors import VectorSource
from dashboard import state
from dashboard.parts import screen_made
from tests.dashboard.conftest import Open, buttons, said, without_exception

N, LEFT = 240, 40


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample; somebody doubts the labels of 40 images, so that they do not count."""
    base = tmp_path_factory.mktemp("screen")
    draw_sample(base / "drawn", n=N, seed=3)
    with closing(Library.open(Settings(workspace=base / "workspace"))) as library:
        source = SampleSource(base / "drawn", name="sample")
        index(library, collection="sample", source=source)
        collection = library.catalogue.collection("sample")
        known = labels.current(library.catalogue, collection.uid)
        doubted = [Decision(id, known[id].label, "dubious") for id in sorted(known)[::6]]
        labels.record(library.catalogue, collection.uid, doubted, by="Ada")
    return base / "workspace"


@pytest.fixture
def sample(indexed: Path, tmp_path: Path, clean: pytest.MonkeyPatch) -> Path:
    shutil.copytree(indexed, tmp_path / "workspace")
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def current() -> View:
    return state.view(state.library().catalogue.collection("sample"), None)


def shown() -> Screen:
    """The filter that the page trained: with the same labels and sides it is the cached one."""
    view = current()
    names = [kind.name for kind in state.kinds_seen(view)]
    drop = guessed_drop(names)
    keep = [name for name in names if name not in drop]
    return state.screen(view, tuple(sorted(keep)), tuple(sorted(drop)))


def figures(at: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in at.metric}


def test_what_is_not_promised_is_said_with_what_it_takes(sample, open_view: Open):
    at, made = open_view("screen"), shown()
    told, outcome = said(at), made.screened.at(made.threshold)
    assert not made.promised
    assert "99 % cannot be promised yet" in told
    assert f"about {made.labels_needed:,} more labels" in told
    assert f"the threshold {made.threshold:.3g} is an estimate" in told
    assert "Checked **by sample**" in told
    assert figures(at)["Plankton kept"] == percent(outcome.recall)
    assert figures(at)["Images dropped"] == percent(outcome.dropped_share)
    assert "Sort more images" in buttons(at)


def test_another_target_or_threshold_is_another_price(sample, open_view: Open):
    at, made = open_view("screen", target="0.9"), shown()
    lower = made.at_target(0.9)
    assert figures(at)["Plankton kept"] == percent(lower.screened.at(lower.threshold).recall)
    at = open_view("screen", threshold="1.0")
    assert figures(at)["Images dropped"] == percent(made.screened.at(1.0).dropped_share)
    assert "cannot be promised yet" in said(at)
    assert f"99 % would need one of {made.threshold:.3g} or less" in said(at)


def letting_go(event: dict[str, Any]) -> Any:
    """What the page hears of one event, and of the same again."""

    def script() -> None:
        import streamlit as st

        from dashboard.parts.tradeoff import released

        st.session_state["heard"] = [released("curves", "now", 203) for _ in range(2)]

    at = AppTest.from_function(script)
    at.session_state["curves"] = {"event": event}
    at.run()
    assert not at.exception
    return at.session_state["heard"]


def test_where_the_point_was_let_go_is_heard_once():
    assert letting_go({"seq": 1, "revision": "now", "place": 202}) == [202, None]


@pytest.mark.parametrize("place", [203, -1, 1.0, True, "7", None, [7]])
def test_no_place_that_is_not_on_the_curve_is_taken(place: object):
    assert letting_go({"seq": 1, "revision": "now", "place": place}) == [None, None]


def test_nor_one_on_curves_that_are_no_more():
    assert letting_go({"seq": 1, "revision": "before", "place": 7}) == [None, None]


def test_a_filter_of_vectors_made_elsewhere_says_what_it_is_good_for(
    sample: Path, tmp_path: Path, open_view: Open
):
    view = current()
    path = tmp_path / "elsewhere.npz"
    np.savez(path, ids=np.array(list(view.snapshot.ids)), vectors=view.snapshot.vectors)
    source = open_source(str(path))
    assert isinstance(source, VectorSource)
    with closing(Library.open(Settings(workspace=sample))) as library:
        adopt_file(library, source, collection="sample")
    told = said(open_view("screen", encoder="precomputed:elsewhere"))
    assert "It decides about vectors, not about pictures" in told
    at = open_view("screen")
    assert "not about pictures" not in said(at)
    assert any("screen apply" in code.value for code in at.code)


def test_curves_are_drawn_where_nothing_is_kept_and_where_all_is(sample, open_view: Open):
    for threshold in ("1.0", "0.0"):
        told = figures(open_view("screen", threshold=threshold))
        outcome = shown().screened.at(float(threshold))
        assert told["Images dropped"] == percent(outcome.dropped_share)


def test_more_labels_that_may_bring_nothing_promise_nothing():
    told = gained(1200, 2.4, 0.9, 4.4, mark="**")
    assert "**1,200 more labels would gain 2.4 points** of accuracy (95 %: 0.9 to 4.4)" in told
    told = gained(1570, 1.1, -0.1, 3.1)
    assert "1,570 more labels may gain" in told
    assert "or nothing (95 %: −0.1 to 3.1)" in told


def test_thresholds_are_told_apart_where_scores_crowd():
    told = {0.0: "0", 0.0000123: "1.23e-05", 0.2024: "0.202", 0.98765: "0.988", 0.99512: "0.9951",
            0.999981: "0.999981", 0.99999999: "1", 1.0: "1"}  # fmt: skip
    assert {threshold: digits(threshold) for threshold in told} == told


def test_kept_filters_are_opened_and_deleted(sample, open_view: Open):
    at = open_view("screen")
    at.text_input(key="screen name").set_value("Coarse").run()
    without_exception(at.button(key="screen save").click().run())
    uid, workspace = current().collection.uid, state.library().workspace
    assert [each["name"] for each in screens.listed(workspace, uid)] == ["Coarse"]
    at = open_view("screen", threshold="1.0")
    at.text_input(key="screen name").set_value("Far").run()
    at = without_exception(at.button(key="screen save").click().run())
    assert "threshold 1 · target 99 %, not promised" in said(at)  # it does not keep 99 %
    screens.delete(workspace, uid, "Far")
    at = open_view("screen", model="Coarse")
    assert "trained on" in said(at) and "Train a new one" in buttons(at)
    without_exception(at.button(key="screen delete Coarse").click().run())
    assert screens.listed(workspace, uid) == []


def test_a_filter_that_is_not_there_is_told(sample, open_view: Open):
    assert "no model is called" in said(open_view("screen", model="Gone")).replace("\\", "")


def test_what_is_carried_away_scores_as_the_page(sample, open_view: Open, tmp_path: Path):
    open_view("screen")
    made, view = shown(), current()
    with zipfile.ZipFile(io.BytesIO(zipped(made))) as packed:
        packed.extractall(tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    decided = bundle.load(folder).decide(view.snapshot.vectors)
    rows = [row for row, truth in enumerate(made.screened.truth.tolist()) if truth < 0]
    assert len(rows) == LEFT  # the others are shown as filters score them that never saw them
    there = [float(decided.score[row]) for row in rows]
    assert there == pytest.approx([float(made.screened.score[row]) for row in rows], abs=1e-5)


def test_what_is_dropped_is_looked_at_again(sample, open_view: Open):
    made = shown()
    thresholds = made.screened.kept_dropped()["threshold"]
    there = thresholds[len(thresholds) * 2 // 5]
    at = open_view("screen", threshold=digits(there))
    filter_there = made.at_threshold(there)
    dropped = audited(filter_there, {}, seed=0)
    assert 3 < dropped.dropped <= LEFT  # those without a label that counts
    assert f"{dropped.dropped:,} images without a label would be dropped" in said(at)
    here = current().collection.uid, made.training["fingerprint"]
    workspace = state.library().workspace
    answers = {id: n < 3 for n, id in enumerate(dropped.ahead)}
    now = audited(filter_there, answers, seed=0)
    assert now.lost is not None and now.holds(0.99) == "no"
    screen_answers.add(workspace, *here, answers)
    at = open_view("screen", threshold=digits(there))  # another visit
    told = said(at)
    assert f"Of **{dropped.dropped}** looked at **3** should have been kept: " in told
    assert "All images that it drops here have been looked at" in told
    assert "At least 99 % of the plankton is not kept there" in told
    without_exception(at.button(key="screen audit select").click().run())
    assert set(at.session_state.selections[here[0]]) == set(dropped.ahead[:3])
    # another training knows other labels: what was answered before it is no fair sample for it
    screen_answers.take_back(workspace, *here)
    screen_answers.add(workspace, here[0], "other", answers)
    without_exception(at.run())
    assert "looked at" not in said(at)
    assert "kept also for the next visit" in said(at)
    at = open_view("screen", threshold="0")
    assert "nothing would be dropped at this threshold" in said(at)


def test_answers_of_a_visit_that_only_looks_stay_in_it(
    sample, open_view: Open, clean: pytest.MonkeyPatch
):
    made = shown()
    here = current().collection.uid, made.training["fingerprint"]
    order = audited(made.at_threshold(1.0), {}, seed=0).ahead
    screen_answers.add(state.library().workspace, *here, {order[0]: True})
    clean.setenv("PLANKTON_READ_ONLY", "1")
    at = open_view("screen", threshold="1")
    assert "Of **1** looked at **1** should have been kept" in said(at)
    assert "kept for this visit" in said(at)
    at.session_state["screen audited"] = (here, [{order[1]: False}])
    without_exception(at.run())
    assert "Of **2** looked at **1** should have been kept" in said(at)
    assert len(screen_answers.kept(state.library().workspace, *here)) == 1


def test_damaged_answers_say_where_they_are(sample, open_view: Open):
    here = current().collection.uid, shown().training["fingerprint"]
    workspace = state.library().workspace
    screen_answers.add(workspace, *here, {"a": True})
    (path,) = workspace.audits(here[0]).iterdir()
    path.write_text('{"half')
    at = open_view("screen", threshold="1")
    (error,) = at.error
    assert path.name in error.value and "delete that file to begin anew" in error.value


def test_nothing_to_drop_leads_on(sample, open_view: Open):
    at = open_view("screen", drop="nothing")
    assert "Nothing is to drop yet" in said(at)
    without_exception(at.button(key="screen sort more").click().run())
    assert at.query_params["sorting"] == "1"
    assert "Sort some images" in said(at)


def test_where_training_takes_long_it_is_offered_as_a_job(sample, open_view: Open, clean):
    clean.setattr(screen_made, "LONG_S", 0.0)
    at = open_view("screen")
    assert "it runs beside this page" in said(at)
    assert "Train" in buttons(at)


def test_no_label_means_sorting(filled, open_view: Open, made):
    lib = state.library()
    index(lib, collection="bare", source=str(made / "pictures" / "run"), source_name="bare")
    at = open_view("screen", collection="bare")
    assert "Nothing to learn from yet" in said(at)
    assert "**0** to keep" in said(at)


def test_names_of_folders_become_labels(filled, open_view: Open, made):
    lib = state.library()
    index(lib, collection="bare", source=str(made / "pictures" / "run"), source_name="bare")
    at = open_view("screen", collection="bare")
    assert "of these images lie in 2 folders: **Copepod**, **Detritus**" in said(at)
    assert at.button(key="folder names go").disabled
    at.text_input(key="label who").input("Ada")
    without_exception(at.run())
    without_exception(at.button(key="folder names go").click().run())
    known = labels.current(lib.catalogue, lib.catalogue.collection("bare").uid)
    assert known and all(each.label == id.split("/")[-2] for id, each in known.items())
    assert "Take folder names as labels" not in buttons(at)
    assert "**Copepod**" not in said(at)


def test_a_dashboard_that_only_shows_keeps_nothing(sample, open_view: Open, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    at = open_view("screen")
    assert at.button(key="screen save").disabled
    assert "Sort more images" not in buttons(at)


def test_an_empty_workspace(empty, open_view: Open):
    assert "Nothing to explore yet" in said(open_view("screen"))
