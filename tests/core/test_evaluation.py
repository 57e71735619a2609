"""Retrieval, votes, probe, classes and intervals against counts by hand and other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    silhouette_samples,
)
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from core.arrays import Vectors, unit_rows
from core.errors import RangeError, ShapeError
from core.evaluation import classes, influence, retrieval
from core.evaluation.bootstrap import Resamples
from core.evaluation.clusters import agreement, silhouettes
from core.evaluation.figures import NEW, Figure
from core.evaluation.measuring import ceilings, measure
from core.evaluation.neighbours import rank, votes
from core.evaluation.probe import folds_of, probe
from core.evaluation.subject import joined, size_vectors
from tests.core.conftest import rows_of


def on_circle(*degrees: float) -> Vectors:
    angle = np.radians(degrees)
    return unit_rows(np.stack([np.cos(angle), np.sin(angle)], axis=1))


def clouds(n: int, kinds: int, *, spread: float, seed: int) -> tuple[Vectors, np.ndarray]:
    """Images of some kinds around as many directions."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(kinds, size=n)
    middles = np.random.default_rng(99).normal(size=(kinds, 8))
    return unit_rows(middles[codes] + spread * rng.normal(size=(n, 8))), codes


def test_neighbours_and_precision_by_hand():
    # 0 and 10 are of kind 0, 25 and 27 of kind 1: 10 is nearer to 0 than to 25
    codes = np.array([0, 0, 1, 1])
    found = rank(on_circle(0, 10, 25, 27), k=3, codes=codes)
    assert found.near.tolist() == [[1, 2, 3], [0, 2, 3], [3, 1, 0], [2, 1, 0]]
    assert retrieval.precision(found.near, codes, k=1).tolist() == [1, 1, 1, 1]
    assert retrieval.precision(found.near, codes, k=2).tolist() == [0.5] * 4
    assert found.average_precision is not None
    assert found.average_precision.tolist() == [1, 1, 1, 1]


def test_average_precision_by_hand():
    # from 0 the order is 5 (other), 9 (own), 20 (other), 30 (own): (1/2 + 2/4) / 2
    found = rank(on_circle(0, 5, 9, 20, 30), k=1, codes=np.array([0, 1, 0, 1, 0]))
    assert found.average_precision is not None
    assert found.average_precision[0] == pytest.approx(0.5)


def test_the_only_one_of_its_kind_finds_none():
    found = rank(rows_of(5, 3), k=2, codes=np.array([0, 0, 1, 0, 0]))
    assert found.average_precision is not None
    assert found.average_precision[2] == 0
    assert ceilings(np.array([0, 0, 1, 0, 0]))["mean_average_precision"] == 0.8


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_independent_computation_agrees(seed: int):
    rng = np.random.default_rng(seed)
    vectors, codes = rows_of(40, 5, seed=seed % 1000), rng.integers(4, size=40)
    found = rank(vectors, k=7, codes=codes)
    other = NearestNeighbors(n_neighbors=8, metric="cosine").fit(vectors)
    near = other.kneighbors(vectors, return_distance=False)
    assert [row[row != n].tolist()[:7] for n, row in enumerate(near)] == found.near.tolist()
    assert found.average_precision is not None
    for row in range(40):
        others = np.arange(40) != row
        own = codes[others] == codes[row]
        expected = average_precision_score(own, vectors[others] @ vectors[row]) if own.any() else 0
        assert found.average_precision[row] == pytest.approx(expected, abs=1e-6)


def test_equally_near_images_come_in_the_order_of_rows_across_the_edge():
    same = np.repeat(on_circle(0, 40), [6, 1], axis=0)
    near = rank(same, k=3).near
    assert near[:3].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3]]
    assert near[6].tolist() == [0, 1, 2]


