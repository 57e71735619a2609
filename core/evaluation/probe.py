"""A linear probe: how well the simplest classifier on these vectors does on images it never saw."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.calibration import spread_folds
from core.ways import Head

FOLDS = 5

Codes = NDArray[np.integer]


def folds_of(
    codes: Codes, *, samples: Codes | None = None, folds: int = FOLDS, seed: int
) -> NDArray[np.int64]:
    """A fold for each image, kinds spread as evenly as can be; a sample stays whole.

    Parameters
    ----------
    codes : (n,) int
        The kind of each image.
    samples : (n,) int, optional
        Images of one sample come into one fold: neighbours in the sea are not new evidence.

    Returns
    -------
    (n,) int64
        0 to folds - 1; fewer folds where there are fewer samples.
    """
    if samples is None:
        return spread_folds(np.asarray(codes, np.int64), min(folds, len(codes)), seed=seed)
    from sklearn.model_selection import StratifiedGroupKFold

    out = np.zeros(len(codes), np.int64)
    number = min(folds, len(np.unique(samples)))
    split = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a kind rarer than folds is still spread
        for fold, (_, held) in enumerate(split.split(codes, codes, samples)):
            out[held] = fold
    return out


def probe(
    vectors: Vectors,
    codes: Codes,
    folds: NDArray[np.int64],
    *,
    tell: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """The kind that a regression on the other folds gives each image.

    The classifier is the one that proposes labels here (`core.ways.Head`).

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    codes : (n,) int
    folds : (n,) int
        As `folds_of` gives them.
    """
    kinds = int(codes.max()) + 1
    out = np.empty(len(codes), np.int64)
    for fold in np.unique(folds):
        held = folds == fold
        rest = np.asarray(codes[~held], np.int64)
        head = Head(np.asarray(vectors[~held]), rest, kinds)
        out[held] = head.shares(np.asarray(vectors[held])).argmax(axis=1)
        if tell is not None:
            tell(int(held.sum()))
    return out
