"""Points inside a box or a lasso, against a slow check written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RangeError, ShapeError
from core.mapshape import MAX_CORNERS, inside

SQUARE = ([0.0, 4.0, 4.0, 0.0], [0.0, 0.0, 4.0, 4.0])
small = st.integers(-6, 6).map(float)  # corners and points that meet, levels and uprights


def at(*places: tuple[float, float]) -> np.ndarray:
    return np.array(places, np.float32).reshape(-1, 2)


def slowly(px: float, py: float, xs: list[float], ys: list[float]) -> bool:
    """One point against one side after the other."""
    odd = False
    for i in range(len(xs)):
        ax, ay, bx, by = xs[i], ys[i], xs[i - 1], ys[i - 1]
        if (ay > py) != (by > py) and px < (bx - ax) * (py - ay) / (by - ay) + ax:
            odd = not odd
    return odd


@given(
    points=st.lists(st.tuples(small, small), max_size=40),
    corners=st.lists(st.tuples(small, small), min_size=3, max_size=12),
)
def test_like_the_slow_check(points, corners):
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    assert inside(at(*points), xs, ys).tolist() == [slowly(px, py, xs, ys) for px, py in points]


@given(seed=st.integers(0, 2**32 - 1))
def test_like_the_slow_check_where_numbers_are_not_round(seed: int):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 2)).astype(np.float32)
    xs, ys = rng.normal(size=(2, 17)).tolist()
    expected = [slowly(float(px), float(py), xs, ys) for px, py in points]
    assert inside(points, xs, ys).tolist() == expected


def test_a_square_and_a_star_by_hand():
    points = at((1, 1), (5, 1), (3.9, 3.9), (-1, 2), (2, 4.1))
    assert inside(points, *SQUARE).tolist() == [True, False, True, False, False]
    star = ([0, 3, -3, 3, -3], [4, -4, 1, 1, -4])  # the middle is enclosed twice
    assert inside(at((0, 3), (0, 0), (-2, 0.8), (3, 3)), *star).tolist() == [
        True, False, True, False,
    ]  # fmt: skip


def test_a_box_has_its_sides_and_any_two_corners():
    points = at((0, 0), (2, 1), (2.001, 1), (1, 0.5))
    for x, y in (([0, 2], [0, 1]), ([2, 0], [0, 1]), ([2, 0], [1, 0])):
        assert inside(points, x, y).tolist() == [True, True, False, True]


def test_no_points_and_no_area():
    assert inside(at(), *SQUARE).tolist() == []
    assert not inside(at((1, 1)), [0, 2, 4], [0, 2, 4]).any()


@pytest.mark.parametrize(
    ("x", "y", "error", "said"),
    [
        ([], [], ShapeError, "at least 2"),
        ([1], [1], ShapeError, "at least 2"),
        ([1, 2, 3], [1, 2], ShapeError, "one each"),
        ([1, 2, float("nan")], [1, 2, 3], RangeError, "not a finite number"),
        ([1, float("inf")], [1, 2], RangeError, "not a finite number"),
        ([0.0] * (MAX_CORNERS + 1), [0.0] * (MAX_CORNERS + 1), RangeError, "corners"),
    ],
)
def test_what_is_no_shape(x, y, error, said):
    with pytest.raises(error, match=said):
        inside(at((0, 0)), x, y)