def test_rank_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch):
    vectors, codes = clouds(50, 3, spread=1, seed=1)
    whole = rank(vectors, k=5, codes=codes)
    told: list[int] = []
    monkeypatch.setattr("core.evaluation.neighbours.BLOCK_BYTES", 4 * 50 * 7)
    parts = rank(vectors, k=5, codes=codes, tell=told.append)
    assert told == [7] * 7 + [1]
    assert (parts.near == whole.near).all()
    np.testing.assert_allclose(parts.average_precision, whole.average_precision)


def test_neighbours_elsewhere_are_the_nearest_of_other_samples(monkeypatch: pytest.MonkeyPatch):
    vectors, samples = rows_of(40, 6), np.arange(40) % 3
    monkeypatch.setattr("core.evaluation.neighbours.BLOCK_BYTES", 40 * 4 * 7)
    found = rank(vectors, k=5, samples=samples)
    assert found.elsewhere is not None
    for row, near in enumerate(found.elsewhere):
        others = np.flatnonzero(samples != samples[row])
        order = np.argsort(-(vectors[others] @ vectors[row]), kind="stable")
        assert near.tolist() == others[order[:5]].tolist()
    assert (found.near == rank(vectors, k=5).near).all()
    assert rank(vectors, k=5, samples=np.zeros(40, int)).elsewhere is None
    few = rank(vectors, k=5, samples=np.repeat([0, 1], [37, 3])).elsewhere
    assert few is not None
    assert few.shape == (40, 3)


@pytest.mark.parametrize("k", [0, 5])
def test_rank_refuses_another_k(k: int):
    with pytest.raises(RangeError, match=f"k is {k}; expected 1 to 4 for 5 images"):
        rank(rows_of(5, 3), k=k)


def test_a_perfect_encoder_gives_the_ceiling():
    codes = np.repeat([0, 1, 2], [30, 26, 10])
    vectors = np.eye(3, dtype=np.float32)[codes]
    order = np.random.default_rng(0).permutation(66)
    codes, vectors = codes[order], vectors[order]
    made = measure("perfect", vectors, codes, Resamples(66, seed=0), clustering=False, seed=0)
    ceiling = ceilings(codes)
    assert ceiling["precision_at_24"] == pytest.approx((56 + 10 * 9 / 24) / 66)
    assert ceilings(np.repeat([0, 1], 25))["precision_at_24"] == 1
    for name, value in ceiling.items():
        assert made.figures[name].value == pytest.approx(value)
    for name in ("knn_accuracy", "linear_probe_accuracy", "knn_macro_f1", "label_silhouette"):
        assert made.figures[name].value == 1
        assert made.figures[name].high == 1
    low = made.figures["knn_accuracy"].low
    assert low == pytest.approx(0.025 ** (1 / 66))  # none of 66 wrong is not none at all
    assert NEW not in made.figures
    samples = np.where(codes == 2, 0, np.arange(66) % 4)  # the third kind is in one sample only
    made = measure(
        "perfect", vectors, codes, Resamples(66, samples=samples, seed=0), samples=samples,
        clustering=False, seed=0,
    )  # fmt: skip
    assert made.figures[NEW].value == pytest.approx(56 / 66)
    assert ceilings(codes, samples)[NEW] == pytest.approx(56 / 66)


def test_shuffled_labels_are_within_chance():
    vectors, codes = clouds(300, 5, spread=0.5, seed=2)
    shuffled = np.random.default_rng(5).permutation(codes)
    made = measure("any", vectors, shuffled, Resamples(300, seed=0), clustering=False, seed=0)
    shares = np.bincount(codes) / 300
    for name, chance in made.chance.items():
        value = made.figures[name].value
        assert value is not None
        assert chance.value is not None
        if name == "mean_average_precision":
            assert value == pytest.approx(chance.value, abs=0.01)
            continue
        assert chance.low is not None
        assert chance.high is not None
        assert chance.low - 0.01 <= value <= chance.high + 0.01, name
    assert made.chance["precision_at_24"].value == pytest.approx((shares**2).sum(), abs=0.01)
    true = measure("any", vectors, codes, Resamples(300, seed=0), clustering=False, seed=0)
    high = true.chance["precision_at_24"].high
    low = true.figures["precision_at_24"].low
    assert low is not None
    assert high is not None
    assert low > 2 * high


