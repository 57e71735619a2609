"""What figures come to: labels against accuracy, differences, verdicts, and without labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.arrays import unit_rows
from core.errors import RangeError
from core.evaluation.bootstrap import Resamples
from core.evaluation.compare import compare, differences, is_real
from core.evaluation.efficiency import efficiency, extend, ladder_of, predict
from core.evaluation.figures import Figure
from core.evaluation.kinds import per_kind
from core.evaluation.measuring import FIGURES, Measured, as_json, measure
from core.evaluation.neighbours import rank
from core.evaluation.unlabelled import agreements, nearly_same, well_chosen
from core.evaluation.verdict import verdict
from tests.core.conftest import DATA, rows_of
from tests.core.test_evaluation import clouds

CAMERA = DATA / "plankton_camera"


# labels against accuracy


def test_the_ladder_stops_where_images_do():
    assert ladder_of(np.array([7, 7, 7])) == ([1, 2, 5], [0, 1, 2])
    assert ladder_of(np.array([7, 7, 6])) == ([], [])
    assert ladder_of(np.array([28, 28, 28, *[3] * 9])) == ([1, 2, 5, 10, 20], [0, 1, 2])
    assert ladder_of(np.array([28, 28, 28, *[3] * 10])) == ([], [])  # three of thirteen


def test_more_labels_are_better_and_the_curve_is_that_of_its_kinds():
    vectors, codes = clouds(400, 4, spread=1.2, seed=0)
    codes[codes == 3] = np.where(np.arange((codes == 3).sum()) < 10, 3, 4)  # a rare kind
    told: list[int] = []
    found = efficiency(vectors, codes, seed=0, tell=told.append)
    assert (len(told), found.draws) == (8, 8)
    assert 3 not in found.kinds
    assert found.images == np.isin(codes, found.kinds).sum()
    for points in found.curves.values():
        assert [point.labels for point in points] == [1, 2, 5, 10, 20, 40]
        assert points[-1].mean > points[0].mean + 0.1
        assert all(point.low <= point.mean <= point.high for point in points)
    assert efficiency(vectors, codes, seed=0) == found
    assert found.as_json()["probe"][0]["labels"] == 1


def test_without_enough_images_there_is_no_curve():
    found = efficiency(rows_of(8, 4), np.arange(8) % 2, seed=0)
    assert found.curves == {}
    assert found.why == "fewer than 3 kinds, or than a quarter of them, have 7 images or more"


def test_labels_of_the_tested_samples_are_never_given():
    """Kinds that only their samples' light tells cannot be learned for new samples."""
    rng = np.random.default_rng(0)
    samples = np.repeat(np.arange(30), 10)
    codes = samples % 3
    light = rng.normal(size=(30, 40))[samples]
    vectors = unit_rows(light + 0.3 * rng.normal(size=(300, 40)))
    by_image = efficiency(vectors, codes, seed=0).curves["knn"][-1].mean
    by_sample = efficiency(vectors, codes, samples=samples, seed=0).curves["knn"][-1].mean
    assert by_image > 0.9
    assert by_sample < 0.6


def test_a_power_law_is_continued():
    x = np.array([1, 2, 5, 10, 20, 40])
    values = np.tile(0.9 - 0.5 * x**-0.4, (5, 1))
    found = extend(x.tolist(), values, seed=0)
    assert (found.labels, found.checked_at, found.held) == (80, 40, True)
    assert found.accuracy.value == pytest.approx(0.9 - 0.5 * 80**-0.4, abs=0.002)
    above = np.tile(np.array([0.5, 0.7, 0.9, 0.95, 0.99]), (3, 1))
    figure = predict([1, 2, 5, 10, 20], above, 1_000, seed=0)
    assert figure.high is not None
    assert figure.high <= 1


def test_a_curve_that_does_not_hold_is_not_continued():
    values = np.tile(np.array([0.3, 0.31, 0.32, 0.33, 0.34, 0.7]), (5, 1))
    found = extend([1, 2, 5, 10, 20, 40], values, seed=0)
    assert not found.held
    assert found.accuracy.why is not None
    assert "at 40; measured 0.70" in found.accuracy.why
    x = np.array([1, 2, 5, 10, 20, 40])
    near = np.tile(0.9 - 0.5 * x**-0.4, (5, 1))
    near[:, -1] += 0.0021  # a miss that two digits would hide
    why = extend(x.tolist(), near, seed=0).accuracy.why
    assert why is not None
    *_, ends, measured = re.findall(r"0\.\d+ to 0\.\d+|0\.\d+", why)
    assert len(measured) == 5
    assert float(measured) > float(ends.split(" to ")[1])
    rng = np.random.default_rng(0)
    noisy = np.clip(rng.normal(0.5, 0.3, size=(4, 6)), 0, 1)
    assert extend([1, 2, 5, 10, 20, 40], noisy, seed=0).accuracy.value is None
    few = extend([1, 2, 5], values[:, :3], seed=0)
    assert few.accuracy.why == "3 points; expected more than 4"
    with pytest.raises(RangeError, match=r"asked is 5; expected 3 points and more labels"):
        predict([1, 2, 5], values[:, :3], 5, seed=0)


