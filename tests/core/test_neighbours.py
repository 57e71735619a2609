"""The largest of each row, found through the maxima of groups of columns."""

from __future__ import annotations

import numpy as np
import pytest

from core.neighbours import largest_columns


@pytest.mark.parametrize(("n", "k"), [(5, 5), (40, 3), (64, 1), (1000, 15), (1003, 15), (999, 999)])
def test_the_largest_are_those_of_a_whole_sort(n: int, k: int) -> None:
    values = np.random.default_rng(n).normal(size=(50, n)).astype(np.float32)

    found = largest_columns(values, k)

    assert found.shape == (50, k)
    assert largest_columns(values[:0], k).shape == (0, k)
    np.testing.assert_array_equal(np.sort(found), np.sort(np.argsort(-values, axis=1)[:, :k]))


def test_equal_values_give_columns_that_are_there_once_each() -> None:
    values = np.zeros((3, 2000), dtype=np.float32)
    values[1, 1990:] = 1

    found = largest_columns(values, 10)

    assert all(len(set(row)) == 10 for row in found.tolist())
    assert sorted(found[1].tolist()) == list(range(1990, 2000))


def test_columns_that_are_left_out_come_last() -> None:
    values = np.full((2, 2000), -np.inf, dtype=np.float32)
    values[0, [7, 1500]] = 0.5, 0.25
    values[1] = np.arange(2000)
    values[1, 1999] = -np.inf

    found = largest_columns(values, 4)

    assert {7, 1500} < set(found[0].tolist()) and len(set(found[0].tolist())) == 4
    assert sorted(found[1].tolist()) == [1995, 1996, 1997, 1998]
