"""Which screen comes next, and where a set that grows goes on."""

from __future__ import annotations

import numpy as np
import pytest

from core.arrays import Vectors, unit_rows
from core.errors import NotFoundError, RangeError
from core.queueing import STRATEGIES, grow, next_screen, stop_hint
from core.suggestions import suggest

SIZES = {"chain": 60, "copepod": 40, "fibre": 20}


def made_up(*, noise: float = 0.2) -> tuple[Vectors, list[str], dict[str, str]]:
    """Three groups of different size around an axis each: vectors, ids, truth."""
    rng = np.random.default_rng(0)
    axes = np.repeat(np.arange(3), list(SIZES.values()))
    vectors = unit_rows(np.eye(12)[axes] + noise * rng.normal(size=(len(axes), 12)))
    ids = [f"{name}/{n}" for name, many in SIZES.items() for n in range(many)]
    return vectors, ids, {id: id.split("/")[0] for id in ids}


def kinds_of(ids: list[str]) -> set[str]:
    return {id.split("/")[0] for id in ids}


def test_with_no_labels_it_begins_in_the_middle_of_the_largest_cluster():
    vectors, ids, _ = made_up()
    clusters = [sorted(SIZES).index(id.split("/")[0]) for id in ids]
    made = suggest(vectors, ids, {}, clusters=clusters, seed=0)
    screen = next_screen(made, "sure", 10)
    assert screen.label is None and len(screen.ids) == 10
    assert kinds_of(screen.ids) == {"chain"}
    assert "middle of cluster 0" in screen.why
    middle = vectors[:60].mean(axis=0)
    nearest = np.argsort(-(vectors[:60] @ middle), kind="stable")[:10]
    assert screen.ids == [ids[row] for row in nearest]
    assert screen.confidence == [None] * 10


def test_with_neither_labels_nor_clusters_it_begins_with_what_is_alike():
    vectors, ids, _ = made_up()
    screen = next_screen(suggest(vectors, ids, {}, seed=0), "sure", 10)
    assert len(kinds_of(screen.ids)) == 1 and len(screen.ids) == 10


def test_sure_shows_a_full_screen_of_one_label_surest_first():
    vectors, ids, truth = made_up()
    known = {id: truth[id] for id in ids[::2]}
    made = suggest(vectors, ids, known, seed=0)
    screen = next_screen(made, "sure", 12)
    assert screen.label is not None
    assert kinds_of(screen.ids) == {screen.label} and len(screen.ids) == 12
    said = [c for c in screen.confidence if c is not None]
    assert said == sorted(said, reverse=True) and len(said) == 12
    assert screen.likeliest[0][0] == (screen.label, screen.confidence[0])
    assert f"should be {screen.label}" in screen.why
    assert next_screen(made, "sure", 12) == screen


def test_sure_prefers_the_large_group_to_the_small_one():
    vectors, ids, truth = made_up()
    known = {id: truth[id] for id in ids[::2]}
    left = set(ids) - set(known)
    few = {id for id in left if id.startswith("chain")} - {"chain/1", "chain/3"}
    made = suggest(vectors, ids, known, seed=0)
    assert next_screen(made, "sure", 40, skip=few).label == "copepod"


def test_what_is_skipped_is_not_shown_and_the_queue_ends():
    vectors, ids, truth = made_up()
    made = suggest(vectors, ids, {id: truth[id] for id in ids[::2]}, seed=0)
    for strategy in STRATEGIES:
        passed: set[str] = set()
        while (screen := next_screen(made, strategy, 7, skip=passed)).ids:
            assert len(screen.ids) <= 7 and not passed & set(screen.ids)
            passed |= set(screen.ids)
        assert passed == set(made.ids)
        assert "every image is decided" in screen.why


def test_new_shows_what_nothing_labelled_is_like():
    vectors, ids, truth = made_up()
    known = {id: truth[id] for id in ids if not id.startswith("fibre")}
    known = dict(list(known.items())[::2])
    made = suggest(vectors, ids, known, seed=0)
    screen = next_screen(made, "new", 8)
    assert kinds_of(screen.ids) == {"fibre"} and screen.label is None
    assert "new kind" in screen.why
    assert "fibre" not in kinds_of(next_screen(made, "sure", 50).ids)