# two encoders


def three(n: int = 240) -> tuple[dict[str, Measured], np.ndarray, Resamples, list[str]]:
    """A good encoder, the same with a little noise, and a bad one."""
    good, codes = clouds(n, 4, spread=0.7, seed=0)
    rng = np.random.default_rng(1)
    resamples = Resamples(n, seed=0, times=300)
    vectors = {
        "good": good,
        "same": unit_rows(good + 0.02 * rng.normal(size=good.shape)),
        "bad": unit_rows(good + 0.8 * rng.normal(size=good.shape)),
    }
    made = {
        name: measure(name, v, codes, resamples, clustering=False, seed=0)
        for name, v in vectors.items()
    }
    return made, codes, resamples, [f"image {row}" for row in range(n)]


def test_differences_are_paired():
    made, codes, resamples, ids = three()
    same = differences(made["good"], made["same"], codes, resamples)
    bad = differences(made["good"], made["bad"], codes, resamples)
    for name, found in bad.items():
        first, second = (made[each].figures[name] for each in ("good", "bad"))
        assert first.value is not None
        assert second.value is not None
        assert found.value == pytest.approx(second.value - first.value)
    assert is_real(bad["precision_at_24"])
    assert is_real(bad["knn_macro_f1"])
    assert not is_real(same["precision_at_24"])
    for name in ("precision_at_24", "mean_average_precision"):
        found, alone = same[name], made["good"].figures[name]
        assert None not in (found.low, found.high, alone.low, alone.high)
        assert found.high - found.low < (alone.high - alone.low) / 2  # type: ignore[operator]
    back = differences(made["bad"], made["good"], codes, resamples)
    assert back["precision_at_24"].value == pytest.approx(-(bad["precision_at_24"].value or 0))
    itself = differences(made["good"], made["good"], codes, resamples)
    assert not any(map(is_real, itself.values()))
    (pair, *_) = compare([made["good"], made["bad"]], [], ids, codes, resamples)
    assert pair["encoders"] == ["good", "bad"]
    gaps = [round(abs(each["scores"][1] - each["scores"][0]), 3) for each in pair["disagree"]]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.3
    assert len(gaps) == 24


def test_differences_without_an_interval_are_neither_real_nor_not():
    assert is_real(Figure(0.1)) is None
    assert is_real(Figure(0.1, 0.05, 0.2)) is True
    assert is_real(Figure(0.1, -0.05, 0.2)) is False


def test_a_difference_that_is_not_there_is_seldom_called_real():
    false = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        gap = rng.normal(0, 0.3, size=100)
        false += bool(is_real(Resamples(100, seed=seed, times=300).difference(gap, gap)))
    assert false <= 11


def test_rows_of_kinds():
    made, codes, resamples, _ = three()
    rows = per_kind(made["good"], codes, ["a", "b", "c", "d"], resamples)
    assert {row["kind"]: row["images"] for row in rows} == {
        kind: int(n) for kind, n in zip("abcd", np.bincount(codes), strict=True)
    }
    recalls = [row["linear_probe_recall"]["value"] for row in rows]
    assert recalls == sorted(recalls, reverse=True)
    for row in rows:
        mine = codes == "abcd".index(row["kind"])
        decided = made["good"].decided["probe"][mine]
        right = (decided == codes[mine]).mean()
        assert row["linear_probe_recall"]["value"] == pytest.approx(right, abs=1e-6)
        wrong = sum(taken["images"] for taken in row["taken_for"])
        assert wrong == (decided != codes[mine]).sum()
        assert row["told_apart"]


