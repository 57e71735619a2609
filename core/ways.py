"""Ways to a share of each kind that suggestions are made of: a regression, and their weighing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors

Shares = NDArray[np.float32]
"""(b, kinds) for each image how likely each kind is; a row sums to 1, or to 0 for no say."""


class Head:
    """Multinomial logistic regression on the vectors, of which a fold may lack some kinds."""

    STRENGTH = 0.1
    """Inverse of the penalty: of 0.01, 0.1 and 1 the least log loss on held-out camera images."""

    def __init__(self, vectors: Vectors, codes: NDArray[np.int64], kinds: int) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self.kinds = kinds
        self.scale = np.float32(np.sqrt(vectors.shape[1]))  # coordinates of about 1
        self.only = int(codes[0]) if (codes == codes[0]).all() else None
        if self.only is not None:
            return
        self.model = LogisticRegression(
            C=self.STRENGTH, class_weight="balanced", max_iter=60, tol=1e-3
        )
        with warnings.catch_warnings():
            # 60 steps come within 0.001 of the log loss that it converges to
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(vectors * self.scale, codes)

    def shares(self, vectors: Vectors) -> Shares:
        """(b, kinds) probabilities of (b, d) unit rows; kinds it was not shown have 0."""
        out = np.zeros((len(vectors), self.kinds), dtype=np.float32)
        if self.only is not None:
            out[:, self.only] = 1
        elif len(vectors):
            out[:, self.model.classes_] = self.model.predict_proba(vectors * self.scale)
        return out


def mixed_shares(ways: Sequence[Shares], weights: NDArray[np.float64]) -> Shares:
    """The weighted mean of the ways that have something to say of an image."""
    total = sum(np.float32(w) * way for w, way in zip(weights, ways, strict=True))
    mixed: Shares = np.asarray(total, dtype=np.float32)
    mixed /= np.maximum(mixed.sum(axis=1, keepdims=True), np.float32(1e-12))
    return mixed


def best_weights(
    ways: Sequence[Shares], codes: NDArray[np.int64], can: tuple[bool, bool, bool]
) -> NDArray[np.float64]:
    """Weights in steps of a fifth under which held-out labels were the least surprising."""
    best, least = np.array([1.0, 0.0, 0.0]), np.inf
    each = np.arange(len(codes))
    for cluster in range(6 if can[1] else 1):
        for head in range(6 - cluster if can[2] else 1):
            weights = np.array([5 - cluster - head, cluster, head]) / 5
            said = mixed_shares(ways, weights)[each, codes]
            surprise = float(-np.log(0.98 * said + 0.002).mean())
            if surprise < least - 1e-9:
                best, least = weights, surprise
    return best


def member_counts(
    groups: NDArray[np.int64], codes: NDArray[np.int64], kinds: int, number: int
) -> Shares:
    """(clusters, kinds) validated images of each kind in each cluster."""
    counts = np.zeros((number, kinds), dtype=np.float32)
    inside = groups >= 0
    np.add.at(counts, (groups[inside], codes[inside]), 1)
    return counts
