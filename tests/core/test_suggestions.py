"""Suggestions on groups of made-up vectors, and on the drawn sample."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core import labels
from core.arrays import Vectors, unit_rows
from core.calibration import reliability
from core.clustering import Clustering, save_clustering
from core.errors import NotFoundError, RangeError, ShapeError
from core.indexing import index
from core.labels import Decision
from core.library import Library
from core.proposing import suggest_for
from core.sources.sample import SampleSource, draw_sample
from core.suggestions import Suggestions, suggest

KINDS = ("chain", "copepod", "detritus")


def groups(
    each: int, *, seed: int = 0, noise: float = 0.25
) -> tuple[Vectors, list[str], list[str]]:
    """Vectors around one axis a kind, with ids and truth."""
    rng = np.random.default_rng(seed)
    truth = [kind for kind in KINDS for _ in range(each)]
    middle = np.eye(len(KINDS), 16)[np.repeat(np.arange(len(KINDS)), each)]
    vectors = unit_rows(middle + noise * rng.normal(size=middle.shape) / 2)
    return vectors, [f"{kind}/{n}" for n, kind in enumerate(truth)], truth


def some(ids: list[str], truth: list[str], every: int) -> dict[str, str]:
    return dict(list(zip(ids, truth, strict=True))[::every])


def assert_equal(one: Suggestions, other: Suggestions) -> None:
    for each in dataclasses.fields(Suggestions):
        a, b = getattr(one, each.name), getattr(other, each.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, each.name


def test_groups_are_told_apart_with_evidence_of_their_kind():
    vectors, ids, truth = groups(40)
    known = some(ids, truth, 2)
    made = suggest(vectors, ids, known, seed=0)
    assert made.ids == [id for id in ids if id not in known]
    assert made.calibrated and made.reliability is not None
    for id in made.ids:
        one = made.of(id)
        assert one.label == id.split("/")[0]
        assert one.confidence is not None and one.confidence > 0.9
        assert len(one.evidence) == 5
        assert {known[shown] for shown in one.evidence} == {one.label}
        assert one.likeliest[0] == (one.label, one.confidence)


def test_the_same_arguments_give_the_same():
    vectors, ids, truth = groups(50, noise=0.6)
    known = some(ids, truth, 2)
    assert_equal(suggest(vectors, ids, known, seed=1), suggest(vectors, ids, known, seed=1))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch):
    vectors, ids, truth = groups(50, noise=0.6)
    whole = suggest(vectors, ids, some(ids, truth, 2), seed=1)
    monkeypatch.setattr("core.suggestions.BLOCK_BYTES", 8 * 75 * 7)
    parts = suggest(vectors, ids, some(ids, truth, 2), seed=1)
    assert np.array_equal(whole.likeliest[:, 0], parts.likeliest[:, 0])
    np.testing.assert_allclose(whole.shares, parts.shares, atol=1e-4)


def test_nothing_labelled_proposes_nothing():
    vectors, ids, _ = groups(3)
    made = suggest(vectors, ids, {}, seed=0)
    assert len(made) == 9 and made.unfamiliar.all() and not made.known.any()
    assert made.of(ids[0]).label is None and made.of(ids[0]).likeliest == ()
    assert "not calibrated yet: 0 labels" in made.why["confidence"]


def test_few_labels_have_no_confidence_and_say_so():
    vectors, ids, truth = groups(10)
    made = suggest(vectors, ids, {ids[0]: "chain", ids[10]: "copepod"}, seed=0)
    one = made.of(ids[1])
    assert (one.label, one.confidence, one.how) == ("chain", None, "neighbours")
    assert one.likeliest[0] == ("chain", None)
    assert made.why["confidence"].startswith("not calibrated yet: 2 labels of 2 kinds, needs 60")
    assert made.why["head"].startswith("2 labels of 2 kinds: needs 40")
    assert truth[1] == one.label


def test_a_label_of_another_collection_is_left_out():
    vectors, ids, _ = groups(3)
    made = suggest(vectors, ids, {"elsewhere": "whale", ids[0]: "chain"}, seed=0)
    assert made.kinds == ["chain"] and made.labelled == 1


def test_what_lies_apart_is_unfamiliar():
    vectors, ids, truth = groups(50)
    strange = unit_rows(np.eye(16)[10] + 0.05 * np.random.default_rng(0).normal(size=(5, 16)))
    vectors = np.concatenate([vectors, strange])
    ids = [*ids, *(f"strange/{n}" for n in range(5))]
    made = suggest(vectors, ids, some(ids[:150], truth, 2), seed=0)
    apart = {id for id, new in zip(made.ids, made.unfamiliar, strict=True) if new}
    assert {id for id in made.ids if id.startswith("strange")} <= apart
    assert len(apart) <= 5 + 6


def test_confidences_are_shifted_and_nothing_else():
    vectors, ids, truth = groups(40, noise=0.8)
    made = suggest(vectors, ids, some(ids, truth, 2), floor=0, seed=0)
    lower = made.shifted(-1.0)
    before, after = made.shares[:, 0].astype(float), lower.shares[:, 0].astype(float)
    odds = np.log(before / (1 - before)) - 1
    wide = (before > 0.01) & (before < 0.99)
    assert wide.sum() > 10
    assert after[wide] == pytest.approx(1 / (1 + np.exp(-odds[wide])), abs=1e-4)
    assert np.array_equal(made.likeliest, lower.likeliest)
    assert made.shifted(0.0) is made
    few = suggest(vectors, ids, some(ids, truth, 10), seed=0)
    assert not few.calibrated and few.shifted(-1.0) is few


def test_below_the_floor_an_image_is_unknown():
    vectors, ids, truth = groups(50)
    made = suggest(vectors, ids, some(ids, truth, 2), floor=1.0, seed=0)
    one = made.at(0)
    assert (one.label, one.confidence, one.how, one.evidence) == (None, None, None, ())
    assert one.likeliest[0][0] == "chain"


def test_clusters_speak_where_they_know_better():
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.normal(size=(200, 32)))  # neighbours and head cannot know anything
    ids = [str(n) for n in range(200)]
    truth = [KINDS[n % 2] for n in range(200)]
    made = suggest(vectors, ids, some(ids, truth, 3), clusters=[n % 2 for n in range(200)], seed=0)
    assert made.weights["cluster"] == 1.0
    for id in made.ids:
        one = made.of(id)
        assert (one.label, one.how) == (truth[int(id)], "cluster")
        assert all(truth[int(shown)] == one.label for shown in one.evidence)
    assert "cluster" in suggest(vectors, ids, some(ids, truth, 3), seed=0).why


def test_the_head_speaks_where_a_line_parts_what_neighbours_cannot():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 60))
    vectors, ids = unit_rows(rows), [str(n) for n in range(600)]
    truth = [KINDS[int(row[0] > 0)] for row in rows]
    made = suggest(vectors, ids, some(ids, truth, 2), seed=0)
    assert made.weights["head"] > 0.5
    right = np.mean([made.kinds[made.likeliest[i, 0]] == truth[int(id)]
                     for i, id in enumerate(made.ids)])  # fmt: skip
    assert right > 0.8


def test_only_undecided_images_are_proposed_for():
    vectors, ids, _ = groups(3)
    made = suggest(vectors, ids, {ids[0]: "chain"}, undecided=[ids[0], ids[4]], seed=0)
    assert made.ids == [ids[4]]


def test_what_a_person_ruled_out_is_not_proposed_again():
    vectors, ids, truth = groups(40, noise=0.9)
    known = some(ids, truth, 2)
    plain = suggest(vectors, ids, known, floor=0, seed=0)
    one = next(id for id in plain.ids if len(plain.of(id).likeliest) == 3)
    other = next(id for id in plain.ids if id != one)
    first, second, _ = (label for label, _ in plain.of(one).likeliest)
    made = suggest(
        vectors, ids, known, ruled_out={one: [first, "gone"], other: KINDS}, floor=0, seed=0
    )
    assert made.of(one).likeliest[0][0] == made.of(one).label == second
    assert first not in dict(made.of(one).likeliest)
    assert {known[id] for id in made.of(one).evidence} == {second}
    assert made.of(other).label is None and not made.of(other).likeliest
    rest = [id for id in plain.ids if id not in (one, other)]
    assert [made.of(id).label for id in rest] == [plain.of(id).label for id in rest]


def test_what_was_sent_back_lowers_the_confidence_of_what_is_like_it():
    """Two kinds are labelled, the third is told apart from them by nothing but rejections."""
    vectors, ids, truth = groups(60, noise=0.8)
    known = {id: kind for id, kind in some(ids, truth, 2).items() if kind != "detritus"}
    plain = suggest(vectors, ids, known, floor=0, seed=0)
    strange = [id for id in plain.ids if id.startswith("detritus")]
    before = {id: plain.of(id) for id in strange}
    assert np.mean([before[id].confidence for id in strange]) > 0.8  # two kinds are all it knows
    down = {id: [str(before[id].label)] for id in strange[:30]}
    made = suggest(vectors, ids, known, ruled_out=down, floor=0, seed=0)
    after = np.mean([made.of(id).confidence for id in strange[30:]])
    assert after < np.mean([before[id].confidence for id in strange[30:]]) - 0.1
    assert made.reliability is not None and plain.reliability is not None
    assert made.reliability.images == plain.reliability.images + 30


def test_what_does_not_fit_is_refused():
    vectors, ids, _ = groups(3)
    with pytest.raises(RangeError, match=r"floor is 1.5; expected"):
        suggest(vectors, ids, {}, floor=1.5, seed=0)
    with pytest.raises(ShapeError, match="2 clusters for 9 images"):
        suggest(vectors, ids, {}, clusters=[0, 1], seed=0)
    with pytest.raises(ShapeError, match="expected one each"):
        suggest(vectors, ids[:4], {}, seed=0)
    with pytest.raises(NotFoundError, match="expected one of 9 undecided"):
        suggest(vectors, ids, {}, seed=0).of("elsewhere")


def test_more_labels_than_are_learned_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.suggestions.MOST_LEARNED", 70)
    vectors, ids, truth = groups(60)
    made = suggest(vectors, ids, some(ids, truth, 2), seed=0)
    assert made.labelled == 90
    assert [made.of(id).label for id in made.ids] == [id.split("/")[0] for id in made.ids]


@pytest.mark.slow
def test_the_drawn_sample_is_foretold_and_what_is_said_holds(library: Library, tmp_path: Path):
    draw_sample(tmp_path / "sample", n=300, seed=0)
    index(
        library, collection="drawn", source=SampleSource(tmp_path / "sample", name="sample"),
        encoder="descriptors",
    )  # fmt: skip
    view = library.vectors(library.catalogue.collection("drawn"))
    uid = view.collection.uid
    truth = {id: said.label for id, said in labels.current(library.catalogue, uid).items()}
    taken = sorted(truth)[::2]
    labels.record(library.catalogue, uid, [Decision(id, None) for id in taken], by="me")
    labels.record(
        library.catalogue, uid,
        [Decision(taken[0], "whale", "dubious"), Decision(taken[1], "whale", "rejected")], by="me",
    )  # fmt: skip
    before = labels.revision(library.catalogue, uid)
    made = suggest_for(library, view, seed=0)
    assert set(made.ids) == (set(view.snapshot.ids) - set(truth)) | set(taken[1:])
    assert "whale" not in made.kinds
    places = [i for i, id in enumerate(made.ids) if id in truth and made.known[i]]
    said = made.shares[places, 0]
    right = np.array([made.at(i).label == truth[made.ids[i]] for i in places])
    assert right.mean() > 0.8
    # of 150 outcomes in ten bins chance alone makes 0.05
    assert reliability(said, right).error < 0.1
    assert made.reliability is not None and made.reliability.error < 0.1
    assert "cluster" in made.why
    path = library.workspace.clustering(uid, view.encoding.encoder, "halves")
    halves = Clustering(np.arange(300, dtype=np.int32) % 2, "kmeans", {}, None, None)
    save_clustering(path, halves, view.snapshot.ids, view.snapshot.fingerprint)
    assert "cluster" not in suggest_for(library, view, seed=0).why
    assert labels.revision(library.catalogue, uid) == before
