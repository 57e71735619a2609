"""What may be promised: bounds against scipy's, thresholds counted by hand, and kept promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from core.errors import RangeError, ShapeError
from core.promise import (
    SLACK,
    design_effect,
    interval,
    labels_needed,
    lower_bound,
    promise,
)


@given(n=st.integers(1, 400), data=st.data())
def test_bounds_are_those_of_scipy(n: int, data: st.DataObject):
    kept = data.draw(st.integers(0, n))
    test = binomtest(kept, n, alternative="greater")
    assert lower_bound(kept, n) == pytest.approx(test.proportion_ci(0.95).low, abs=1e-9)
    both = binomtest(kept, n).proportion_ci(0.95)
    assert interval(kept, n) == pytest.approx((both.low, both.high), abs=1e-9)


@given(n=st.integers(2, 400), effect=st.floats(1, 10), data=st.data())
def test_samples_make_a_bound_lower_never_higher(n: int, effect: float, data: st.DataObject):
    kept = data.draw(st.integers(1, n))
    assert lower_bound(kept, n, effect=effect) <= lower_bound(kept, n) + 1e-12
    assert lower_bound(2 * kept, 2 * n, effect=2) == pytest.approx(lower_bound(kept, n), abs=1e-9)


def test_threshold_counted_by_hand():
    # 4 of 100 may be lost at 0.9: the interval of 96 begins at 0.9007, that of 95 at 0.8872
    score = np.arange(1, 101) / 101
    said = promise(score, 0.9)
    assert (said.promised, said.labels_needed, said.kept, said.n) == (True, 0, 96, 100)
    assert said.threshold == pytest.approx(5 / 101 - SLACK)
    assert said.recall == 0.96
    assert said.interval == interval(96, 100)


def test_one_sided_where_two_sided_is_out_of_reach():
    # 300 of 300: one-sided lower bound 0.9901, two-sided 0.9878
    score = np.linspace(0.2, 1, 300)
    said = promise(score, 0.99)
    assert said.promised
    assert said.kept == 300
    assert said.threshold == pytest.approx(0.2 - SLACK)
    assert said.interval[0] < 0.99


@given(n=st.integers(1, 298), seed=st.integers(0, 1000))
def test_not_promised_says_how_many_more(n: int, seed: int):
    score = np.random.default_rng(seed).random(n)
    said = promise(score, 0.99)
    assert not said.promised
    assert said.labels_needed == 299 - n
    assert (score >= said.threshold).mean() >= 0.99  # the estimate itself reaches the target
    assert said.kept == (score >= said.threshold).sum()


@given(
    target=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
    effect=st.floats(1, 8),
    n=st.integers(1, 900),
    seed=st.integers(0, 1000),
)
def test_a_promise_is_proved(target: float, effect: float, n: int, seed: int):
    score = np.random.default_rng(seed).random(n)
    said = promise(score, target, effect=effect)
    assert said.promised == (lower_bound(n, n, effect=effect) >= target)
    assert said.promised == (said.labels_needed == 0)
    if said.promised:
        assert lower_bound(said.kept, n, effect=effect) >= target
    else:
        more = n + said.labels_needed
        assert lower_bound(more, more, effect=effect) >= target - 1e-9
        assert lower_bound(more - 1, more - 1, effect=effect) < target


def test_what_is_kept_anyway_counts_as_kept():
    score = np.concatenate([np.full(50, np.inf), np.linspace(0.1, 0.9, 50)])
    assert promise(score, 0.9).threshold == promise(np.sort(score), 0.9).threshold
    assert promise(np.full(40, np.inf), 0.9).threshold == pytest.approx(1 - SLACK)


def test_the_bound_holds_though_the_threshold_was_chosen_on_the_same_scores():
    # true recall of a chosen threshold u of uniform scores is 1 - u; 0.95 of promises are to hold
    rng = np.random.default_rng(5)
    true = np.array([1 - promise(rng.random(150), 0.9).threshold for _ in range(2000)])
    assert 0.96 < (true >= 0.9).mean() < 0.99  # 0.975 and a little: whole images only


def test_design_effect_by_hand():
    # 40 images in 4 samples of 10, the lowest 4 scores all in one: p = 0.1, excess 3, -1, -1, -1
    score = np.array([0.0] * 4 + [1.0] * 36)
    # variance 4/3 * 12 / 1600 = 0.01 against 0.09 / 40
    assert design_effect(score, np.arange(40) // 10) == pytest.approx(0.01 / 0.00225)
    assert design_effect(np.ones(40), np.arange(40) // 10) == 1
    assert design_effect(score, np.zeros(40, int)) == 1
    spread = np.array([0.0, *[1.0] * 9] * 4)
    assert design_effect(spread, np.arange(40) // 10) == 1


def test_needed_labels():
    assert labels_needed(100, 0.99, effect=2) == 597 - 100
    assert labels_needed(59, 0.95) == 0
    assert labels_needed(58, 0.95) == 1


@pytest.mark.parametrize("target", [0.4, 1.0, float("nan")])
def test_impossible_targets(target: float):
    with pytest.raises(RangeError, match=r"target recall is .*; expected 0.5 to 0.999"):
        promise(np.ones(3), target)


def test_no_wanted_image():
    with pytest.raises(ShapeError, match="no wanted image has a score"):
        promise(np.zeros(0), 0.9)