def test_average_precision_by_chance_is_what_random_orders_give():
    codes = np.array([0, 0, 0, 1, 1, 2])
    drawn = [rank(rows_of(6, 50, seed=s), k=1, codes=codes).average_precision for s in range(400)]
    expected = retrieval.average_precision_by_chance(codes)
    assert np.mean(drawn, axis=0) == pytest.approx(expected, abs=0.05)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_class_figures_are_those_of_scikit_learn(seed: int):
    rng = np.random.default_rng(seed)
    truth, decided = rng.integers(5, size=30), rng.integers(6, size=30)
    weights = rng.integers(1, 4, size=30)
    for count in (None, weights):
        assert classes.macro_f1(truth, decided, count) == pytest.approx(
            f1_score(truth, decided, average="macro", sample_weight=count, zero_division=0)
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # kinds that were decided and are not there
            expected = balanced_accuracy_score(truth, decided, sample_weight=count)
        assert classes.balanced_accuracy(truth, decided, count) == pytest.approx(expected)


def test_confusion_by_hand():
    truth, decided = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 2, 1, 0])
    matrix = classes.confusion(truth, decided, 3)
    assert matrix.tolist() == [[1, 2, 1], [1, 1, 0], [0, 0, 0]]
    assert classes.rows_behind(truth, decided, kind=0, taken_for=1).tolist() == [1, 2]
    first, second = classes.taken_for(matrix, 0)
    assert (first.kind, first.images, first.share) == (1, 2, 0.5)
    assert (second.kind, second.images) == (2, 1)
    with pytest.raises(ShapeError, match="2 decisions for 6 images"):
        classes.confusion(truth, decided[:2], 3)


def test_clusters_against_labels_by_hand():
    # one of six pairs is together in both, 2 and 1 in each: (1 - 1/3) / (3/2 - 1/3)
    # ln 2 is shared, 2/3 of it by chance, the mean entropy is 5/4 of it: (1 - 2/3) / (5/4 - 2/3)
    codes, groups = np.array([0, 0, 1, 1]), np.array([0, 0, 1, -1])
    found = agreement(codes, groups, Resamples(4, seed=0))
    assert found["ari"].value == pytest.approx(4 / 7)
    assert found["ami"].value == pytest.approx(4 / 7)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_adjusted_rand_is_that_of_counted_pairs(seed: int):
    rng = np.random.default_rng(seed)
    codes, groups = rng.integers(4, size=30), rng.integers(-1, 3, size=30)
    first, second = (
        np.array([each[a] == each[b] for a in range(30) for b in range(a)])
        for each in (codes, groups)
    )
    chance = first.sum() * second.sum() / len(first)
    expected = ((first & second).sum() - chance) / ((first.sum() + second.sum()) / 2 - chance)
    found = agreement(codes, groups, Resamples(30, seed=0, times=3))
    assert found["ari"].value == pytest.approx(expected)


def test_votes_leave_the_image_itself_out():
    """As scikit-learn's classifier trained anew without each image."""
    vectors, codes = clouds(60, 3, spread=1.2, seed=6)
    near = rank(vectors, k=1, codes=codes).near
    decided = votes(codes[near])
    for row in range(60):
        rest = np.arange(60) != row
        other = KNeighborsClassifier(1, metric="cosine").fit(vectors[rest], codes[rest])
        assert other.predict(vectors[row : row + 1])[0] == decided[row]


def test_all_in_one_place_has_no_silhouette():
    vectors = np.repeat(rows_of(1, 6), 40, axis=0)
    found = silhouettes(vectors, np.arange(40) % 2)
    assert found is not None
    assert found.tolist() == [0] * 40


