"""Diversity and likeness of samples: by hand, computed otherwise, and as it must behave."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import braycurtis
from scipy.stats import entropy

from core.diversity import alike_order, evenness, rarefied, richness, shannon
from core.errors import RangeError, ShapeError

FIVE = np.array([[10, 5, 5, 0], [20, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
rows = st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=4), min_size=1, max_size=8)


def test_by_hand():
    assert richness(FIVE).tolist() == [3, 1, 4, 0]
    # -(1/2 ln 1/2 + 2 * 1/4 ln 1/4) = 1.5 ln 2
    assert shannon(FIVE)[:3] == pytest.approx([1.5 * math.log(2), 0, math.log(4)])
    assert evenness(FIVE)[[0, 2]] == pytest.approx([1.5 * math.log(2) / math.log(3), 1])
    assert np.isnan(shannon(FIVE)[3])
    assert np.isnan(evenness(FIVE)[[1, 3]]).all()


def test_rarefied_by_hand():
    # of 20 images two are drawn, 190 pairs: 45 miss the other ten, 105 miss five of them
    expected = 3 - 45 / 190 - 2 * 105 / 190
    got = rarefied(FIVE, 2)
    assert got[:3] == pytest.approx([expected, 1, 2])
    assert np.isnan(got[3])
    assert np.isnan(rarefied(FIVE, 5)[2])  # four cannot give five


def test_rarefied_is_the_mean_over_all_draws():
    sample = [0, 0, 0, 1, 1, 2, 3]
    counts = np.array([[3, 2, 1, 1]])
    for n in range(1, len(sample) + 1):
        draws = [len(set(draw)) for draw in combinations(sample, n)]
        assert rarefied(counts, n)[0] == pytest.approx(np.mean(draws))


def test_rarefied_of_many_images_stays_exact():
    counts = np.array([[999_999, 1]])
    assert rarefied(counts, 1000)[0] == pytest.approx(1 + 1000 / 1_000_000, abs=1e-6)


@given(rows)
def test_shannon_is_scipys_entropy(table):
    counts = np.array(table)
    some = counts.sum(axis=1) > 0
    assert shannon(counts)[some] == pytest.approx([entropy(row) for row in counts[some]])
    assert np.isnan(shannon(counts)[~some]).all()


@given(rows, st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_what_holds_of_any_counts(table, n, seed):
    counts = np.array(table)
    rng = np.random.default_rng(seed)
    order, kinds = rng.permutation(len(counts)), rng.permutation(4)
    for figure in (richness, shannon, evenness, lambda c: rarefied(c, n)):
        got = np.asarray(figure(counts), float)
        assert np.asarray(figure(counts[order]), float) == pytest.approx(got[order], nan_ok=True)
        assert np.asarray(figure(counts[:, kinds]), float) == pytest.approx(got, nan_ok=True)
    fewer = rarefied(counts, n)
    enough = counts.sum(axis=1) >= n
    assert (np.isnan(fewer) == ~enough).all()
    assert (fewer[enough] <= np.minimum(richness(counts)[enough], n) + 1e-9).all()
    assert (fewer[enough] >= 1 - 1e-9).all()


def test_like_samples_lie_together():
    rng = np.random.default_rng(0)
    ends = np.array([[60, 30, 5, 5], [5, 5, 30, 60]])
    mix = rng.permutation(np.linspace(0, 1, 12))
    counts = np.array([(ends[0] * m + ends[1] * (1 - m)) * 20 for m in mix]).astype(int)
    counts *= rng.integers(1, 9, (12, 1))  # effort differs, and does not count
    order = alike_order(counts)
    along = mix[order]
    assert along.tolist() in (sorted(mix), sorted(mix, reverse=True))


def test_samples_without_any_come_last():
    assert alike_order(np.zeros((2, 3), int)).tolist() == [0, 1]
    assert alike_order(np.array([[0, 0], [1, 0], [0, 1], [2, 0], [0, 2]])).tolist()[-1] == 0


def test_neighbours_are_as_alike_as_a_tree_allows():
    counts = np.random.default_rng(3).integers(0, 20, (7, 5))
    shares = counts / counts.sum(axis=1, keepdims=True)

    def length(order) -> float:
        return sum(braycurtis(shares[a], shares[b]) for a, b in pairwise(order))

    order = alike_order(counts).tolist()
    assert sorted(order) == list(range(7))
    assert length(order) <= length(range(7))


@pytest.mark.parametrize("figure", [richness, shannon, evenness, alike_order])
def test_what_are_no_counts(figure: Callable):
    with pytest.raises(ShapeError, match=r"expected \(g, k\) whole numbers"):
        figure(np.array([[0.5, 0.5]]))
    with pytest.raises(RangeError, match="-1; expected 0 or more"):
        figure(np.array([[1, -1]]))


def test_nothing_is_drawn_from_nothing():
    with pytest.raises(RangeError, match="rarefied to 0 images"):
        rarefied(FIVE, 0)
