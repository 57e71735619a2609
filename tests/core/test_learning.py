"""A learning curve: it rises where there is something to learn, and forecasts only then."""

from __future__ import annotations

import numpy as np
import pytest

from core.arrays import unit_rows
from core.learning import learning_curve
from core.screening import train
from tests.core.conftest import rows_of


def heaps(n: int, *, d: int = 30, apart: float = 1.2, seed: int = 0):
    rng = np.random.default_rng(seed)
    wanted = rng.random(n) < 0.6
    middle = np.where(wanted[:, None], apart, -apart) * np.eye(d)[0]
    return unit_rows(rng.normal(size=(n, d)) + middle), wanted


def test_more_labels_are_better_and_how_much_more_is_foretold():
    vectors, wanted = heaps(400)
    told: list[tuple[int, int]] = []
    folds = train(vectors, wanted, seed=0).folds
    made = learning_curve(vectors, wanted, folds=folds, seed=0, on_step=lambda *at: told.append(at))
    assert [point.labels for point in made.points][:3] == [25, 50, 100]
    assert made.points[-1].labels >= 230
    assert made.points[-1].accuracy > made.points[0].accuracy + 0.05
    assert made.points[-1].average_precision > made.points[0].average_precision
    assert all(0 < point.accuracy_sd < 0.2 for point in made.points)
    assert told[-1] == (8, 8)
    assert made.gain is not None
    assert made.gain.labels == 400
    assert made.gain.low < made.gain.points < made.gain.high
    # what twice as many labels of the same kind really bring
    new, truth = heaps(4000, seed=7)
    more, wanted_more = heaps(800, seed=0)
    before = train(vectors, wanted, seed=0).model.score(new) >= 0.5
    after = train(more, wanted_more, seed=0).model.score(new) >= 0.5
    came = 100 * ((after == truth).mean() - (before == truth).mean())
    assert made.gain.low <= came <= made.gain.high


def test_the_same_seed_gives_the_same():
    vectors, wanted = heaps(150)
    folds = train(vectors, wanted, seed=0).folds
    a, b, c = (learning_curve(vectors, wanted, folds=folds, seed=s) for s in (1, 1, 2))
    assert a == b
    assert a.points != c.points


def test_where_nothing_can_be_learned_nothing_is_foretold():
    vectors = rows_of(400, 30)
    wanted = np.random.default_rng(3).random(400) < 0.5
    made = learning_curve(vectors, wanted, folds=np.arange(400) % 10, seed=0)
    assert made.gain is None
    assert made.why is not None
    assert made.points[-1].accuracy == pytest.approx(0.5, abs=0.1)


def test_few_labels():
    vectors, wanted = heaps(40)
    made = learning_curve(vectors, wanted, folds=np.arange(40) % 10, seed=0)
    assert made.gain is None
    assert made.why == "the curve has 1 of the 4 points that a forecast takes; label more"


def test_a_side_that_is_hardly_there():
    vectors, wanted = heaps(60)
    wanted = np.arange(60) >= 6
    made = learning_curve(vectors, wanted, folds=np.arange(60) // 6, seed=0)
    assert made.points == ()
    assert made.why == "too few labels of one side to hold some out"
