"""The keep/drop classifier: logistic regression on vectors, calibrated, scored out of fold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.arrays import BLOCK, Vectors, check_vectors
from core.calibration import Calibration
from core.errors import RangeError, ShapeError
from core.promise import design_effect

FOLDS = 10
FEWEST = 5
"""Labels of each side without which nothing is trained."""
STRENGTH = 10.0
"""Inverse regularisation, as in scikit-learn, for unit vectors. `benchmarks/screening.py
--strengths 1 10 100` on plankton_camera, 20 draws: average precision with 200 labels .958, .962,
.957, with 600 .970, .972, .966; accuracy .828, .847, .840 and .858, .871, .860."""
SAMPLE = 2_000
"""Most training vectors that are stored to tell what is like them."""
FAMILIAR = 0.99
"""Share of labelled images that are like the others, by the limit."""
FEWEST_SAMPLES = 4
"""From so many on, validation is by sample: three say next to nothing of how samples differ."""
MOST_LEARNED = 20_000
"""Labels a model is trained on: beyond, a drawn part of them. All are scored."""

ValidatedBy: TypeAlias = Literal["sample", "image"]
Bools: TypeAlias = NDArray[np.bool_]
Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """What decides: the mean of logistic curves over vectors, and what they were trained on."""

    weights: Doubles
    """(k, d): k calibrated logistic curves, one a row."""
    offsets: Doubles
    """(k,)"""
    sample: Vectors
    """(m, d) float32 unit rows: training vectors that an image can be like."""

    def score(self, vectors: Vectors) -> Doubles:
        """(n,) calibrated probability of "keep"; vectors may be a memory map."""
        score = np.empty(len(vectors))
        for part in _parts(len(vectors)):
            logits = np.asarray(vectors[part], np.float64) @ self.weights.T + self.offsets
            score[part] = _sigmoid(logits).mean(axis=1)
        return score

    def nearest(self, vectors: Vectors) -> NDArray[np.float32]:
        """(n,) largest cosine similarity to a stored training vector."""
        nearest = np.empty(len(vectors), np.float32)
        for part in _parts(len(vectors), 4_096):
            nearest[part] = (np.asarray(vectors[part]) @ self.sample.T).max(axis=1)
        return nearest


@dataclass(frozen=True)
class Trained:
    """A model and what it makes of the images it was trained on, each by those that did not see it.

    The model is the mean of the fold models, so out-of-fold scores are of the very curves that
    decide; the mean varies less than each of them.
    """

    model: Model
    score: Doubles
    """(n,) out of fold."""
    nearest: NDArray[np.float32]
    """(n,) similarity to the nearest stored vector of other folds."""
    folds: NDArray[np.int64]
    """(n,) which of the model's curves never saw the image."""
    familiar_from: float
    """Similarity below which an image is unfamiliar and kept."""
    validated_by: ValidatedBy
    why: str | None
    """Why validation is by image though samples are known; None where there is nothing to say."""
    effect: float
    """Design effect on the wanted images; 1 when validated by image."""

    @property
    def unfamiliar(self) -> Bools:
        """(n,)"""
        unfamiliar: Bools = self.nearest < np.float32(self.familiar_from)
        return unfamiliar

    @property
    def effective(self) -> Doubles:
        """(n,) out-of-fold scores, infinite where an image is kept for being unfamiliar."""
        return np.where(self.unfamiliar, np.inf, self.score)


