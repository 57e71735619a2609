"""Edits of a clustering: small cases by hand, and any sequence of them replayed and taken back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.edits import (
    NOISE,
    Change,
    Dissolve,
    Edit,
    Merge,
    Move,
    Rename,
    State,
    after,
    fresh_number,
    live,
    replay,
    step,
    touched,
)
from core.errors import CoreError, NotFoundError, RangeError

ORIGINAL = np.array([0, 0, 0, 1, 1, 2, -1, -1], np.int32)
NOTHING = np.zeros(0, np.int64)


def made(
    state: State, change: Change, rows: list[int] | None = None, *, fresh: int = 3
) -> tuple[Edit, State]:
    edit, going = step(
        state, change, np.array(rows or [], np.int64), fresh=fresh, by="me", at="now"
    )
    return edit, after(state, edit, going)


def begun(names: Mapping[int, str] | None = None) -> State:
    return State(ORIGINAL, dict(names or {}))


def test_a_merge_keeps_the_first_number_and_its_name():
    edit, state = made(begun({0: "rods", 1: "discs"}), Merge((1, 0)))
    assert state.labels.tolist() == [1, 1, 1, 1, 1, 2, -1, -1]
    assert state.names == {1: "discs"}
    assert (edit.images, edit.said()) == (3, "merged cluster 0 into cluster 1 (3 images)")
    assert ORIGINAL.tolist() == [0, 0, 0, 1, 1, 2, -1, -1]  # what was computed is left alone


def test_a_merge_into_a_nameless_cluster_keeps_the_name_there_is():
    _, state = made(begun({2: "discs"}), Merge((0, 1, 2)))
    assert state.names == {0: "discs"}
    assert state.sizes == {0: 6}


def test_images_move_to_a_cluster_to_noise_and_to_a_new_one():
    edit, state = made(begun(), Move(("a",), 1), [0, 3, 6])
    assert state.labels.tolist() == [1, 0, 0, 1, 1, 2, 1, -1]
    assert (edit.clusters, edit.images) == ((-1, 0), 2)  # row 3 was there already
    edit, state = made(begun(), Move(("a",), NOISE), [5])
    assert state.sizes == {0: 3, 1: 2}  # an empty cluster is gone; the others keep their numbers
    assert edit.said() == "moved 1 image to noise"
    edit, state = made(begun(), Move(("a",), None), [1, 7])
    assert (edit.into, state.sizes[3]) == (3, 2)


def test_a_cluster_dissolves_to_noise_and_takes_its_name_along():
    edit, state = made(begun({1: "discs"}), Dissolve(1))
    assert state.labels.tolist() == [0, 0, 0, -1, -1, 2, -1, -1]
    assert state.names == {}
    assert edit.said() == "dissolved cluster 1 to noise (2 images)"


def test_a_name_is_given_and_taken_away():
    edit, state = made(begun(), Rename(2, "Bild é"))
    assert (state.names, edit.said()) == ({2: "Bild é"}, "cluster 2 renamed to “Bild é”")
    _, state = made(state, Rename(2, None))
    assert state.names == {}


@pytest.mark.parametrize(
    ("change", "rows", "text"),
    [
        (Merge((0,)), [], "1 cluster is named; expected 2 or more to merge"),
        (Merge((0, 0)), [], "1 cluster is named"),
        (Merge((0, -1)), [], "noise is what is in no cluster; it cannot be merged: dissolve"),
        (Merge((0, 7)), [], "there is no cluster 7; there is 0, 1, 2"),
        (Rename(7, "x"), [], "there is no cluster 7"),
        (Rename(-1, "x"), [], "cannot be named"),
        (Rename(1, None), [], "cluster 1 has no name"),
        (Rename(1, " x"), [], "expected 1 to 80 printable"),
        (Rename(1, "a\nb"), [], "expected 1 to 80 printable"),
        (Rename(1, "x" * 81), [], "expected 1 to 80 printable"),
        (Rename(1, "Cluster 4"), [], "how clusters without a name are called"),
        (Rename(1, "noise"), [], "how clusters without a name are called"),
        (Rename(1, "RODS"), [], "cluster 0 is called 'rods' already; merge the two"),
        (Rename(0, "rods"), [], "cluster 0 is called 'rods' already"),
        (Dissolve(-1), [], "cannot be dissolved"),
        (Dissolve(9), [], "there is no cluster 9"),
        (Move((), 1), [], "no image is chosen; expected images to move to cluster 1"),
        (Move(("a",), 0), [0, 1], "all of them are there already; .* to move to rods"),
        (Move(("a",), 9), [0], "there is no cluster 9"),
    ],
)
def test_what_cannot_be_done(change: Change, rows: list[int], text: str):
    with pytest.raises((RangeError, NotFoundError), match=text):
        made(begun({0: "rods"}), change, rows)


def test_a_number_is_never_used_again():
    assert fresh_number(ORIGINAL, []) == 3
    assert fresh_number(np.full(3, -1, np.int32), []) == 0
    gone = [Edit("move", "me", "", (0,), into=3), Edit("undo", "me", "", (0,), into=3, undoes=0)]
    assert fresh_number(ORIGINAL, gone) == 4


def test_only_what_stands_touches_clusters():
    edits = [Edit("rename", "me", "", (2,), name="x"), Edit("merge", "me", "", (0, 1), into=0)]
    assert touched(edits) == {0, 1}
    undone = [*edits, Edit("undo", "me", "", (0, 1), into=0, undoes=1)]
    assert (touched(undone), live(undone)) == (set(), [0])
    assert touched([Edit("move", "me", "", (-1, 2), into=-1)]) == {2}


def test_an_edit_comes_back_from_json():
    edit = Edit("merge", "me", "now", (1, 2), into=1, images=4)
    assert Edit.from_json(edit.as_json()) == edit


CHANGES = st.one_of(
    st.builds(Rename, st.integers(0, 5), st.sampled_from(["a", "b", "c", None])),
    st.builds(Merge, st.lists(st.integers(0, 5), min_size=2, max_size=3).map(tuple)),
    st.builds(Dissolve, st.integers(0, 5)),
    st.tuples(st.lists(st.integers(0, 7), max_size=5), st.sampled_from([-1, 0, 1, 2, 3, None])),
    st.just("undo"),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CHANGES, max_size=12))
def test_any_edits_replay_and_an_undo_restores_what_was(changes):
    """Every edit is replayed to what it led to; every undo to what was before it, exactly."""
    edits: list[Edit] = []
    moved: dict[int, np.ndarray] = {}
    states = [begun({0: "a"})]
    for change in changes:
        state = states[-1]
        if change == "undo":
            if len(states) == 1:
                continue
            place = live(edits)[-1]
            edits.append(Edit("undo", "me", "", (), undoes=place))
            moved.pop(place, None)
            states.pop()
        else:
            rows = NOTHING
            if isinstance(change, tuple):
                rows = np.unique(np.array(change[0], np.int64))
                change = Move(tuple(map(str, rows)), change[1])
            fresh = fresh_number(ORIGINAL, edits)
            assert fresh not in state.sizes
            try:
                edit, going = step(state, change, rows, fresh=fresh, by="me", at="")
            except CoreError:
                continue
            if edit.what == "move":
                moved[len(edits)] = going
            edits.append(edit)
            states.append(after(state, edit, going))
            assert int((states[-1].labels != state.labels).sum()) == edit.images
            unmoved = set(state.sizes) - {*edit.clusters, edit.into}
            assert all(states[-1].sizes[c] == state.sizes[c] for c in unmoved)
        now = replay(ORIGINAL, {0: "a"}, edits, moved)
        assert now.labels.tolist() == states[-1].labels.tolist()
        assert now.names == states[-1].names
        assert set(now.names) <= set(now.sizes)
        assert sum(now.sizes.values()) + int((now.labels == NOISE).sum()) == len(ORIGINAL)
