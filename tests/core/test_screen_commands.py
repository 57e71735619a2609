"""`screen ...` on the command line, from labels to a folder that decides the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import bundle, labels, screen_answers, screens
from core.__main__ import main
from core.indexing import index
from core.labels import Decision
from core.library import Library
from core.screen_audit import SEED, audited
from core.screen_telling import told
from core.settings import Settings
from core.sources.drawing import KINDS
from core.sources.sample import SampleSource, draw_sample
from tests.core.prepared import answer, prepared

IMAGES = 240
LIVING = [kind.name for kind in KINDS if kind.living]
CONTRACT = {
    "model", "threshold", "target_recall", "promised", "labels_needed", "recall", "recall_ci95",
    "dropped_share", "accuracy", "average_precision", "validated_by",
}  # fmt: skip

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def drawn_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the collection ``sample`` in it."""
    base = tmp_path_factory.mktemp("screened")
    draw_sample(base / "workspace" / "sample", n=IMAGES, seed=0)
    marker = base / "workspace" / "workspace.json"
    marker.write_text('{"format": 1}')
    library = Library.open(Settings(workspace=base / "workspace"))
    source = SampleSource(base / "workspace" / "sample", name="sample")
    assert index(library, collection="sample", source=source).indexed == IMAGES
    library.close()
    return base / "workspace"


