"""The checks every stage shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import arrays
from core.arrays import check_vectors, unit_rows
from core.errors import ShapeError


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40), d=st.integers(1, 20))
def test_unit_rows_pass_the_check(seed: int, n: int, d: int):
    rows = np.random.default_rng(seed).normal(size=(n, d)) * 1e6
    check_vectors(unit_rows(rows), rows=n, dimension=d)


def test_a_wrong_row_beyond_the_first_block_is_named(monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 4)
    vectors = np.tile(np.array([1, 0], np.float32), (10, 1))
    vectors[7] = [0.5, 0]
    with pytest.raises(ShapeError, match=r"row 7 has length 0\.5"):
        check_vectors(vectors)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(value: float):
    vectors = np.array([[value, 0]], np.float32)
    with pytest.raises(ShapeError):
        check_vectors(vectors)
    with pytest.raises(ShapeError, match="NaN or infinity"):
        unit_rows(vectors)


def test_shape_type_and_counts_are_checked():
    eye = np.eye(3, dtype=np.float32)
    with pytest.raises(ShapeError, match="float64"):
        check_vectors(eye.astype(np.float64))
    with pytest.raises(ShapeError, match="3 vectors for 4 images"):
        check_vectors(eye, rows=4)
    with pytest.raises(ShapeError, match="expected 5"):
        check_vectors(eye, dimension=5)
