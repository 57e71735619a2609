"""Labels looked at again: mistakes made on purpose are found, and nothing is asked twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import checking
from core.arrays import Vectors
from core.checking import KIND_NEEDS, NEEDS, check_labels
from core.errors import RangeError, ShapeError


def groups(sizes: dict[str, int], *, spread: float = 0.25, seed: int = 0) -> tuple[
    Vectors, list[str], dict[str, str]
]:  # fmt: skip
    """A cloud of unit rows for each kind, in directions of their own."""
    chance = np.random.default_rng(seed)
    rows, labels = [], []
    for place, (kind, n) in enumerate(sizes.items()):
        middle = np.zeros(12)
        middle[place] = 1
        rows.append(middle + spread * chance.normal(size=(n, 12)) / np.sqrt(12))
        labels += [kind] * n
    made = np.concatenate(rows)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    ids = [f"{n:03d}" for n in range(len(made))]
    return made.astype(np.float32), ids, dict(zip(ids, labels, strict=True))


SIZES = {"Copepod": 40, "Diatom": 40, "Ciliate": 30}


def test_labels_that_were_swapped_are_found_first_with_their_evidence():
    vectors, ids, known = groups(SIZES)
    truth = dict(known)
    known["003"], known["050"] = "Diatom", "Ciliate"
    found = check_labels(vectors, ids, known, seed=0)
    assert {each.id for each in found.mistakes[:2]} == {"003", "050"}
    assert found.labelled == found.judged == 110
    first = next(each for each in found.mistakes if each.id == "003")
    assert (first.label, first.likelier) == ("Diatom", "Copepod")
    assert first.confident
    assert first.probability > 0.8
    assert first.share < 0.1
    assert first.others[0] == ("Copepod", first.probability)
    assert all(known[id] == "Diatom" for id in first.near_label)
    assert all(known[id] == "Copepod" for id in first.near_likelier)
    assert "003" not in first.near_label
    row = ids.index("003")
    copepods = [id for id in ids if known[id] == "Copepod"]
    near = sorted(copepods, key=lambda id: -vectors[ids.index(id)] @ vectors[row])
    assert list(first.near_likelier) == near[:5]
    assert check_labels(vectors, ids, truth, seed=0).mistakes == []


def test_only_the_first_are_told_where_there_are_many(monkeypatch: pytest.MonkeyPatch):
    vectors, ids, known = groups(SIZES)
    known["003"], known["050"] = "Diatom", "Ciliate"
    every = check_labels(vectors, ids, known, seed=0)
    assert every.more == 0
    monkeypatch.setattr(checking, "MOST_TOLD", 1)
    few = check_labels(vectors, ids, known, seed=0)
    assert (few.mistakes, few.more) == (every.mistakes[:1], len(every.mistakes) - 1)


def test_a_confirmed_label_is_not_asked_again():
    vectors, ids, known = groups(SIZES)
    known["003"] = "Diatom"
    assert [m.id for m in check_labels(vectors, ids, known, seed=0).mistakes] == ["003"]
    again = check_labels(vectors, ids, known, confirmed={"003"}, seed=0)
    assert again.mistakes == []


def test_the_same_picture_under_two_names():
    vectors, ids, known = groups(SIZES)
    vectors[45] = vectors[2]  # a Diatom that is the Copepod 002
    vectors[7] = vectors[8]  # the same kind twice is no disagreement
    found = check_labels(vectors, ids, known, seed=0)
    assert [(g.ids, g.labels) for g in found.duplicates] == [
        (("002", "045"), ("Copepod", "Diatom"))
    ]
    assert found.duplicates[0].distance == pytest.approx(0, abs=1e-6)
    assert found.limit is not None
    one = check_labels(vectors, ids, known, confirmed={"002"}, seed=0)
    assert len(one.duplicates) == 1  # nobody said so of the other
    both = check_labels(vectors, ids, known, confirmed={"002", "045"}, seed=0)
    assert both.duplicates == []


def test_within_a_distance_that_is_given():
    angle = np.array([0.0, 0.1, 0.5])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    known = {"a": "One", "b": "Two", "c": "One"}
    near = check_labels(vectors, ["a", "b", "c"], known, within=0.01, seed=0)
    assert [g.ids for g in near.duplicates] == [("a", "b")]
    assert near.duplicates[0].distance == pytest.approx(1 - np.cos(0.1), abs=1e-6)
    far = check_labels(vectors, ["a", "b", "c"], known, within=0.1, seed=0)
    assert [g.ids for g in far.duplicates] == [("a", "b", "c")]  # one group: b disagrees with both


def test_kinds_in_one_place_overlap_and_say_how_often():
    vectors, ids, known = groups({"Diatom": 40, "Copepod": 60})
    chance = np.random.default_rng(1)
    for id in ids[40:]:  # nobody can tell Calanus from Copepod
        known[id] = "Calanus" if chance.random() < 0.5 else "Copepod"
    found = check_labels(vectors, ids, known, seed=0)
    first = found.overlaps[0]
    assert first.labels == ("Calanus", "Copepod")
    assert first.images == tuple(
        sum(label == kind for label in known.values()) for kind in first.labels
    )
    assert all("Diatom" not in each.labels for each in found.overlaps)
    wrong = dict.fromkeys(first.labels, 0)
    for each in found.mistakes:
        wrong[each.label] += 1
    assert first.confused == (wrong["Calanus"], wrong["Copepod"])
    assert min(first.confused) > 5
    assert 0.2 < first.neighbours[0] < 0.8
    assert set(first.between) <= {id for id in ids if known[id] != "Diatom"}
    assert first.between


def test_too_few_say_what_is_needed():
    vectors, ids, known = groups({"Copepod": 30, "Diatom": 20})
    found = check_labels(vectors, ids, known, seed=0)
    assert f"needs {NEEDS} labels" in found.why["mistakes"]
    assert found.mistakes == found.overlaps == []
    assert "duplicates" not in found.why
    one = check_labels(vectors, ids, dict.fromkeys(ids, "Copepod"), seed=0)
    assert "50 labels of 1 kind" in one.why["duplicates"]
    assert check_labels(vectors, ids, {}, seed=0).labelled == 0


def test_kinds_too_small_are_told_and_accuse_nobody():
    vectors, ids, known = groups({**SIZES, "Rare": KIND_NEEDS - 1})
    found = check_labels(vectors, ids, known, seed=0)
    assert found.why["rare"] == "4 labels of 1 kind with fewer than 5 images cannot be judged"
    assert (found.labelled, found.judged) == (114, 110)
    assert not [m for m in found.mistakes if "Rare" in (m.label, m.likelier)]


def test_what_cannot_be():
    vectors, ids, known = groups(SIZES)
    with pytest.raises(RangeError, match="within is 3; expected a distance of 0 to 2"):
        check_labels(vectors, ids, known, within=3, seed=0)
    with pytest.raises(ShapeError):
        check_labels(vectors, ids[1:], known, seed=0)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_what_is_found_does_not_depend_on_the_order_of_rows(seed: int):
    vectors, ids, known = groups({"A": 6, "B": 6}, spread=1.0, seed=seed)
    order = np.random.default_rng(seed).permutation(len(ids))
    before = check_labels(vectors, ids, known, within=0.3, seed=0)
    after = check_labels(vectors[order], [ids[i] for i in order], known, within=0.3, seed=0)
    assert {frozenset(g.ids) for g in before.duplicates} == {
        frozenset(g.ids) for g in after.duplicates
    }
