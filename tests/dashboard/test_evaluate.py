"""The evaluate page without a browser: empty states, what it says, and where it leads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from core import analysis, jobs, labels
from core.adopting import adopt_file
from core.evaluation import storing
from core.evaluation.robustness import CHANGES, UNCHANGED
from core.evaluation.running import evaluate
from core.indexing import index
from core.library import Library, View
from core.settings import Settings
from core.sources import open_source
from dashboard import state
from dashboard.parts import evaluated_curves, evaluated_kinds
from dashboard.parts.encodernames import called
from tests.dashboard.conftest import (
    IDS,
    IMAGES,
    Open,
    buttons,
    said,
    without_exception,
)

SECOND = "precomputed:oracle"
BOTH = f"joined:descriptors+{SECOND}"


def view(encoder: str | None = None) -> View:
    return state.view(state.library().catalogue.collection("run"), encoder)


def forget_labels(ids: list[str]) -> None:
    nothing = [labels.Decision(id, None) for id in ids]
    labels.record(state.library().catalogue, view().collection.uid, nothing, by="me")


@pytest.fixture(scope="module")
def measured(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a second encoder, which knows all labels but one, and with it evaluated.

    ``before`` is the same without the evaluation.
    """
    base = tmp_path_factory.mktemp("evaluate")
    shutil.copytree(made / "workspace", base / "before")
    rng = np.random.default_rng(0)
    rows = np.array([[n % 2, 1 - n % 2, 0.1] for n in range(IMAGES)], np.float32)
    rows[4] = [1, 0, 0.1]
    rows += rng.normal(scale=0.02, size=rows.shape).astype(np.float32)
    np.savez(base / "oracle.npz", ids=np.array(IDS), vectors=rows)
    library = Library.open(Settings(workspace=base / "before"))
    adopt_file(library, open_source(str(base / "oracle.npz")), collection="run")  # type: ignore[arg-type]
    library.close()
    shutil.copytree(base / "before", base / "after")
    library = Library.open(Settings(workspace=base / "after"))
    evaluate(library, "run", ["descriptors", SECOND], join=True, seed=0)
    library.close()
    return base


@pytest.fixture
def second(measured: Path, tmp_path: Path, clean: pytest.MonkeyPatch) -> str:
    """A copy of the workspace with a second encoder, nothing evaluated."""
    shutil.copytree(measured / "before", tmp_path / "workspace")
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    return SECOND


@pytest.fixture
def compared(measured: Path, tmp_path: Path, clean: pytest.MonkeyPatch) -> storing.Evaluation:
    """Both encoders, and the two joined, measured and kept."""
    shutil.copytree(measured / "after", tmp_path / "workspace")
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    lib, uid = state.library(), view().collection.uid
    return storing.load(lib.workspace, uid, str(storing.listed(lib.workspace, uid)[0]["name"]))