def test_a_share_is_never_below_0_nor_certain():
    vectors, codes = clouds(3, 2, spread=1, seed=0)
    codes = np.array([0, 1, 1])
    made = measure("few", vectors, codes, Resamples(3, seed=0), clustering=False, seed=0)
    for way in ("knn", "linear_probe"):
        for name in ("macro_f1", "balanced_accuracy"):
            figure = made.figures[f"{way}_{name}"]
            assert figure.low is not None
            assert figure.high is not None
            assert 0 <= figure.low < figure.high <= 1
    perfect = Resamples(66, seed=0).figure(1.0, lambda weights: 1.0, share=True)
    assert perfect.low == pytest.approx(0.025 ** (1 / 66))


def test_nobody_is_right_about_the_only_one_of_its_kind():
    best = ceilings(np.array([0, 0, 0, 1]))
    assert best["knn_accuracy"] == best["linear_probe_accuracy"] == 0.75
    assert best["knn_balanced_accuracy"] == 0.5
    assert best["label_silhouette"] == 0.75


@pytest.mark.filterwarnings("error")
def test_kinds_of_one_image_are_measured_in_silence():
    vectors, codes = rows_of(30, 5), np.arange(30)
    made = measure("any", vectors, codes, Resamples(30, seed=0), clustering=False, seed=0)
    assert made.figures["linear_probe_accuracy"].value == 0


def test_silhouettes_are_those_of_scikit_learn():
    vectors, codes = clouds(80, 4, spread=0.8, seed=0)
    codes[:2] = (7, 9)  # kinds of one image
    found = silhouettes(vectors, codes)
    assert found is not None
    assert found == pytest.approx(silhouette_samples(vectors, codes, metric="cosine"), abs=1e-5)
    assert found[:2].tolist() == [0, 0]
    assert silhouettes(vectors, np.zeros(80, np.int64)) is None
    assert silhouettes(vectors[:3], np.arange(3)) is None


def test_votes_go_to_the_most_frequent_then_to_the_nearest():
    assert votes(np.array([[3, 1, 1, 2, 2]])).tolist() == [1]
    assert votes(np.array([[3, 1, 2]])).tolist() == [3]
    assert votes(np.array([[0, 2, 2, 2, 0]])).tolist() == [2]


def test_the_probe_never_sees_what_it_decides():
    vectors, codes = clouds(200, 3, spread=0.4, seed=3)
    folds = folds_of(codes, seed=0)
    assert (probe(vectors, codes, folds) == codes).mean() > 0.8
    nonsense = np.random.default_rng(0).integers(3, size=200)
    assert (probe(vectors, nonsense, folds_of(nonsense, seed=0)) == nonsense).mean() < 0.5


def test_a_sample_stays_in_one_fold():
    codes = np.random.default_rng(0).integers(3, size=120)
    samples = np.arange(120) // 10
    folds = folds_of(codes, samples=samples, seed=0)
    assert len(np.unique(folds)) == 5
    for sample in range(12):
        assert len(np.unique(folds[samples == sample])) == 1
    assert len(np.unique(folds_of(codes, samples=samples % 2, seed=0))) == 2


def test_a_sample_effect_does_not_help_the_probe():
    """Light that differs between samples tells kinds apart within them, not in new ones."""
    rng = np.random.default_rng(0)
    samples = np.repeat(np.arange(10), 20)
    codes = (samples % 2).astype(np.int64)  # a kind a sample, and nothing but the sample to see
    light = rng.normal(size=(10, 30))[samples]
    vectors = unit_rows(light + 0.3 * rng.normal(size=(200, 30)))
    by_image = probe(vectors, codes, folds_of(codes, seed=0))
    by_sample = probe(vectors, codes, folds_of(codes, samples=samples, seed=0))
    assert (by_image == codes).mean() > 0.95
    assert (by_sample == codes).mean() < 0.75
    resamples = Resamples(200, samples=samples, seed=0)
    made = measure(
        "light", vectors, codes, resamples, samples=samples, clustering=False, seed=0
    )  # fmt: skip
    assert made.figures["knn_accuracy"].value == 1
    new, chance = made.figures[NEW], made.chance[NEW]
    assert new.value is not None
    assert new.value < 0.75
    assert chance.low is not None
    assert new.low is not None
    assert new.high is not None
    assert new.low < 0.5 < new.high
    pair = np.repeat([0, 1], [197, 3])
    few = measure(
        "light", vectors, codes, Resamples(200, samples=pair, seed=0), samples=pair,
        clustering=False, seed=0,
    )  # fmt: skip
    assert few.figures[NEW].why == "a sample leaves fewer than 5 images of others"