def train(
    vectors: Vectors,
    wanted: Bools,
    *,
    samples: Sequence[str | None] | None = None,
    strength: float = STRENGTH,
    seed: int,
) -> Trained:
    """Train on labelled images and score each of them out of fold.

    Parameters
    ----------
    vectors : (n, d) float32
        Unit rows.
    wanted : (n,) bool
        Whether each image is one to keep.
    samples : n names or None, optional
        Which haul, bin or day each is of. With four or more, whole samples are held out.
    strength : float
        Inverse regularisation, above 0.
    seed : int

    Raises
    ------
    ShapeError
        If the arrays do not fit together.
    RangeError
        If there are fewer than five images on one side.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines. Barber et al. (2021),
    Predictive inference with the jackknife+, for scores of fold models.
    """
    check_vectors(vectors)
    n = len(vectors)
    if wanted.shape != (n,) or (samples is not None and len(samples) != n):
        raise ShapeError(f"{n} vectors, {wanted.shape} labels; expected one each")
    yes, no = int(wanted.sum()), int((~wanted).sum())
    if min(yes, no) < FEWEST:
        raise RangeError(
            f"{yes} images are labelled to keep and {no} to drop; expected at least {FEWEST} of "
            "each, label more"
        )
    chance = np.random.default_rng(seed)
    codes, why = _groups(samples, n)
    folds = None if codes is None else _by_sample(wanted, codes, seed)
    if codes is not None and folds is None:
        why = "without one of the samples, labels of one side are missing"
        codes = None
    if folds is None:
        folds = _by_image(wanted, seed)
    stored = _stored(wanted, chance)
    logits = np.empty(n)
    weights, offsets = [], []
    nearest = np.empty(n, np.float32)
    learned = _learned(n, chance)
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        w, b = fit(vectors[~out & learned], wanted[~out & learned], strength=strength)
        logits[out] = vectors[out].astype(np.float64) @ w + b
        weights.append(w)
        offsets.append(b)
        others = vectors[stored[~out[stored]]]
        nearest[out] = Model(w[None], np.array([b]), others).nearest(vectors[out])
    curve = Calibration.fit(_sigmoid(logits), wanted)
    score = _sigmoid(curve.slope * logits + curve.offset)
    limit = float(np.quantile(nearest, 1 - FAMILIAR, method="lower"))
    familiar = nearest >= np.float32(limit)
    effect = 1.0
    if codes is not None:
        effect = design_effect(np.where(familiar, score, np.inf)[wanted], codes[wanted])
    return Trained(
        model=Model(
            curve.slope * np.array(weights),
            curve.slope * np.array(offsets) + curve.offset,
            np.ascontiguousarray(vectors[stored]),
        ),
        score=score,
        nearest=nearest,
        folds=folds,
        familiar_from=limit,
        validated_by="image" if codes is None else "sample",
        why=why,
        effect=effect,
    )


def fit(vectors: Vectors, wanted: Bools, *, strength: float = STRENGTH) -> tuple[Doubles, float]:
    """One logistic regression, both sides weighing the same: (d,) weights and an offset."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression(C=strength, class_weight="balanced", max_iter=1_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough a thousand steps on
        made.fit(vectors.astype(np.float64), wanted)
    return made.coef_[0], float(made.intercept_[0])


def _groups(
    samples: Sequence[str | None] | None, n: int
) -> tuple[NDArray[np.int64] | None, str | None]:
    """A number for each sample, images without one being a sample each; None where too few."""
    known = [] if samples is None else [name for name in samples if name is not None]
    if samples is None or not known:
        return None, None
    names = sorted(set(known))
    if len(names) < FEWEST_SAMPLES:
        return None, f"labels are of {len(names)} samples; {FEWEST_SAMPLES} or more are needed"
    if 2 * len(known) < n:
        return None, "most labelled images have no sample"
    number = {name: code for code, name in enumerate(names)}
    codes = np.arange(n, dtype=np.int64) + len(names)
    for i, name in enumerate(samples):
        if name is not None:
            codes[i] = number[name]
    return codes, None


def _by_sample(wanted: Bools, codes: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """Folds of whole samples, None where one of them would leave a side without labels."""
    from sklearn.model_selection import StratifiedGroupKFold

    k = min(FOLDS, len(np.unique(codes)))
    folds = np.empty(len(wanted), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer of a side than folds: still two sides
        splits = list(
            StratifiedGroupKFold(k, shuffle=True, random_state=seed).split(wanted, wanted, codes)
        )
    for fold, (others, out) in enumerate(splits):
        folds[out] = fold
        if wanted[others].all() or not wanted[others].any():
            return None
    return np.unique(folds, return_inverse=True)[1]


def _by_image(wanted: Bools, seed: int) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedKFold

    k = min(FOLDS, int(wanted.sum()), int((~wanted).sum()))
    folds = np.empty(len(wanted), np.int64)
    splits = StratifiedKFold(k, shuffle=True, random_state=seed).split(wanted, wanted)
    for fold, (_, out) in enumerate(splits):
        folds[out] = fold
    return folds


def _stored(wanted: Bools, chance: np.random.Generator) -> NDArray[np.int64]:
    """Rows that are stored: all, or as many of both sides as there are."""
    if len(wanted) <= SAMPLE:
        return np.arange(len(wanted))
    sides = [chance.permutation(np.flatnonzero(wanted == side)) for side in (True, False)]
    sides.sort(key=len)
    fewer = sides[0][: SAMPLE // 2]
    return np.sort(np.concatenate([fewer, sides[1][: SAMPLE - len(fewer)]]))


def _learned(n: int, chance: np.random.Generator) -> Bools:
    learned = np.zeros(n, bool)
    learned[chance.permutation(n)[:MOST_LEARNED]] = True
    return learned


def _parts(n: int, step: int = BLOCK) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, n, step))


def _sigmoid(x: Doubles) -> Doubles:
    out: Doubles = 0.5 * (1 + np.tanh(x / 2))  # exp overflows far out
    return out