@pytest.fixture
def started(clean: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the jobs that pages start; none runs here, one does in the browser test."""
    found: list[list[str]] = []

    def start(settings: object, arguments: list[str], *, title: str) -> None:
        found.append(list(arguments))

    clean.setattr(jobs, "start", start)
    return found


def test_nothing_evaluated_yet_offers_to_with_all_encoders(
    second: str, open_view: Open, started: list[list[str]]
):
    at = open_view("evaluate")
    assert "Not evaluated yet" in said(at)
    (chosen,) = [each for each in at.multiselect if each.label == "Encoders"]
    assert chosen.value == ["descriptors", second]
    without_exception(at.checkbox(key="new evaluation join").check().run())
    without_exception(at.button(key="new evaluation go").click().run())
    assert started == [
        ["evaluate", "--collection", "run", "--encoder", "descriptors", "--encoder", second,
         "--joined"]
    ]  # fmt: skip


def test_one_encoder_says_how_to_add_another(
    filled: Path, open_view: Open, started: list[list[str]]
):
    at = open_view("evaluate")
    assert "Only one encoder here" in said(at)
    without_exception(at.selectbox(key="another encoder form").select_index(-1).run())
    without_exception(at.button(key="another go form").click().run())
    (arguments,) = started
    assert arguments[:4] == ["index", "--collection", "run", "--encoder"]
    assert arguments[4] != "descriptors"


def test_names_of_folders_can_be_the_labels(filled: Path, made: Path, open_view: Open):
    lib = state.library()
    index(lib, collection="bare", source=str(made / "pictures" / "run"), source_name="bare")
    at = open_view("evaluate", collection="bare")
    assert "No labels yet" in said(at)
    at.text_input(key="label who").set_value("Ada").run()
    without_exception(at.button(key="folder names go").click().run())
    assert "No labels yet" not in said(at)
    known = labels.current(lib.catalogue, lib.catalogue.collection("bare").uid)
    assert {each.label for each in known.values()} == {"Copepod", "Detritus"}


def test_without_labels_images_to_label_are_chosen_and_named(filled: Path, open_view: Open):
    forget_labels(IDS)
    lib, uid = state.library(), view().collection.uid
    doubted = [labels.Decision(IDS[0], "Copepod", "dubious")]  # so that there is such a name
    labels.record(lib.catalogue, uid, doubted, by="me")
    at = open_view("evaluate")
    assert "No labels yet" in said(at)
    at = at.button(key="first estimate").click().run()
    assert f"0 of {IMAGES} chosen images have a label" in at.get("progress")[0].proto.text
    mark = at.query_params["these"]
    at = open_view("label", these=mark)
    at.text_input(key="label who").set_value("Ada").run()
    at.session_state["chosen ticked"] = (f"chosen {mark} 0", (0, 1, 2))
    without_exception(at.run())
    assert "Label 3 ticked" in buttons(at)
    at.selectbox(key=f"chosen name {mark} 0").set_value("Copepod")
    without_exception(at.run())
    without_exception(at.button(key="chosen go").click().run())
    known = labels.current(lib.catalogue, uid)
    given = [each.by for each in known.values() if each.status == "validated" and each.label]
    assert given == ["Ada"] * 3
    assert f"3 of {IMAGES} chosen images have a label" in at.get("progress")[0].proto.text
    without_exception(at.button(key="label undo").click().run())
    known = labels.current(lib.catalogue, uid)
    assert not [each for each in known.values() if each.status == "validated" and each.label]


def test_a_set_that_is_not_kept_any_more_is_said(filled: Path, open_view: Open):
    at = open_view("label", these="0" * 32)
    assert at.error
    assert "Back to the queue" in buttons(at)


def test_verdicts_figures_and_which_is_better(compared, open_view: Open):
    at = open_view("evaluate")
    told = said(at).replace("\\", "")
    for row in compared.meta["encoders"]:
        assert row["verdict"]["sentence"] in told
    assert "To browse, " in told
    assert f"**{IMAGES} images**" in told
    tables = [
        each.proto.body for each in at.get("html") if 'aria-label="Figures"' in each.proto.body
    ]
    (table,) = tables
    value = compared.figure(SECOND, "precision_at_1").value
    assert f"{value:.3f}" in table
    assert "by chance" in table
    assert "size alone" in table
    assert ", real<" in table
    at = open_view("evaluate", ref=SECOND)
    assert at.selectbox(key="link_ref").value == SECOND


def test_the_newest_evaluation_is_shown_and_an_older_one_can_be_chosen(compared, open_view: Open):
    at = open_view("evaluate")
    alone = evaluate(state.library(), "run", [SECOND], seed=0)
    without_exception(at.run())
    chooser = at.selectbox(key="link_evaluation")
    assert chooser.value == alone.meta["name"]
    without_exception(chooser.select(compared.meta["name"]).run())
    assert at.query_params["evaluation"] == compared.meta["name"]
    assert "both joined" in " ".join(at.selectbox(key="link_evaluation").options)


def test_labels_that_changed_since_are_told(compared, open_view: Open, started):
    forget_labels(IDS[:1])
    at = open_view("evaluate")
    assert "labels changed" in said(at)
    without_exception(at.button(key="evaluate again").click().run())
    assert started[0][-1] == "--joined"


def test_a_cell_of_the_matrix_is_in_the_link(compared, open_view: Open):
    wrong = compared.cell(SECOND, "Copepod", "Detritus", way="knn")
    assert wrong == [IDS[4]]
    link = {"look": SECOND, "way": "knn", "kind": "Copepod", "taken": "Detritus"}
    at = open_view("evaluate", part="kinds", **link)
    assert "1 Copepod taken for Detritus" in said(at)
    without_exception(at.button(key="cell select").click().run())
    assert at.session_state.selections[view().collection.uid] == (IDS[4],)
    at = open_view("evaluate", part="kinds", **{**link, "kind": "Detritus", "taken": "Copepod"})
    assert "No Detritus was taken for Copepod" in said(at)
    (table,) = at.dataframe
    assert sorted(table.value["Kind"]) == ["Copepod", "Detritus"]
    assert table.value["Images"].tolist() == [15, 15]


def test_side_by_side_takes_maps_where_there_are_any(compared, open_view: Open, started):
    analysis.make_map(state.library(), view(SECOND), method="pca", seed=0)
    at = open_view("evaluate", part="side", query=IDS[4])
    assert "stand out on the other too" in said(at)
    near = [set(compared.neighbours(name, IDS[4])) for name in ("descriptors", SECOND)]
    assert f"{len(near[0] & near[1])} of 24 are found by both" in said(at)
    at = open_view("evaluate", part="side", second=BOTH)
    assert "keep this one as an encoder" in said(at)
    at = open_view("evaluate", part="cost")
    assert "Not measured yet" in said(at)
    without_exception(at.button(key="joined keep").click().run())
    without_exception(at.button(key="robustness go").click().run())
    assert [each[-1] for each in started] == ["--keep-joined", "--robustness"]


def test_robustness_shows_what_was_done_to_a_picture(second: str, open_view: Open):
    evaluate(state.library(), "run", ["descriptors", second], robustness=True, seed=0)
    at = open_view("evaluate", part="cost")

    def table() -> str:
        (found,) = [each.proto.body for each in at.get("html") if "Robustness" in each.proto.body]
        return str(found)

    first = table()
    for change in (UNCHANGED, *CHANGES):
        assert f'<th scope="row">{change}</th>' in first
    # each as a picture, since words such as "turned" leave open how much
    assert len(set(re.findall('src="data:image/png;base64,([^"]+)"', first))) == 1 + len(CHANGES)
    lib, uid = state.library(), view().collection.uid
    kept = storing.load(lib.workspace, uid, str(storing.listed(lib.workspace, uid)[0]["name"]))
    mirrored = kept.meta["encoders"][0]["robustness"]["kept"]["mirrored"]["value"]
    assert f'<u style="left:{100 * mirrored:.2f}%">' in first
    without_exception(at.button(key="robust another").click().run())
    assert table() != first


def test_what_needs_no_labels(second: str, open_view: Open):
    forget_labels(IDS)
    evaluate(state.library(), "run", ["descriptors", second], seed=0)
    at = open_view("evaluate")
    assert "agree on" in said(at)
    assert "Choose 30 images to label" in buttons(at)
    at = open_view("evaluate", part="side")
    assert "share" in said(at)


@pytest.mark.parametrize(
    "link",
    [{"part": "x"}, {"evaluation": "x"}, {"part": "kinds", "kind": "<b>", "taken": "x"},
     {"part": "side", "query": "x", "first": "x"}, {"ref": "x"}, {"part": "kinds", "way": "x"}],
)  # fmt: skip
def test_nonsense_in_a_link_is_left_aside(compared, open_view: Open, link):
    assert not open_view("evaluate", **link).error


def test_a_curve_is_drawn_on_only_where_that_held():
    def extended(**more: object) -> dict[str, object]:
        points = [{"labels": n, "mean": 0.5, "low": 0.4, "high": 0.6} for n in (1, 2, 5)]
        return {"probe": points, "extended": {"probe": more}}

    held = extended(
        labels=10, accuracy={"value": 0.7, "ci95": [0.6, 0.8]}, checked_at=5,
        predicted={"value": 0.5, "ci95": [0.4, 0.6]}, measured=0.5,
    )  # fmt: skip
    failed = extended(labels=None, accuracy={"value": None, "ci95": None, "why": "too wide"})
    first, second = evaluated_curves.beyond([("a", held), ("b", failed)], "probe")
    assert "with 10 of each kind instead of 5 expect 0.70 (0.60 to 0.80)" in first
    assert second.endswith("is not drawn on: too wide.")


def test_of_many_kinds_the_most_confused_are_shown():
    n = evaluated_kinds.KINDS + 5
    counts = [[0] * n for _ in range(n)]
    for kind in range(n):
        counts[kind][kind] = 10
    counts[n - 1][n - 2] = 3
    shown = evaluated_kinds._shown(counts)
    assert len(shown) == evaluated_kinds.KINDS
    assert shown == sorted(shown)
    assert {n - 1, n - 2} <= set(shown)


def test_joined_encoders_are_named_by_their_parts():
    assert called(BOTH) == f"descriptors + {SECOND}, joined"
