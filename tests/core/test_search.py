from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import neighbours
from core.arrays import Vectors, unit_rows
from core.errors import NotFoundError, RangeError, ShapeError
from core.search import Match, collapse_identical, mean_direction, nearest

AXES = np.eye(3, dtype=np.float32)


def _brute_force(vectors: Vectors, ids: list[str], query: np.ndarray, k: int) -> list:
    """Every distance in float64, sorted whole."""
    wide, one = vectors.astype(np.float64), query.astype(np.float64)
    cosine = (wide * one).sum(1) / np.sqrt((wide**2).sum(1) * (one**2).sum())
    distances = np.round(np.clip(1 - cosine, 0, 2), 6) + 0.0
    return sorted(zip(distances.tolist(), ids, strict=True))[:k]


def _with_copies(seed: int, n: int, dimension: int) -> tuple[Vectors, list[str]]:
    """Few different vectors, some of them all but equal, and ids in no order."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(max(1, n // 4), dimension))
    rows = kinds[rng.integers(0, len(kinds), n)]
    nudged = rng.random(n) < 0.3
    rows[nudged] += rng.normal(scale=1e-6, size=(int(nudged.sum()), dimension))
    return unit_rows(rows), [f"i{number}" for number in rng.permutation(n)]


def test_counted_by_hand():
    vectors = unit_rows(np.array([[1, 0], [0, 1], [-1, 0], [1, 1]]))
    found = nearest(vectors, ["east", "north", "west", "between"], vectors[0], k=4)
    assert found == [
        Match("east", 0.0, 0),
        Match("between", 0.292893, 3),  # 1 - 1 / sqrt(2)
        Match("north", 1.0, 1),
        Match("west", 2.0, 2),
    ]


def test_the_item_itself_comes_before_its_duplicates():
    vectors = AXES[[0, 0, 0, 1]]
    found = nearest(vectors, ["d", "a", "c", "b"], vectors[0], k=3, self_id="c")
    assert [(match.id, match.distance) for match in found] == [("c", 0.0), ("a", 0.0), ("d", 0.0)]
    assert found[0].row == 2


def test_the_item_itself_is_first_even_when_others_only_are_searched():
    found = nearest(AXES, ["a", "b", "c"], AXES[0], k=2, rows=np.array([2, 1]), self_id="a")
    assert [match.id for match in found] == ["a", "b"]


def test_only_the_rows_asked_for():
    found = nearest(AXES, ["a", "b", "c"], AXES[0], k=5, rows=np.array([2, 1, 2]))
    assert [(match.id, match.row) for match in found] == [("b", 1), ("c", 2)]
    assert nearest(AXES, ["a", "b", "c"], AXES[0], k=5, rows=np.array([], np.int64)) == []


def test_distances_are_neither_negative_nor_minus_zero():
    vectors = unit_rows(np.random.default_rng(0).normal(size=(200, 48)))
    for row in range(200):
        found = nearest(vectors, [str(number) for number in range(200)], vectors[row], k=1)
        assert (found[0].row, str(found[0].distance)) == (row, "0.0")


def test_more_than_there_are_gives_all_and_none_gives_none():
    assert len(nearest(AXES, ["a", "b", "c"], AXES[0], k=25)) == 3
    assert nearest(np.empty((0, 3), np.float32), [], AXES[0], k=25) == []


def test_ties_at_the_last_place_break_by_id():
    vectors = np.repeat(AXES[:1], 50, axis=0)
    ids = [f"{number:02d}" for number in range(49, -1, -1)]
    assert [match.id for match in nearest(vectors, ids, AXES[0], k=3)] == ["00", "01", "02"]


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    dimension=st.integers(1, 20),
    k=st.integers(1, 70),
)
def test_as_brute_force_in_float64(seed: int, n: int, dimension: int, k: int):
    vectors, ids = _with_copies(seed, n, dimension)
    query = vectors[seed % n]
    found = nearest(vectors, ids, query, k=k)
    assert [(match.distance, match.id) for match in found] == _brute_force(vectors, ids, query, k)
    assert all(ids[match.row] == match.id for match in found)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 40))
def test_row_order_does_not_matter(seed: int, k: int):
    vectors, ids = _with_copies(seed, 40, 8)
    order = np.random.default_rng(seed).permutation(40)
    before = nearest(vectors, ids, vectors[0], k=k, self_id=ids[0])
    after = nearest(vectors[order], [ids[row] for row in order], vectors[0], k=k, self_id=ids[0])
    assert [(m.id, m.distance) for m in after] == [(m.id, m.distance) for m in before]


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 40))
def test_some_rows_are_as_a_smaller_matrix(seed: int, k: int):
    vectors, ids = _with_copies(seed, 40, 8)
    rows = np.random.default_rng(seed).choice(40, 15, replace=False)
    found = nearest(vectors, ids, vectors[0], k=k, rows=rows)
    smaller = nearest(vectors[rows], [ids[row] for row in rows], vectors[0], k=k)
    assert [(m.id, m.distance) for m in found] == [(m.id, m.distance) for m in smaller]
    assert {match.row for match in found} <= set(rows.tolist())


def test_blocks_and_a_memory_map_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    vectors, ids = _with_copies(3, 300, 8)
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    whole = nearest(vectors, ids, vectors[7], k=40)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 7 * 8 * 4)
    assert nearest(mapped, ids, mapped[7], k=40) == whole


def test_forty_thousand_vectors_with_planted_copies():
    rng = np.random.default_rng(1)
    vectors = unit_rows(rng.normal(size=(40_000, 32)).astype(np.float32))
    copies = rng.choice(40_000, 30, replace=False)
    vectors[copies] = vectors[copies[0]]
    ids = [f"{number:05d}" for number in range(40_000)]
    own = ids[copies.max()]
    found = nearest(vectors, ids, vectors[copies[0]], k=25, self_id=own)
    others = sorted({ids[row] for row in copies} - {own})[:24]
    assert [match.id for match in found] == [own, *others]
    assert {match.distance for match in found} == {0.0}
    far = nearest(vectors, ids, vectors[123], k=100)
    assert [(m.distance, m.id) for m in far] == _brute_force(vectors, ids, vectors[123], 100)


def test_errors_say_what_came_and_what_was_expected():
    ids = ["a", "b", "c"]
    with pytest.raises(RangeError, match="k is 0; expected at least 1"):
        nearest(AXES, ids, AXES[0], k=0)
    with pytest.raises(ShapeError, match="3 vectors for 2 ids; expected one each"):
        nearest(AXES, ids[:2], AXES[0], k=1)
    with pytest.raises(ShapeError, match="vectors have 2 numbers; expected 3"):
        nearest(AXES, ids, np.array([1, 0], np.float32), k=1)
    with pytest.raises(ShapeError, match=r"the query is \(1, 3\); expected \(3,\)"):
        nearest(AXES, ids, AXES[:1], k=1)
    with pytest.raises(ShapeError, match=r"length 2; expected unit-length"):
        nearest(AXES, ids, 2 * AXES[0], k=1)
    with pytest.raises(ShapeError, match=r"vectors are float64 \(3, 3\); expected float32"):
        nearest(AXES.astype(np.float64), ids, AXES[0], k=1)
    with pytest.raises(NotFoundError, match="no image 'z' among these 3; choose an id"):
        nearest(AXES, ids, AXES[0], k=1, self_id="z")
    for row in (-1, 3):
        with pytest.raises(RangeError, match=f"no row {row}; expected 0 to 2"):
            nearest(AXES, ids, AXES[0], k=1, rows=np.array([row, 1]))


def test_identical_content_is_collapsed_and_counted():
    matches = [Match(name, distance, row) for row, (name, distance) in enumerate(
        [("a", 0.0), ("b", 0.0), ("c", 0.1), ("d", 0.2), ("e", 0.3), ("f", 0.3)]
    )]  # fmt: skip
    hashes = {"a": "x", "b": "x", "c": "y", "d": "x", "y": "other"}
    kept = collapse_identical(matches, hashes)
    assert [(match.id, match.copies) for match in kept] == [("a", 3), ("c", 1), ("e", 1), ("f", 1)]
    assert kept[1] is matches[2]
    again = collapse_identical(kept, hashes)
    assert again == kept
    assert collapse_identical([], {}) == []


def test_an_image_without_a_hash_is_never_another_ones_copy():
    matches = [Match("a", 0.0, 0), Match("x", 0.1, 1)]
    assert collapse_identical(matches, {"a": "x"}) == matches


def test_more_like_these_points_between_them():
    half = np.sqrt(0.5)
    assert mean_direction(AXES, [0, 1]) == pytest.approx([half, half, 0])
    assert mean_direction(AXES, [1]).dtype == np.float32
    away = mean_direction(AXES, [0], [2])
    assert away == pytest.approx(np.array([1, 0, -0.2]) / np.sqrt(1.04))


def test_more_like_nothing_is_an_error():
    with pytest.raises(RangeError, match="no image is chosen; expected at least 1"):
        mean_direction(AXES, [])
    with pytest.raises(RangeError, match="the 2 chosen images point in opposite directions"):
        mean_direction(np.array([[1, 0], [-1, 0]], np.float32), [0, 1])
    with pytest.raises(RangeError, match="no row 9; expected 0 to 2"):
        mean_direction(AXES, [0], [9])
