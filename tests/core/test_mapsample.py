"""What is drawn of a large map: the rare whole, the rest in proportion, the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RangeError, ShapeError
from core.mapsample import WHOLE, apart, sample_rows, shares, small_groups

N = 30_000
LIMIT = 6_000


@pytest.fixture(scope="module")
def place() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(N, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def groups() -> np.ndarray:
    """Five large groups, of 1 to 5 parts, and three of 20 points."""
    sizes = np.array([1, 2, 3, 4, 5]) * (N - 60) // 15
    sizes[-1] += N - 60 - sizes.sum()
    codes = np.repeat(np.arange(8), [*sizes, 20, 20, 20])
    return np.random.default_rng(2).permutation(codes)


def test_few_points_are_all_drawn(place, groups):
    assert sample_rows(place[:50], groups[:50], limit=50).tolist() == list(range(50))
    assert sample_rows(place[:0], groups[:0], limit=0).tolist() == []


def test_as_many_as_asked_for_in_order_and_the_same_again(place, groups):
    rows = sample_rows(place, groups, limit=LIMIT)
    assert len(rows) == LIMIT
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(place, groups, limit=LIMIT))
    other = sample_rows(place, groups, limit=LIMIT, seed=1)
    assert len(other) == LIMIT and not np.array_equal(rows, other)
    assert len(sample_rows(place, groups, limit=0)) == 0


def test_small_groups_are_whole_and_large_ones_in_proportion(place, groups):
    rows = sample_rows(place, groups, limit=LIMIT)
    drawn, sizes = np.bincount(groups[rows]), np.bincount(groups)
    assert drawn[5:].tolist() == [20, 20, 20]
    assert (drawn[:5] >= WHOLE).all()
    beyond = drawn[:5] - WHOLE  # each has its floor, what is left follows the sizes
    expected = (sizes[:5] - WHOLE) / (sizes[:5] - WHOLE).sum() * beyond.sum()
    assert beyond == pytest.approx(expected, rel=0.15)


def test_what_is_asked_for_is_there(place, groups):
    labelled = np.zeros(N, bool)
    labelled[np.random.default_rng(3).choice(N, 900, replace=False)] = True
    clusters = np.full(N, -1)
    clusters[100:130] = 7
    clusters[130:140] = 9
    clusters[5_000:9_000] = 3
    rows = sample_rows(place, groups, limit=LIMIT, always=[labelled], whole=[clusters])
    assert set(np.flatnonzero(labelled)) <= set(rows.tolist())
    assert set(range(100, 140)) <= set(rows.tolist())
    assert len(rows) == LIMIT


def test_more_wishes_than_places(place, groups):
    every = np.ones(N, bool)
    pairs = np.arange(N) // 2
    rows = sample_rows(place, groups, limit=200, always=[every] * 9, whole=[pairs] * 9)
    assert len(rows) == 200
    rows = sample_rows(place, groups, limit=LIMIT, always=[every])
    assert np.bincount(groups[rows])[5:].tolist() == [20, 20, 20]


def test_points_that_lie_apart_are_drawn(place, groups):
    lonely = place.copy()
    lonely[:40] = np.column_stack([np.arange(40) * 3.0, np.full(40, 60.0)])
    found = apart(lonely)
    assert set(range(40)) <= set(found.tolist())
    rows = sample_rows(lonely, groups, limit=LIMIT)
    assert set(range(40)) <= set(rows.tolist())


def test_who_lies_apart_counted_by_hand():
    heap = np.zeros((10, 2), np.float32)
    pair = np.array([[100, 0], [100.1, 0]], np.float32)
    alone = np.array([[50, 50]], np.float32)
    assert apart(np.vstack([heap, pair, alone])).tolist() == [12, 10, 11]
    assert apart(heap).tolist() == []  # all in one place


def test_small_groups_fit_or_are_left_out():
    codes = np.repeat([0, 1, 2, -1], [5, 3, WHOLE + 1, 4])
    assert small_groups(codes, 100).tolist() == list(range(8))
    assert small_groups(codes, 7).tolist() == [5, 6, 7]
    assert small_groups(codes, 2).tolist() == []
    assert small_groups(np.full(4, -1), 9).tolist() == []


@given(
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=50),
    places=st.integers(0, 20_000),
)
def test_shares_fill_the_places(sizes: list[int], places: int):
    got = shares(np.array(sizes), places)
    assert (got >= 0).all() and (got <= sizes).all()
    assert got.sum() == min(places, sum(sizes))
    larger = np.argsort(sizes, kind="stable")
    assert (np.diff(got[larger]) >= -1).all()  # by rounding only


def test_what_does_not_fit_together(place, groups):
    with pytest.raises(ShapeError, match="one value a point"):
        sample_rows(place, groups[:-1], limit=5)
    with pytest.raises(ShapeError, match="one value a point"):
        sample_rows(place, groups, limit=5, always=[np.ones(3, bool)])
    with pytest.raises(RangeError, match="expected at least 0"):
        sample_rows(place, groups, limit=-1)