def test_kinds_that_are_not_told_apart():
    # 2 of 20 right at best is below a half for sure; 8 of 20 may be chance; of 3 nothing is said
    codes = np.repeat([0, 1, 2], [20, 20, 3])
    knn, by_probe = np.zeros(43, np.int64), np.zeros(43, np.int64)
    knn[:19], knn[20:28], by_probe[:18], by_probe[20:27] = 1, 1, 1, 1
    made = Measured("any", 2, {}, decided={"knn": knn, "probe": by_probe})
    rows = per_kind(made, codes, ["a", "b", "c"], Resamples(43, seed=0))
    assert {each["kind"]: each["told_apart"] for each in rows} == {"a": False, "b": True, "c": None}


def test_recall_of_a_kind_is_over_samples_where_they_are_known():
    """Two samples all right and two all wrong say little, however many images they have."""
    samples = np.repeat(np.arange(6), 20)
    codes = np.repeat([0, 1], [80, 40])
    decided = np.where(samples < 2, 1, codes)
    made = Measured("any", 2, {}, decided={"knn": decided, "probe": decided})
    by_image = per_kind(made, codes, ["a", "b"], Resamples(120, seed=0))[1]
    resamples = Resamples(120, samples=samples, seed=0)
    by_sample = per_kind(made, codes, ["a", "b"], resamples)[1]
    assert by_image["kind"] == by_sample["kind"] == "a"
    assert by_image["knn_recall"]["value"] == by_sample["knn_recall"]["value"] == 0.5
    narrow, wide = (np.ptp(each["knn_recall"]["ci95"]) for each in (by_image, by_sample))
    assert wide > 2 * narrow


# verdicts


def row(precision: float, accuracy: float, **more: Any) -> dict[str, Any]:
    made = as_json(Measured("any", 2, dict.fromkeys(FIGURES, Figure(None, why="no labels"))))
    figure = {"value": precision, "ci95": [precision - 0.02, precision + 0.02]}
    right = {"value": accuracy, "ci95": [accuracy - 0.02, min(accuracy + 0.02, 1)]}
    chance = {"precision_at_24": {"value": 0.1, "ci95": None}}
    return {
        **made,
        "precision_at_24": figure,
        "knn_accuracy": right,
        "chance": chance,
        **more,
    }


BETTER = {"value": 0.1, "real": True}


@pytest.mark.parametrize(
    ("precision", "word"), [(0.17, "no"), (0.25, "patience"), (0.35, "good"), (0.8, "good")]
)
def test_words_for_browsing(precision: float, word: str):
    # chance is 0.1 and the ceiling 0.9: a tenth of the way is 0.18, a quarter 0.3, ends count
    said = verdict(row(precision, 0.5), ceiling={"precision_at_24": 0.9}, by_size=BETTER)
    assert said.browse == word
    assert f"{precision * 24:.1f} are of its kind (by chance 2.4, at best 21.6)" in said.sentence


@pytest.mark.parametrize(
    ("accuracy", "word", "words"),
    [
        (0.81, "no", "Not to label without checking each: 81 of 100"),
        (0.83, "check", "after a look at every screen"),
        (0.98, "bulk", "accept labels in bulk, with spot checks: 98 of 100"),
    ],
)
def test_words_for_labelling(accuracy: float, word: str, words: str):
    said = verdict(row(0.5, accuracy), ceiling={"precision_at_24": 0.9})
    assert said.label == word
    assert words in said.sentence


@pytest.mark.parametrize("gap", [{"value": 0.01, "real": False}, {"value": -0.1, "real": True}])
def test_what_size_tells_as_well_is_not_good(gap: dict[str, Any]):
    said = verdict(row(0.8, 0.5), ceiling={"precision_at_24": 0.9}, by_size=gap)
    assert said.browse == "no"
    assert "no better than sorting by size" in said.sentence


def test_words_for_new_samples():
    new = {"value": 0.5, "ci95": [0.45, 0.55]}
    found = row(0.5, 0.8, knn_new_samples=new)
    said = verdict(found, ceiling={"precision_at_24": 0.9})
    # neighbours of its own sample, which resemble it anyway, are not what a new sample has
    assert said.label == "no"
    assert (
        "50 of 100 proposed labels are right in a new sample, 80 where others of its sample are "
        "labelled."
    ) in said.sentence
    found["knn_accuracy"] = new
    assert "where others" not in verdict(found, ceiling={"precision_at_24": 0.9}).sentence