def test_size_alone_ranks_by_ratio():
    vectors = size_vectors(np.array([10.0, 11.0, 40.0, 100.0, 300.0]))
    assert vectors is not None
    assert rank(vectors, k=2).near.tolist() == [[1, 2], [0, 2], [3, 1], [2, 4], [3, 2]]
    assert size_vectors(np.array([10.0, np.nan])) is None
    assert size_vectors(np.array([10.0, 10.0])) is None


def test_joined_encoders_weigh_the_same():
    first, second = on_circle(0, 90, 10), rows_of(3, 40)
    both = joined([first, second])
    assert both.shape == (3, 42)
    expected = (first @ first.T + second @ second.T) / 2
    np.testing.assert_allclose(both @ both.T, expected, atol=1e-6)


def test_intervals_of_a_mean():
    scores = np.array([0.0, 1.0] * 50)
    found = Resamples(100, seed=0).mean(scores)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.4, abs=0.02)
    assert found.high == pytest.approx(0.6, abs=0.02)
    again = Resamples(100, seed=0).mean(scores)
    assert again == found


def test_intervals_over_samples_are_wider_where_samples_differ():
    scores, samples = np.repeat([0.0, 1.0] * 6, 20), np.repeat(np.arange(12), 20)
    by_image = Resamples(240, seed=0).mean(scores)
    by_sample = Resamples(240, samples=samples, seed=0).mean(scores)
    assert by_image.high is not None
    assert by_sample.high is not None
    assert by_sample.high - 0.5 > 3 * (by_image.high - 0.5)
    few = Resamples(80, samples=samples[:80], seed=0).mean(scores[:80])
    assert few.why == "4 samples only: the interval is rough"


def test_intervals_that_cannot_be_had():
    one = Resamples(5, samples=np.zeros(5, np.int64), seed=0).mean(np.ones(5))
    assert (one.value, one.low, one.why) == (1, None, "one sample: no interval can be had")
    assert Resamples(2, seed=0).mean(np.full(2, np.nan)).value is None
    with pytest.raises(ShapeError, match="3 samples for 5 images"):
        Resamples(5, samples=np.zeros(3, np.int64), seed=0)


def test_a_figure_is_never_nan():
    assert Figure(0.5, 0.25, 0.75).as_json() == {"value": 0.5, "ci95": [0.25, 0.75]}
    assert Figure(None, why="x").as_json() == {"value": None, "ci95": None, "why": "x"}
    assert Figure.from_json(Figure(0.5, 0.25, 0.75, "y").as_json()) == Figure(0.5, 0.25, 0.75, "y")
    with pytest.raises(ValueError, match="a figure is nan"):
        Figure(float("nan")).as_json()


def covered(times: int, draw: Callable[[int], tuple[Figure, float]]) -> float:
    inside = 0
    for seed in range(times):
        found, truth = draw(seed)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    return inside / times


def test_gains_are_what_taking_an_image_away_does():
    vectors, codes = clouds(40, 3, spread=1, seed=4)
    whole = rank(vectors, k=6, codes=codes)
    precision = retrieval.precision(whole.near, codes, k=5)
    right = (votes(codes[whole.near[:, :5]]) == codes).astype(float)
    assert whole.average_precision is not None
    assert whole.gains is not None
    by_precision = influence.of_precision(whole.near, codes, k=5)
    by_votes = influence.of_votes(whole.near, codes, k=5)
    assert by_precision is not None
    assert by_votes is not None
    for gone in range(40):
        rest = np.arange(40) != gone
        left = rank(vectors[rest], k=5, codes=codes[rest])
        after = retrieval.precision(left.near, codes[rest], k=5).sum()
        assert by_precision[gone] == pytest.approx(after - precision[rest].sum())
        after = (votes(codes[rest][left.near]) == codes[rest]).sum()
        assert by_votes[gone] == pytest.approx(after - right[rest].sum())
        assert left.average_precision is not None
        expected = left.average_precision.sum() - whole.average_precision[rest].sum()
        assert whole.gains[gone] == pytest.approx(expected)
    assert influence.of_precision(whole.near, codes, k=6) is None
    plain = influence.pseudo_values(precision, np.zeros(40))
    assert plain == pytest.approx(precision)