@pytest.fixture(autouse=True)
def filled(drawn_sample: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLANKTON_WORKSPACE", "PLANKTON_STORE", "PLANKTON_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(drawn_sample, settings.workspace)


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `screen COMMAND` that works and gives the one JSON object it printed."""

    def call(*arguments: str, workspace: Path = settings.workspace) -> Any:
        capsys.readouterr()
        status = main(["screen", *arguments, "--json", "--workspace", str(workspace)])
        return answer(capsys, status)

    return call


@pytest.fixture
def fail(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `screen COMMAND` that is refused and gives the one line it said."""

    def call(*arguments: str) -> str:
        status = main(["screen", *arguments, "--json", "--workspace", str(settings.workspace)])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        return err.splitlines()[-1].removeprefix("error: ")

    return call


def training(*more: str, keep: list[str] = LIVING) -> list[str]:
    return ["train", "--collection", "sample", "--model", "living", "--keep", *keep, *more]


def test_train_says_what_the_contract_asks(run: Run):
    said = run(*training("--target-recall", "0.8"))
    assert said.keys() >= CONTRACT
    assert (said["model"], said["target_recall"], said["validated_by"]) == ("living", 0.8, "sample")
    assert said["promised"]
    assert said["labels_needed"] == 0
    low, high = said["recall_ci95"]
    assert 0.8 <= low <= said["recall"] <= high <= 1
    assert 0 < said["threshold"] < 1
    assert 0 < said["dropped_share"] < 0.5
    assert 0 < said["dropped_bytes_share"] < 1
    assert said["accuracy"] > 0.75
    assert said["average_precision"] > 0.9
    assert said["design_effect"] >= 1
    assert said["drop"] == sorted(kind.name for kind in KINDS if not kind.living)
    assert {part["name"] for part in said["kinds"]} == {kind.name for kind in KINDS}
    assert len(said["samples"]) == 12
    assert said["training"]["images"] == IMAGES
    assert said["why"] == {}


def test_naming_what_to_drop_keeps_the_rest(run: Run):
    drop = [kind.name for kind in KINDS if not kind.living]
    said = run("train", "--collection", "sample", "--model", "living", "--drop", *drop)
    assert said == run(*training())


def test_what_cannot_be_promised_says_so(run: Run):
    said = run(*training())
    assert (said["target_recall"], said["promised"]) == (0.99, False)
    keep = said["training"]["keep"]
    assert keep + said["labels_needed"] == pytest.approx(298.1 * said["design_effect"], abs=1.1)
    assert said["recall"] >= 0.99


def test_the_same_seed_gives_the_same(run: Run):
    first, second, third = (run(*training("--seed", seed)) for seed in ("1", "1", "2"))
    assert first == second
    assert first["learning"] != third["learning"]
    assert first["training"]["fingerprint"] == third["training"]["fingerprint"]


def test_labels_that_are_not_validated_count_for_nothing(run: Run, library: Library):
    view = library.vectors(library.catalogue.collection("sample"))
    known = labels.current(library.catalogue, view.collection.uid)
    gone = [id for id in view.snapshot.ids if known[id].label == "copepod"]
    said = [Decision(id, "copepod", "predicted") for id in gone]
    labels.decide(library.catalogue, view.collection.uid, said, by="ann")
    kept = run(*training(keep=[name for name in LIVING if name != "copepod"]))
    assert kept["training"]["images"] == IMAGES - len(gone)
    screen = screens.load(library.workspace, view.collection.uid, "living")
    rows = [view.snapshot.ids.index(id) for id in gone]
    # what is not labelled is scored by the model, as it will be once exported
    score = screen.model.score(np.asarray(view.snapshot.vectors)[rows])
    assert screen.screened.score[rows] == pytest.approx(score)
    assert kept["expected_lost"] > 0


def test_from_labels_to_a_folder_that_scores_the_same(run: Run, library: Library, tmp_path: Path):
    trained = run(*training("--target-recall", "0.8"))
    told = run("export", "living", "-o", str(tmp_path / "filter"))
    assert told["files"] == [
        "README.md", "SHA256SUMS", "card.json", "encoder_fit.json", "model.onnx",
    ]  # fmt: skip
    found = bundle.load(tmp_path / "filter")
    assert found.threshold == trained["threshold"] == told["threshold"]
    view = library.vectors(library.catalogue.collection("sample"))
    vectors = np.array(view.snapshot.vectors)
    screen = screens.load(library.workspace, view.collection.uid, "living")
    said = found.decide(vectors)
    assert said.score == pytest.approx(screen.model.score(vectors), abs=1e-5)
    assert said.nearest == pytest.approx(screen.model.nearest(vectors), abs=1e-5)
    assert found.encoder().identity == view.encoding.identity
    card = found.card
    assert card["encoder"]["licence"].startswith("none needed")
    assert card["validation"]["recall_ci95"] == trained["recall_ci95"]
    assert card["validation"]["kinds"] == trained["kinds"]
    assert card["training"]["fingerprint"] == trained["training"]["fingerprint"]
    assert card["training"]["quantiles"]["of"] == IMAGES
    assert len(card["training"]["quantiles"]["nearest"]) == 21
    assert (card["seed"], card["promised"], card["keep"]) == (0, True, sorted(LIVING))
    assert card["trained_with"]["scikit-learn"]


def test_exported_at_another_working_point(run: Run, tmp_path: Path):
    run(*training("--target-recall", "0.8"))
    run("export", "living", "-o", str(tmp_path / "a"), "--target-recall", "0.7")
    run("export", "living", "-o", str(tmp_path / "b"), "--threshold", "0.5")
    a, b = (json.loads((tmp_path / name / "card.json").read_text()) for name in "ab")
    assert (a["target_recall"], a["promised"]) == (0.7, True)
    assert (b["threshold"], b["target_recall"]) == (0.5, 0.8)
    assert run("show", "living")["target_recall"] == 0.8  # the model stays as it is


def test_show_names_the_mistakes(run: Run, library: Library):
    run(*training("--target-recall", "0.8"))
    said = run("show", "living", "--threshold", "0.9")
    known = labels.current(library.catalogue, library.catalogue.collection("sample").uid)
    assert said["lost"]
    assert all(known[id].label in LIVING for id in said["lost"])
    assert all(known[id].label not in LIVING for id in said["rubbish"])
    assert said["recall"] < run("show", "living")["recall"]
    assert said["curves"]["kept_dropped"]["recall"][0] == 1
    assert 0.7 < said["curves"]["precision_recall"]["precision"][0] < 0.85  # all are kept
    assert said["nearest_kept"]
    assert said["nearest_dropped"]


def test_show_tells_what_people_saw_of_the_dropped(run: Run, library: Library):
    uid = library.catalogue.collection("sample").uid
    known = labels.current(library.catalogue, uid)
    doubted = [Decision(id, known[id].label, "dubious") for id in sorted(known)[::4]]
    labels.record(library.catalogue, uid, doubted, by="Ada")
    run(*training("--target-recall", "0.8"))
    fingerprint = screens.load(library.workspace, uid, "living").training["fingerprint"]
    before = run("show", "living")["audit"]
    assert before["dropped"] > 4 and (before["looked_at"], before["lost_share"]) == (0, None)
    order = audited(screens.load(library.workspace, uid, "living"), {}, seed=SEED).ahead
    screen_answers.add(library.workspace, uid, fingerprint, {order[0]: True, order[1]: None})
    screen_answers.add(library.workspace, uid, fingerprint, {order[2]: False, order[3]: False})
    said = run("show", "living")
    now = said["audit"]
    assert (now["looked_at"], now["wanted"], now["unsure"]) == (3, 1, 1)
    assert now["lost_share"] == pytest.approx(1 / 3) and now["dropped"] == before["dropped"]
    assert any(
        f"Of {now['dropped']:,} images without a label that it drops 3 were looked at again and 1 "
        "should have been kept: 33.3 % (95 %: " in line
        for line in told(said)
    )


def test_list_and_delete(run: Run, fail: Callable[..., str]):
    assert run("list") == {"models": []}
    run(*training())
    (one,) = run("list", "--collection", "sample")["models"]
    assert (one["collection"], one["name"], one["encoder"]) == ("sample", "living", "descriptors")
    assert run("delete", "living") == {"deleted": "living"}
    assert run("list") == {"models": []}
    assert "no model is called 'living'; there is none yet" in fail("show", "living")


def test_a_deleted_collection_takes_its_models_along(run: Run, settings: Settings):
    run(*training())
    assert list((settings.workspace / "screens").rglob("model.json"))
    assert main(["delete", "--collection", "sample", "--workspace", str(settings.workspace)]) == 0
    assert not list((settings.workspace / "screens").rglob("model.json"))


def test_copies_are_left_out(
    run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, library: Library
):
    workspace = prepared(tmp_path_factory, tmp_path / "other")
    said = run("train", "--collection", "run", "--model", "m", "--keep", "Copepod",
               "--target-recall", "0.5", workspace=workspace)  # fmt: skip
    assert said["training"]["copies_left_out"] == 1  # the last image is a copy of the first
    assert said["training"]["images"] == 19
    assert said["validated_by"] == "image"
    assert said["samples"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            training(keep=["copepods"]),
            "no image is validated as 'copepods'; did you mean 'copepod'?",
        ),
        (training("--drop", "copepod"), "'copepod' is to be kept and dropped; name it on one side"),
        (training(keep=[kind.name for kind in KINDS]), "nothing is left to drop"),
        (["train", "--collection", "sample", "--model", "m"], "no label is named to keep or to"),
        (training("--target-recall", "1"), "the target recall is 1.0; expected 0.5 to 0.999"),
        (training("--drop", "bubble", keep=["foraminifera"]), "expected at least 5 of each"),
        (["export", "nobody", "-o", "x"], "no model is called 'nobody'; there is none yet"),
        (["show", "living", "--collection", "nowhere"], "nowhere"),
    ],
)
def test_refusals(fail: Callable[..., str], arguments: list[str], said: str):
    assert said in fail(*arguments)


def test_never_over_other_files(run: Run, fail: Callable[..., str], tmp_path: Path):
    run(*training())
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds other files" in fail("export", "living", "-o", str(tmp_path))
