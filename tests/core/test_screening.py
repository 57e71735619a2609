"""The classifier: seeded, out of fold, by sample, calibrated, and familiar with what it saw."""

from __future__ import annotations

import numpy as np
import pytest

from core import screening
from core.arrays import Vectors, unit_rows
from core.errors import RangeError, ShapeError
from core.screening import Trained, fit, train
from tests.core.conftest import rows_of


def two_heaps(
    n: int, *, d: int = 12, apart: float = 1.2, share: float = 0.6, seed: int = 0
) -> tuple[Vectors, np.ndarray]:
    """Vectors of two overlapping heaps, the first with this share of the images."""
    rng = np.random.default_rng(seed)
    wanted = rng.random(n) < share
    middle = np.where(wanted[:, None], apart, -apart) * np.eye(d)[0]
    return unit_rows(rng.normal(size=(n, d)) + middle), wanted


def test_scores_tell_the_heaps_apart_and_mean_what_they_say():
    vectors, wanted = two_heaps(1000)
    made = train(vectors, wanted, seed=1)
    assert ((made.score >= 0.5) == wanted).mean() > 0.85
    new, truth = two_heaps(4000, seed=9)
    score = made.model.score(new)
    assert score.mean() == pytest.approx(truth.mean(), abs=0.03)
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        some = (score >= low) & (score < high)
        assert truth[some].mean() == pytest.approx(score[some].mean(), abs=0.08)


def test_the_same_seed_gives_the_same():
    vectors, wanted = two_heaps(120)
    a, b, c = (train(vectors, wanted, seed=seed) for seed in (3, 3, 4))
    assert (a.score == b.score).all()
    assert (a.model.weights == b.model.weights).all()
    assert (a.score != c.score).any()


def test_an_image_is_scored_by_models_that_never_saw_it():
    # labels are a coin's: seen images would be told apart in 80 dimensions, unseen ones are not
    vectors, wanted = rows_of(200, 80), np.random.default_rng(2).random(200) < 0.5
    made = train(vectors, wanted, seed=0)
    w, b = fit(vectors, wanted)
    assert ((vectors @ w + b > 0) == wanted).mean() > 0.75
    assert 0.35 < ((made.score >= np.median(made.score)) == wanted).mean() < 0.65


def test_rare_kinds_are_weighed_up():
    vectors, wanted = two_heaps(2000, share=0.03)
    made = train(vectors, wanted, seed=0)
    threshold = np.sort(made.score[wanted])[3]
    assert (made.score < threshold).mean() > 0.5
    assert made.score.mean() == pytest.approx(wanted.mean(), abs=0.02)


def by_haul(seed: int) -> tuple[Vectors, np.ndarray, list[str | None]]:
    """Eight hauls whose light differs more than their organisms do."""
    rng = np.random.default_rng(seed)
    vectors, wanted = two_heaps(320, apart=0.8, seed=seed)
    hauls = np.arange(320) % 8
    shifted = vectors + rng.normal(size=(8, 12))[hauls] * 0.5
    return unit_rows(shifted), wanted, [f"haul {h}" for h in hauls]


def test_whole_samples_are_held_out():
    vectors, wanted, samples = by_haul(1)
    made = train(vectors, wanted, samples=samples, seed=0)
    assert (made.validated_by, made.why) == ("sample", None)
    assert len(made.model.weights) == 8
    assert made.effect >= 1
    alone = train(vectors, wanted, seed=0)
    assert (alone.validated_by, alone.effect) == ("image", 1)
    # what is nearest is of another haul, so it is further off
    assert made.nearest.mean() < alone.nearest.mean()


def test_a_haul_is_scored_as_if_it_had_no_labels():
    vectors, wanted, samples = by_haul(2)
    first = np.array([name == "haul 0" for name in samples])
    before = train(vectors, wanted, samples=samples, seed=0)
    turned = np.where(first, ~wanted, wanted)
    after = train(vectors, turned, samples=samples, seed=0)
    # only the common calibration, a monotonic curve, knows of its labels
    order = np.argsort(before.score[first])
    assert (np.diff(after.score[first][order]) >= -1e-12).all()


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (None, None),
        ([None] * 60, None),
        (["a", "b", "c"] * 20, "labels are of 3 samples; 4 or more are needed"),
        (
            ["a", "b", "c", "d", None, None, None, None, None, None] * 6,
            "most labelled images have no sample",
        ),
    ],
)
def test_when_it_is_validated_by_image(samples: list[str | None] | None, why: str | None):
    vectors, wanted = two_heaps(60)
    made = train(vectors, wanted, samples=samples, seed=0)
    assert made.validated_by == "image"
    assert made.why == why


def test_a_side_that_only_one_sample_has():
    vectors, wanted = two_heaps(80)
    samples = ["plankton" if w else f"dust {i % 5}" for i, w in enumerate(wanted)]
    made = train(vectors, wanted, samples=samples, seed=0)
    assert made.validated_by == "image"
    assert made.why is not None
    assert "labels of one side are missing" in made.why


def test_images_without_a_sample_are_a_sample_each():
    vectors, wanted, samples = by_haul(3)
    some = [None if i < 40 else name for i, name in enumerate(samples)]
    made = train(vectors, wanted, samples=some, seed=0)
    assert made.validated_by == "sample"
    assert len(made.model.weights) == screening.FOLDS


def test_what_is_like_nothing_is_unfamiliar():
    vectors, wanted = two_heaps(300, apart=6)
    made = train(vectors, wanted, seed=0)
    assert made.unfamiliar.mean() == pytest.approx(0.01, abs=0.01)
    assert np.isinf(made.effective[made.unfamiliar]).all()
    assert (made.effective[~made.unfamiliar] == made.score[~made.unfamiliar]).all()
    odd = unit_rows(np.random.default_rng(0).normal(size=(50, 12)) + 9 * np.eye(12)[5])
    assert (made.model.nearest(odd) < made.familiar_from).mean() > 0.9
    assert (made.model.nearest(vectors) > 1 - 1e-5).all()


def test_few_vectors_are_stored_and_rare_ones_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(screening, "SAMPLE", 100)
    vectors, wanted = two_heaps(1500, share=0.02)
    stored = train(vectors, wanted, seed=0).model.sample
    assert len(stored) == 100
    rows = {row.tobytes() for row in stored}
    assert all(row.tobytes() in rows for row in vectors[wanted])


def test_more_labels_than_are_learned_are_all_scored(monkeypatch: pytest.MonkeyPatch):
    vectors, wanted = two_heaps(600)
    monkeypatch.setattr(screening, "MOST_LEARNED", 150)
    made: Trained = train(vectors, wanted, seed=0)
    assert np.isfinite(made.score).all()
    assert ((made.score >= 0.5) == wanted).mean() > 0.8


def test_too_few_labels():
    vectors, _ = two_heaps(20)
    with pytest.raises(
        RangeError, match=r"16 images .* to keep and 4 to drop; expected at least 5"
    ):
        train(vectors, np.arange(20) >= 4, seed=0)


def test_arrays_that_do_not_fit():
    vectors, wanted = two_heaps(20)
    with pytest.raises(ShapeError, match=r"20 vectors, \(19,\) labels"):
        train(vectors, wanted[:-1], seed=0)
    with pytest.raises(ShapeError, match="expected unit-length rows"):
        train(vectors * 2, wanted, seed=0)
