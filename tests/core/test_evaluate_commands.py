"""`evaluate` on the command line: the fields of the contract, what is kept, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import encoders, labels
from core.__main__ import main
from core.errors import EncoderError, RangeError
from core.evaluation import storing
from core.evaluation.figures import NEW, Figure
from core.evaluation.joining import keep_joined
from core.evaluation.measuring import FIGURES
from core.evaluation.subject import joined, vectors_of
from core.evaluation.telling import told
from core.labels import Decision
from core.library import Library
from core.managing import delete
from core.settings import Settings
from tests.core.prepared import IDS, answer, prepared

Run = Callable[..., Any]
OF_IMAGES = [name for name in FIGURES if name != NEW]


@pytest.fixture(autouse=True)
def filled(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for name in ("PLANKTON_WORKSPACE", "PLANKTON_STORE", "PLANKTON_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    return prepared(tmp_path_factory, settings.workspace)


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that works and gives the one JSON object it printed."""

    def call(*arguments: str) -> Any:
        capsys.readouterr()
        status = main([*arguments, "--json", "--workspace", str(settings.workspace)])
        return answer(capsys, status)

    return call


@pytest.fixture
def fail(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `evaluate` that is refused and gives the one line it said."""

    def call(*arguments: str) -> str:
        options = ["--collection", "run", "--json", "--workspace", str(settings.workspace)]
        capsys.readouterr()
        status = main(["evaluate", *arguments, *options])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        return err.splitlines()[-1].removeprefix("error: ")

    return call


@pytest.fixture
def second(library: Library, tmp_path: Path, run: Run) -> str:
    """Vectors made elsewhere that know every label, of the collection's own images."""
    uid = library.catalogue.collection("run").uid
    known = labels.current(library.catalogue, uid)
    kinds = sorted({str(each.label) for each in known.values()})
    rows = np.array([[known[id].label == kind for kind in kinds] for id in IDS], np.float32)
    noise = np.random.default_rng(0).normal(scale=0.05, size=(len(IDS), 2))
    np.savez(tmp_path / "oracle.npz", ids=np.array(IDS), vectors=(rows + noise).astype("f4"))
    run("index", str(tmp_path / "oracle.npz"), "--collection", "run")
    return "precomputed:oracle"


def test_the_fields_of_the_contract(run: Run):
    found = run("evaluate", "--collection", "run")
    assert (found["images"], found["classes"], found["seed"]) == (20, 2, 0)
    (row,) = found["encoders"]
    assert row["encoder"] == "descriptors"
    assert NEW not in row  # no samples are known
    for name in OF_IMAGES:
        assert set(row[name]) >= {"value", "ci95"}
        if row[name]["value"] is None:
            assert row[name]["ci95"] is None
            assert row[name]["why"]
    assert row["precision_at_24"]["why"] == "20 images; expected more than 24"
    low, high = row["knn_accuracy"]["ci95"]
    assert 0 <= low <= row["knn_accuracy"]["value"] <= high <= 1
    assert found["ceiling"]["precision_at_5"] == 1
    assert found["baselines"][0]["encoder"] == "size alone"
    assert any(note.startswith("one image is a copy of others") for note in found["notes"])


def test_the_same_seed_gives_the_same_figures(run: Run):
    first, again = (run("evaluate", "--collection", "run", "--seed", "3") for _ in range(2))
    for found in (first, again):
        found.pop("at")
        found.pop("seconds")
    assert first == again


def test_two_encoders_and_both_joined(run: Run, second: str, library: Library):
    both = ["--encoder", "descriptors", "--encoder", second]
    found = run("evaluate", "--collection", "run", *both, "--joined")
    names = [row["encoder"] for row in found["encoders"]]
    assert names == ["descriptors", second, f"joined:descriptors+{second}"]
    by_name = {row["encoder"]: row for row in found["encoders"]}
    assert by_name[second]["knn_accuracy"]["value"] == 1
    uid = library.catalogue.collection("run").uid
    kept = storing.load(library.workspace, uid, found["name"])
    assert {key: value for key, value in kept.meta.items() if key != "kind"} == found
    assert kept.encoders == names
    right = [id for id in kept.ids if id not in kept.cell(second, "Copepod", "Detritus")]
    assert len(right) == 20
    assert kept.confusion(second, way="knn").tolist() == [[10, 0], [0, 10]]
    near = kept.neighbours(second, IDS[0])
    assert len(near) == 19
    assert {Path(id).parent.name for id in near[:9]} == {"Copepod"}
    shared = kept.shared(IDS[0], ["descriptors", second])
    assert sorted(shared) == sorted(near)  # of 20 images everybody's 24 nearest are all
    assert kept.scores[second]["knn_right"].tolist() == [1] * 20


def test_images_that_one_encoder_lacks_are_left_out_and_told(run: Run, tmp_path: Path):
    vectors = np.random.default_rng(0).normal(size=(15, 3)).astype(np.float32)
    np.savez(tmp_path / "part.npz", ids=np.array(IDS[:15]), vectors=vectors)
    run("index", str(tmp_path / "part.npz"), "--collection", "run")
    both = ["--encoder", "descriptors", "--encoder", "precomputed:part"]
    found = run("evaluate", "--collection", "run", *both)
    assert (found["images"], found["of"]) == (15, 15)
    said = "5 of 20 images lack vectors of an encoder and are left out for all"
    assert said in found["notes"]
    assert not any("lack" in note for note in run("evaluate", "--collection", "run")["notes"])


def test_joined_is_kept_as_one_more_encoder(run: Run, second: str, library: Library):
    both = ["--encoder", "descriptors", "--encoder", second]
    found = run("evaluate", "--collection", "run", *both, "--keep-joined")
    name = f"joined:descriptors+{second}"
    assert found["kept"] == {"encoder": name, "images": 20, "dimension": 187}
    collection = library.catalogue.collection("run")
    view = library.vectors(collection, name)
    first, other = (library.vectors(collection, each) for each in ("descriptors", second))
    parts = [vectors_of(each, view.snapshot.ids) for each in (first, other)]
    np.testing.assert_allclose(np.asarray(view.snapshot.vectors), joined(parts), atol=1e-6)
    # it is an encoder like others, but for new pictures
    assert len(run("similar", "--collection", "run", "--encoder", name, "--id", IDS[0])["matches"])
    alone = run("evaluate", "--collection", "run", "--encoder", name)
    joint = next(row for row in found["encoders"] if row["encoder"] == name)
    assert alone["encoders"][0]["knn_accuracy"] == joint["knn_accuracy"]
    assert run("doctor")["problems"] == []
    with pytest.raises(EncoderError, match="made of the vectors of several encoders"):
        encoders.load(name)
    # made anew it takes its own place
    again = keep_joined(library, "run", ["descriptors", second])
    assert again["images"] == 20
    assert library.vectors(collection, name).encoding.generation == 2
    assert library.vectors(collection, name).encoding.identity == view.encoding.identity
    with pytest.raises(RangeError, match="is joined already"):
        keep_joined(library, "run", ["descriptors", name])
    with pytest.raises(RangeError, match="descriptors; expected two different or more"):
        keep_joined(library, "run", ["descriptors"])


def test_pictures_are_encoded_again(run: Run, library: Library):
    (row,) = run("evaluate", "--collection", "run", "--robustness")["encoders"]
    assert row["robustness"]["kept"]["mirrored"]["why"] == "20 images; expected more than 25"
    plain = run("evaluate", "--collection", "run")["encoders"][0]["cost"]
    assert (plain["vector_bytes"], plain["download_mb"]) == (740, 0)
    assert plain["images_per_second"] is None
    assert plain["why"]["images_per_second"] == "measured with --robustness only"


def test_it_knows_what_it_covers(run: Run, library: Library):
    found = run("evaluate", "--collection", "run")
    uid = library.catalogue.collection("run").uid
    (meta,) = storing.listed(library.workspace, uid)
    assert meta["name"] == found["name"] == "descriptors"
    assert storing.outdated(library, uid, meta) == []
    labels.record(library.catalogue, uid, [Decision(IDS[0], "Salp")], by="ann")
    assert storing.outdated(library, uid, meta) == ["labels changed"]
    meta["covers"]["descriptors"]["fingerprint"] = "0"
    assert storing.outdated(library, uid, meta)[0] == "the vectors of descriptors changed"
    delete(library, "run")
    assert storing.listed(library.workspace, uid) == []


def test_only_settled_labels_count(run: Run, library: Library):
    uid = library.catalogue.collection("run").uid
    labels.record(
        library.catalogue,
        uid,
        [Decision(IDS[0], "Salp", "predicted"), Decision(IDS[1], "Rod", "dubious")],
        by="ann",
    )
    found = run("evaluate", "--collection", "run")
    assert (found["images"], found["labelled"], found["of"], found["classes"]) == (18, 18, 20, 2)


def test_without_labels_there_are_reasons(run: Run, library: Library):
    uid = library.catalogue.collection("run").uid
    labels.record(library.catalogue, uid, [Decision(id, None) for id in IDS], by="ann")
    found = run("evaluate", "--collection", "run")
    assert (found["images"], found["classes"]) == (0, 0)
    for name in OF_IMAGES:
        assert found["encoders"][0][name]["value"] is None
        assert found["encoders"][0][name]["why"] == "no image has a validated label"


def test_bad_input(fail: Callable[..., str]):
    assert "joined puts encoders side by side, and there is descriptors" in fail("--joined")
    twice = ["--encoder", "descriptors", "--encoder", "descriptors"]
    assert "descriptors, descriptors; name each once" in fail(*twice)
    kept = fail("--encoder", "joined:a+b", "--encoder", "descriptors", "--keep-joined")
    assert kept == "joined:a+b is joined already; name what it is made of instead"
    assert "has no vectors of encoder" in fail("--encoder", "timm:resnet18/random")


def test_for_people_it_says_what_it_comes_to_first(
    settings: Settings, capsys: pytest.CaptureFixture[str], run: Run, library: Library
):
    meta = run("evaluate", "--collection", "run")
    command = ["evaluate", "--collection", "run", "--workspace", str(settings.workspace)]
    assert main(command) == 0
    head, _, said, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("run: 20 labelled of 20 images, 2 kinds; intervals hold 95 %")
    (row,) = meta["encoders"]
    assert said == f"descriptors: {row['verdict']['sentence']}"
    (first,) = [line for line in lines if line.startswith("nearest is of the kind")]
    low, high = row["precision_at_1"]["ci95"]
    assert f"{row['precision_at_1']['value']:.3f} ({low:.3f} to {high:.3f})" in first
    assert first.split()[-1] == "1.000"  # at best
    (real,) = [line for line in lines if "less size alone" in line and "vote right" in line]
    (pair,) = meta["comparisons"]
    gap = pair["differences"]["knn_accuracy"]
    assert real.endswith("real" if gap["real"] else "may be chance")
    assert not any("told worst" in line for line in lines)  # too few images for 24 neighbours
    uid = library.catalogue.collection("run").uid
    labels.record(library.catalogue, uid, [Decision(id, None) for id in IDS], by="ann")
    assert main(command) == 0
    assert "nearest is of the kind" not in capsys.readouterr().out


def test_the_kinds_told_worst_are_named_for_people(run: Run):
    def kind(name: str, value: float, ceiling: float, *taken: tuple[str, int]) -> dict[str, Any]:
        return {
            "kind": name, "images": 30, "precision_at_24": Figure(value, 0, 1).as_json(),
            "ceiling": ceiling, "taken_for": [{"kind": k, "images": n} for k, n in taken],
        }  # fmt: skip

    meta = run("evaluate", "--collection", "run")
    alone = kind("Alone", 0.0, 0)  # the only image of its kind
    kinds = [alone, kind("Dot", 0.4, 1, ("Blob", 7)), kind("Rare", 0.3, 0.5), kind("Blob", 0.1, 1)]
    lines = told({**meta, "encoders": [{**meta["encoders"][0], "kinds": kinds}]})
    place = next(n for n, line in enumerate(lines) if line.startswith("told worst"))
    shown = [line.split() for line in lines[place + 1 : place + 4]]
    # against what a perfect encoder could get, since the rare have few to find
    assert [line[0] for line in shown] == ["Blob", "Dot", "Rare"]
    assert not any(line.startswith("Alone") for line in lines)
    assert shown[1][-2:] == ["Blob", "7"]