def test_borderline_shows_what_lies_between():
    rng = np.random.default_rng(0)
    axes = np.repeat([0, 1], 60)
    between = np.tile([[1.0, 0.9, 0, 0, 0, 0]], (12, 1))
    vectors = unit_rows(
        np.concatenate([np.eye(6)[axes], between]) + 0.1 * rng.normal(size=(132, 6))
    )
    ids = [f"{'ab'[axis]}/{n}" for n, axis in enumerate(axes)] + [f"mid/{n}" for n in range(12)]
    known = {id: id[0] for id in ids[:120:2]} | {"mid/0": "a", "mid/1": "b", "mid/2": "a"}
    made = suggest(vectors, ids, known, seed=0)
    made.unfamiliar[:] = False
    screen = next_screen(made, "borderline", 4)
    assert kinds_of(screen.ids) == {"mid"}
    assert screen.label in ("a", "b") and "between" in screen.why


def test_a_strategy_with_nothing_left_hands_over():
    vectors, ids, truth = made_up()
    known = {id: truth[id] for id in ids[::2]}
    made = suggest(vectors, ids, known, floor=1.0, seed=0)
    made.unfamiliar[:] = False
    screen = next_screen(made, "sure", 5)
    assert (screen.label, screen.strategy) == (None, "new") and len(screen.ids) == 5


def test_what_cannot_be_asked_is_refused():
    vectors, ids, _ = made_up()
    made = suggest(vectors, ids, {}, seed=0)
    with pytest.raises(RangeError, match="expected one of sure, borderline, new"):
        next_screen(made, "best", 5)
    with pytest.raises(RangeError, match="screen of 0 images"):
        next_screen(made, "sure", 0)
    with pytest.raises(RangeError, match="screen of 0 images"):
        grow(vectors, ids, [ids[0]], undecided=ids, size=0)
    with pytest.raises(NotFoundError, match="no image 'elsewhere' among these 120"):
        grow(vectors, ids, ["elsewhere"], undecided=ids, size=5)


def test_growing_shows_the_nearest_undecided_and_turns_from_the_rejected():
    angles = np.radians([0, 10, 20, -15, -25, 90])
    vectors = unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    ids = ["seed", "up10", "up20", "down15", "down25", "far"]
    undecided = ["up10", "up20", "down15", "down25"]
    assert grow(vectors, ids, ["seed"], undecided=undecided, size=3) == ["up10", "down15", "up20"]
    # 0.2 of a rejected image at -25 degrees turns the direction up by about 6
    turned = grow(vectors, ids, ["seed"], undecided=undecided, rejected=["down25"], size=9)
    assert turned == ["up10", "up20", "down15"]
    assert grow(vectors, ids, ["seed"], undecided=[], size=3) == []


def test_equally_near_images_come_by_id():
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]
    assert grow(vectors, ["s", "c", "a", "b"], ["s"], undecided=["a", "b", "c"], size=2) == [
        "a",
        "b",
    ]


def test_the_hint_looks_at_the_last_two_screens():
    assert stop_hint([(24, 24)]) is None
    assert stop_hint([(24, 24), (12, 24), (12, 24)]) is None
    hint = stop_hint([(0, 24), (13, 24), (12, 24)])
    assert hint is not None and hint.startswith("25 of the last 48 were rejected")


def test_a_small_sure_group_waits_while_something_new_fills_more():
    vectors, ids, truth = made_up()
    known = {id: truth[id] for id in ids if not id.startswith("fibre")}
    few = {id: known[id] for id in list(known)[:96]}  # 4 of 100 are left, and 20 fibres
    made = suggest(vectors, ids, few, seed=0)
    assert next_screen(made, "sure", 20).strategy == "new"
    assert next_screen(made, "sure", 4).strategy == "sure"
