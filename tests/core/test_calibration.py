"""What a confidence is worth: reliability counted by hand, calibration on drawn outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calibration import Calibration, TrackRecord, held_out, reliability, spread_folds
from core.errors import RangeError, ShapeError


def test_reliability_is_counted_by_bins():
    said = np.array([0.05, 0.95, 0.95, 0.85, 1.0])
    table = reliability(said, np.array([False, True, False, True, True]))
    assert table.n == [1, 1, 3]
    assert table.said == pytest.approx([0.05, 0.85, 2.9 / 3])
    assert table.right == pytest.approx([0, 1, 2 / 3])
    assert table.error == pytest.approx((0.05 + 0.15 + 3 * 0.3) / 5)
    assert table.images == 5


def test_reliability_refuses_what_is_no_confidence():
    with pytest.raises(RangeError, match="expected 0 to 1"):
        reliability(np.array([1.2]), np.array([True]))
    with pytest.raises(ShapeError, match="expected one each"):
        reliability(np.array([0.5]), np.array([True, False]))
    with pytest.raises(ShapeError, match="expected one each"):
        reliability(np.empty(0), np.empty(0, dtype=bool))


def test_overconfidence_is_put_right():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.5, 1, 4000)
    right = rng.random(4000) < score - 0.3
    assert reliability(score, right).error > 0.25
    assert held_out(score, right, np.arange(4000) % 5).error < 0.05


def test_scores_that_say_nothing_get_the_share_that_is_right():
    rng = np.random.default_rng(1)
    right = rng.random(2000) < 0.7
    said = Calibration.fit(rng.random(2000), right)(np.array([0.1, 0.9]))
    assert said == pytest.approx([0.7, 0.7], abs=0.07)


def test_a_larger_score_is_never_trusted_less():
    score = np.linspace(0.1, 0.9, 100)
    said = Calibration.fit(score, score < 0.5)(score)
    assert (np.diff(said) >= 0).all()


def test_few_labels_that_are_all_right_promise_no_certainty():
    said = Calibration.fit(np.full(10, 0.9), np.ones(10, dtype=bool))(np.array([0.9]))
    assert said == pytest.approx(11 / 12, abs=0.01)


@given(seed=st.integers(0, 2**32 - 1), slope=st.floats(0, 3), offset=st.floats(-3, 3))
def test_the_likeliest_stays_first_and_a_row_sums_to_at_most_one(
    seed: int, slope: float, offset: float
):
    shares = np.random.default_rng(seed).dirichlet(np.ones(5), 20).astype(np.float32)
    shares = -np.sort(-shares, axis=1)
    spread = Calibration(slope, offset).spread(shares)
    assert (np.diff(spread, axis=1) <= 1e-6).all()
    assert (spread.sum(axis=1) <= 1 + 1e-4).all()
    assert (spread >= 0).all()


def test_every_kind_is_spread_over_the_folds():
    codes = np.repeat([0, 1, 2], [10, 5, 20])
    folds = spread_folds(codes, 5, seed=3)
    for kind, each in ((0, 2), (1, 1), (2, 4)):
        assert np.bincount(folds[codes == kind]).tolist() == [each] * 5


def test_a_track_record_takes_back_what_was_promised_too_much():
    rng = np.random.default_rng(0)
    record = TrackRecord()
    assert record.shift == 0
    said = rng.uniform(0.6, 0.95, 200)
    true = 1 / (1 + np.exp(-(np.log(said / (1 - said)) - 1)))
    for confidence, right in zip(said, rng.random(200) < true, strict=True):
        record.add(confidence, right)
    assert record.shift == pytest.approx(-1, abs=0.3)
    again = TrackRecord()  # shown with the shift, they come out as they were said
    for confidence, right in zip(true, rng.random(200) < true, strict=True):
        again.add(confidence, right, shift=record.shift)
    assert again.shift == pytest.approx(record.shift, abs=0.35)


def test_a_few_answers_move_little():
    record = TrackRecord()
    for _ in range(3):
        record.add(0.9, False)
    assert -1 < record.shift < -0.1
    record.forget(2)
    record.forget(5)
    assert record.shift == 0


def test_only_the_latest_answers_count():
    record = TrackRecord()
    for right in [False] * 500 + [True] * TrackRecord.LATEST:
        record.add(0.9, right)
    assert record.shift > 0