SIMULATED = ("precision_at_1", "precision_at_5", "knn_accuracy", "mean_average_precision")


@pytest.fixture(scope="module")
def simulated() -> list[dict[str, Figure]]:
    """Figures of collections that are drawn again and again."""
    every = []
    for seed in range(150):
        vectors, codes = clouds(150, 4, spread=1.5, seed=1_000 + seed)
        near = rank(vectors, k=6, codes=codes)
        resamples = Resamples(150, seed=seed, times=400)
        found = {}
        for k in (1, 5):
            gains = influence.of_precision(near.near, codes, k=k)
            scores = retrieval.precision(near.near, codes, k=k)
            assert gains is not None
            pseudo = influence.pseudo_values(scores, gains)
            found[f"precision_at_{k}"] = resamples.mean(scores, pseudo)
        right = (votes(codes[near.near[:, :5]]) == codes).astype(float)
        gains = influence.of_votes(near.near, codes, k=5)
        assert gains is not None
        pseudo = influence.pseudo_values(right, gains)
        found["knn_accuracy"] = resamples.mean(right, pseudo)
        assert near.average_precision is not None
        assert near.gains is not None
        pseudo = influence.pseudo_values(near.average_precision, near.gains)
        found["mean_average_precision"] = resamples.mean(near.average_precision, pseudo)
        every.append(found)
    return every


@pytest.mark.parametrize("name", SIMULATED)
def test_the_interval_covers_the_truth_of_all_collections(
    simulated: list[dict[str, Figure]], name: str
):
    """The truth is the mean over collections of that size."""
    figures = [each[name] for each in simulated]
    truth = float(np.mean([figure.value for figure in figures if figure.value is not None]))
    share = covered(len(figures), lambda seed: (figures[seed], truth))
    assert share >= 0.91
    wide = np.mean([(figure.high or 0) - (figure.low or 0) for figure in figures])
    needed = 2 * 1.96 * np.std([figure.value for figure in figures], ddof=1)
    assert wide < 1.75 * needed  # one that is wide enough always would say nothing


@pytest.mark.parametrize("samples", [6, 25])
def test_the_interval_covers_the_truth_of_new_samples(samples: int):
    def draw(seed: int) -> tuple[Figure, float]:
        rng = np.random.default_rng(seed)
        sample = np.repeat(np.arange(samples), rng.integers(10, 40, size=samples))
        share = rng.beta(6, 4, size=samples)[sample]
        scores = (rng.random(len(sample)) < share).astype(float)
        return Resamples(len(sample), samples=sample, seed=seed, times=400).mean(scores), 0.6

    assert 0.91 <= covered(400, draw) <= 0.99


def test_the_interval_of_a_figure_that_is_no_mean_covers_the_truth():
    chances = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.4, 0.4]])

    def draw(seed: int) -> tuple[Figure, float]:
        rng = np.random.default_rng(seed)
        truth = rng.choice(3, p=[0.6, 0.3, 0.1], size=200)
        decided = (rng.random(200)[:, None] > chances.cumsum(axis=1)[truth]).sum(axis=1)
        value = classes.balanced_accuracy(truth, decided)
        found = Resamples(200, seed=seed, times=300).figure(
            value, lambda weights: classes.balanced_accuracy(truth, decided, weights)
        )
        return found, 0.6

    assert 0.91 <= covered(200, draw) <= 0.99
