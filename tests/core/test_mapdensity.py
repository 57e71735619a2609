"""Shades under dense parts: each point counted once, the filter kept, darkest where most are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RangeError
from core.mapdensity import CELLS, counted, density


def cloud(seed: int, n: int, wide: float = 1.0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(n, 2)) * (wide, 1.0)
    return points.astype(np.float32)


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(0, 200), cells=st.integers(1, 40),
    wide=st.sampled_from([0.0, 0.01, 1.0, 300.0]),
)  # fmt: skip
def test_every_point_is_counted_in_its_cell(seed, n, cells, wide):
    points = cloud(seed, n, wide)
    counts, x, y = counted(points, cells=cells)
    assert counts.sum() == n
    assert max(counts.shape) <= cells + 1
    if n:
        assert x[0] <= points[:, 0].min() and points[:, 0].max() <= x[1]
        assert y[0] <= points[:, 1].min() and points[:, 1].max() <= y[1]
        side = (x[1] - x[0]) / counts.shape[1]
        assert (y[1] - y[0]) / counts.shape[0] == pytest.approx(side)


def test_what_does_not_pass_is_not_counted_and_moves_nothing():
    points = cloud(1, 900)
    among = points[:, 0] > 0.3
    every, x, y = counted(points)
    some, *ends = counted(points, among)
    assert ends == [x, y]
    assert some.shape == every.shape and (some <= every).all()
    assert some.sum() == among.sum()
    middle = some.shape[1] * (0.25 - x[0]) / (x[1] - x[0])
    assert some[:, : int(middle)].sum() == 0


def test_the_darkest_is_where_most_are():
    thick = cloud(5, 2_000) * 0.3 + (10, 0)
    made = density(np.vstack([cloud(2, 400), thick, [[-10, 5]]]).astype(np.float32))
    row, column = np.unravel_index(made.shades.argmax(), made.shades.shape)
    x = made.x[0] + (column + 0.5) * (made.x[1] - made.x[0]) / made.shades.shape[1]
    y = made.y[0] + (row + 0.5) * (made.y[1] - made.y[0]) / made.shades.shape[0]
    assert (x, y) == (pytest.approx(10, abs=0.4), pytest.approx(0, abs=0.4))
    assert made.shades.max() == 255
    assert made.shades[0, 0] == 0
    assert max(made.shades.shape) == CELLS


def test_a_heap_of_copies_leaves_the_rest_to_be_seen():
    rest = cloud(3, 4_000)
    heap = np.zeros((100_000, 2), np.float32)
    made = density(np.vstack([rest, heap]))
    assert np.count_nonzero(made.shades > 60) > 200


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_handful(n):
    made = density(cloud(4, n))
    assert (made.shades.max() > 0) == (n > 0)
    assert np.isfinite([*made.x, *made.y]).all() and made.x[0] < made.x[1]
    none = density(cloud(4, n), np.zeros(n, bool))
    assert none.shades.max() == 0


def test_no_cells():
    with pytest.raises(RangeError, match="expected at least 1"):
        counted(cloud(0, 3), cells=0)