def test_words_for_what_labels_bring():
    points = [{"labels": n, "mean": a} for n, a in ((1, 0.4), (5, 0.62), (20, 0.75), (40, 0.8))]
    more = {"labels": 80, "accuracy": {"value": 0.83, "ci95": [0.81, 0.85]}}
    curve = {"knn": points, "probe": points[:1], "kinds": [0, 1], "why": None}
    found = row(0.5, 0.5, label_efficiency={**curve, "extended": {"knn": more}})
    said = verdict(found, ceiling={"precision_at_24": 0.9}).sentence
    assert "Labelling 20 of each kind is expected to bring 0.62 (with 5) to 0.75" in said
    assert "on the 2 kinds" in said
    assert "With 80 instead of 40 expect about 3 points more: 0.83 (0.81 to 0.85)." in said
    unheld = {"labels": None, "accuracy": {"value": None, "ci95": None, "why": "x"}}
    found = row(0.5, 0.5, label_efficiency={**curve, "extended": {"knn": unheld}})
    assert "instead of 40" not in verdict(found, ceiling={"precision_at_24": 0.9}).sentence


def test_words_for_kinds_that_are_lost():
    kinds = [{"kind": k, "told_apart": k not in "bcde"} for k in "abcde"]
    said = verdict(row(0.5, 0.5, kinds=kinds), ceiling={"precision_at_24": 0.9}).sentence
    assert said.endswith("It cannot tell apart 4 of 5 kinds: b, c, d and others.")


def test_words_where_nothing_is_known():
    none = as_json(Measured("any", 2, dict.fromkeys(FIGURES, Figure(None, why="no labels"))))
    said = verdict(none, ceiling={})
    assert (said.browse, said.label) == ("unknown", "unknown")
    assert said.sentence.startswith("Nothing can be said yet: no labels.")


# without labels


def test_encoders_agree_on_neighbours():
    first = rank(rows_of(60, 6, seed=0), k=5).near
    other = rank(rows_of(60, 6, seed=1), k=5).near
    found = agreements({"a": first, "b": first, "c": other}, Resamples(60, seed=0))
    assert [pair["encoders"] for pair in found] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert found[0]["shared"]["value"] == 1
    assert found[1]["shared"]["value"] == pytest.approx(5 / 59, abs=0.06)
    assert found[1]["chance"] == pytest.approx(5 / 59, abs=1e-6)


def test_nearly_the_same_pictures_are_counted():
    vectors = rows_of(50, 10)
    doubled = unit_rows(np.concatenate([vectors, vectors[:3] + 1e-3]))
    assert nearly_same(doubled, rank(doubled, k=1).near) == 6
    assert nearly_same(vectors, rank(vectors, k=1).near) == 0


def test_well_chosen_images_are_of_every_group():
    vectors, codes = clouds(300, 6, spread=0.1, seed=0)
    chosen = well_chosen(vectors, count=6, seed=0)
    assert sorted(codes[chosen]) == list(range(6))
    assert well_chosen(vectors[:4], count=50, seed=0) == [0, 1, 2, 3]
    same = np.repeat(rows_of(1, 4), 10, axis=0)
    assert len(set(well_chosen(same, count=3, seed=0))) >= 1
    with pytest.raises(RangeError, match="count is 0; expected 1 image or more"):
        well_chosen(vectors, count=0, seed=0)


@pytest.mark.slow
@pytest.mark.skipif(not CAMERA.is_dir(), reason="the shared pictures are not here")
def test_figures_of_the_camera_are_those_measured_before(tmp_path: Path):
    """precision@24 0.366, 5 nearest 0.552 (`benchmarks/descriptors.py`).

    A curve goes on where it held at 40.
    """
    from core.evaluation.subject import subject, vectors_of
    from core.indexing import index
    from core.library import Library
    from core.settings import Settings

    library = Library.open(Settings(workspace=tmp_path / "workspace"))
    index(library, collection="camera", source=str(CAMERA), labels_from="folder")
    view = library.vectors(library.catalogue.collection("camera"))
    on = subject(library, [view], seed=0)
    vectors = vectors_of(view, on.ids)
    resamples = Resamples(len(on), seed=0)
    found = measure("descriptors", vectors, on.codes, resamples, clustering=False, seed=0)
    library.close()
    assert found.figures["precision_at_24"].value == pytest.approx(0.366, abs=0.001)
    assert found.figures["knn_accuracy"].value == pytest.approx(0.552, abs=0.002)
    curve = efficiency(vectors, on.codes, seed=0)
    assert len(curve.kinds) == 17  # with 56 images or more
    for way in ("knn", "probe"):
        extended = curve.extended[way]
        assert extended.checked_at == 40
        assert extended.predicted is not None
        assert extended.measured is not None
        assert extended.predicted.low is not None
        assert extended.predicted.high is not None
        within = extended.predicted.low <= extended.measured <= extended.predicted.high
        assert extended.held == within
