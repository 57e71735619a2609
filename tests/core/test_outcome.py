"""What a threshold costs: counted by hand, the same as scikit-learn, and quick enough to drag."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_score, recall_score

from core.errors import RangeError, ShapeError
from core.outcome import Screened
from core.promise import interval

KINDS = ["Copepod", "Diatom", "Dust"]


def ten() -> Screened:
    """Ten images: four copepods, two diatoms, two dusts, two without a label; two hauls."""
    return Screened(
        ids=[f"i{n}" for n in range(10)],
        score=np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.2, 0.3, 0.75, 0.4, 0.95]),
        unfamiliar=np.array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0], bool),
        truth=np.array([1, 1, 1, 1, 1, 1, 0, 0, -1, -1], np.int8),
        kind=np.array([0, 0, 0, 0, 1, 1, 2, 2, -1, -1], np.int32),
        kinds=KINDS,
        sample=np.array([0, 0, 1, 1, 1, 1, 0, 1, 0, -1], np.int32),
        samples=["haul a", "haul b"],
        size_bytes=np.array([100, 100, 100, 100, 100, 100, 50, 50, 200, 100.0]),
        effect=1.0,
        validated_by="image",
    )


def many(n: int, seed: int) -> Screened:
    rng = np.random.default_rng(seed)
    truth = rng.choice([1, 0, -1], n).astype(np.int8)
    truth[:2] = (1, 0)
    return Screened(
        ids=[str(i) for i in range(n)],
        score=np.clip(rng.normal(0.4 + 0.3 * (truth == 1), 0.2), 0, 1),
        unfamiliar=rng.random(n) < 0.02,
        truth=truth,
        kind=np.where(truth >= 0, truth + 2 * rng.integers(0, 3, n), -1).astype(np.int32),
        kinds=[str(i) for i in range(6)],
        sample=rng.integers(-1, 5, n).astype(np.int32),
        samples=list("abcde"),
        size_bytes=rng.integers(1, 1000, n).astype(float),
        effect=1.5,
        validated_by="sample",
    )


def test_by_hand():
    said = ten().at(0.5)
    # kept: 0.9 0.8 0.7 0.6 0.75 0.95 and the unfamiliar one; dropped: 0.1 0.3 0.4
    assert (said.kept, said.dropped, said.unfamiliar) == (7, 3, 1)
    assert said.recall == pytest.approx(5 / 6)
    assert said.recall_ci95 == interval(5, 6)
    assert said.dropped_share == pytest.approx(0.3)
    assert said.dropped_bytes_share == pytest.approx((100 + 50 + 200) / 1000)
    assert said.accuracy == pytest.approx(6 / 8)
    assert said.expected_lost == pytest.approx(1 + 0.4)  # one copepod, 0.4 of the unlabelled one
    assert said.why == {}
    kinds = {part.name: part for part in said.kinds}
    assert [part.name for part in said.kinds] == ["Copepod", "Diatom", "Dust"]
    assert (kinds["Copepod"].kept, kinds["Copepod"].labelled) == (3, 4)
    assert kinds["Copepod"].ci95 == interval(3, 4)
    assert kinds["Copepod"].expected_lost == 1
    assert (kinds["Diatom"].share_kept, kinds["Diatom"].wanted) == (1, True)
    assert (kinds["Dust"].share_kept, kinds["Dust"].wanted) == (0.5, False)
    assert kinds["Dust"].expected_lost == 0
    worst, best = said.samples
    assert (worst.name, worst.images, worst.labelled, worst.kept) == ("haul b", 5, 4, 3)
    assert (best.name, best.images, best.labelled, best.kept) == ("haul a", 4, 2, 2)
    assert best.expected_lost == pytest.approx(0.4)
    assert best.dropped_share == pytest.approx(2 / 4)


def test_accuracy_and_average_precision():
    these = ten()
    assert these.accuracy == pytest.approx(5 / 8)  # at 0.5, by score alone
    labelled = these.truth >= 0
    assert these.average_precision == pytest.approx(
        average_precision_score(these.truth[labelled] == 1, these.score[labelled])
    )


def test_what_to_look_at():
    these = ten()
    assert these.nearest(0.5, 2) == (["i4", "i2"], ["i8", "i6"])
    assert these.nearest(0.0)[1] == []
    assert these.nearest(1.0)[0] == []
    assert these.lost(0.75) == ["i3", "i4", "i2"]
    assert these.rubbish(0.25) == ["i7", "i6"]
    assert these.rubbish(0.25, 1) == ["i7"]
    assert these.strange() == ["i5"]


def test_everything_is_kept_at_zero_and_only_the_strange_above_all():
    these = ten()
    assert (these.at(0).dropped, these.at(0).recall) == (0, 1)
    assert these.at(1).kept == 1


def test_a_promise_counts_the_unfamiliar_as_kept():
    # six wanted images prove nothing: 29 would be needed
    said = ten().promise(0.9)
    assert (said.promised, said.labels_needed, said.n) == (False, 23, 6)
    assert said.threshold == pytest.approx(0.1, abs=1e-5)
    assert ten().at(said.threshold).recall == 1


def test_sizes_that_are_not_known():
    these = replace(ten(), size_bytes=np.full(10, np.nan))
    said = these.at(0.5)
    assert said.dropped_bytes_share is None
    assert said.why == {
        "dropped_bytes_share": "images are not a file each, or their sizes are not in the catalogue"
    }
    some = ten().size_bytes.copy()
    some[3] = np.nan
    assert replace(ten(), size_bytes=some).at(0.5).dropped_bytes_share is None


def test_a_sample_without_labels_says_so():
    truth = ten().truth.copy()
    truth[:2] = -1
    said = replace(ten(), truth=truth).at(0.5).as_json()
    last = said["samples"][-1]
    assert (last["name"], last["share_kept"], last["ci95"]) == ("haul a", None, None)
    assert last["why"] == "no labelled image to keep is of it"
    json.dumps(said, allow_nan=False)


@settings(deadline=None)
@given(n=st.integers(5, 300), seed=st.integers(0, 2**20), t=st.floats(0, 1))
def test_the_same_as_scikit_learn(n: int, seed: int, t: float):
    these = many(n, seed)
    said, keep = these.at(t), (these.score >= t) | these.unfamiliar
    labelled = these.truth >= 0
    wanted = these.truth[labelled] == 1
    assert said.recall == pytest.approx(recall_score(wanted, keep[labelled]))
    assert said.kept + said.dropped == n
    kinds, samples = said.kinds, said.samples
    assert sum(part.labelled for part in kinds) == labelled.sum()
    assert sum(part.kept for part in kinds if part.wanted) == round(said.recall * wanted.sum())
    assert sum(part.images for part in samples) == (these.sample >= 0).sum()
    inside = sum(part.expected_lost for part in samples)
    assert inside <= said.expected_lost + 1e-9
    json.dumps(said.as_json(), allow_nan=False)


@settings(deadline=None, max_examples=20)
@given(n=st.integers(5, 600), seed=st.integers(0, 2**20))
def test_curves_are_what_at_says(n: int, seed: int):
    these = many(n, seed)
    curve = these.kept_dropped()
    assert (curve["threshold"][0], curve["recall"][0], curve["dropped_share"][0]) == (0, 1, 0)
    assert np.all(np.diff(curve["recall"]) <= 0)
    assert np.all(np.diff(curve["dropped_share"]) >= 0)
    place = len(curve["threshold"]) // 2
    said = these.at(curve["threshold"][place])
    assert curve["recall"][place] == pytest.approx(said.recall)
    assert curve["dropped_share"][place] == said.dropped_share  # both are shown: to the last bit
    assert (curve["low"][place], curve["high"][place]) == pytest.approx(said.recall_ci95)
    pr = these.precision_recall()
    rows, at = these.truth >= 0, pr["threshold"][len(pr["threshold"]) // 2]
    keep, wanted = (these.score >= at) | these.unfamiliar, these.truth == 1
    place = pr["threshold"].index(at)
    assert pr["precision"][place] == pytest.approx(precision_score(wanted[rows], keep[rows]))
    assert pr["recall"][place] == pytest.approx(recall_score(wanted[rows], keep[rows]))


def test_curves_at_thresholds_one_asks_for():
    these = ten()
    asked = [0.25, 0.6]
    kept, precise = these.kept_dropped(asked), these.precision_recall(asked)
    assert kept["threshold"] == precise["threshold"] == asked
    for place, threshold in enumerate(asked):
        said = these.at(threshold)
        assert kept["recall"][place] == precise["recall"][place] == pytest.approx(said.recall)
        assert kept["dropped_share"][place] == pytest.approx(said.dropped_share)


def test_impossible_thresholds():
    with pytest.raises(RangeError, match=r"threshold is 1.5; expected 0 to 1"):
        ten().at(1.5)
    with pytest.raises(RangeError, match="threshold is nan"):
        ten().at(float("nan"))


def test_arrays_that_do_not_fit():
    with pytest.raises(ShapeError, match="10 images, arrays of"):
        replace(ten(), score=np.zeros(9))
    with pytest.raises(ShapeError, match="labels of one side are missing"):
        replace(ten(), truth=np.ones(10, np.int8))
