"""What a filter costs at a threshold: what it keeps, what it drops, what is lost, and how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RangeError, ShapeError
from core.promise import Promise, interval, promise
from core.screening import ValidatedBy

POINTS = 201
"""Most points of a curve."""

EVEN = 0.5
"""Score from which an image is likelier one to keep."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """One kind or sample."""

    name: str
    wanted: bool | None
    """Whether it is a kind to keep; None for a sample."""
    images: int
    """Labelled images of a kind; all images of a sample."""
    labelled: int
    """Those the recall is a share of: labelled images of the kind, or wanted ones of the sample."""
    kept: int
    share_kept: float | None
    """kept of labelled, the recall where it is to keep; None where none is labelled."""
    ci95: Interval | None
    dropped_share: float
    """Of its images, whether labelled or not."""
    expected_lost: float
    """Wanted images dropped: labelled ones counted, others by their score."""

    def as_json(self) -> dict[str, Any]:
        fields = {**vars(self), "ci95": None if self.ci95 is None else list(self.ci95)}
        if self.share_kept is None:
            fields["why"] = "no labelled image to keep is of it"
        return fields


@dataclass(frozen=True)
class Outcome:
    """Everything at one threshold."""

    threshold: float
    recall: float
    """Share of the labelled wanted images that are kept, out of fold, unfamiliar ones included."""
    recall_ci95: Interval
    dropped_share: float
    """Of all images: labelled ones out of fold, others by the model."""
    dropped_bytes_share: float | None
    kept: int
    dropped: int
    unfamiliar: int
    """Kept though their score is below the threshold."""
    accuracy: float
    """Share of labelled images decided rightly at this threshold."""
    expected_lost: float
    """Wanted images among the dropped: labelled ones counted, others by their score."""
    kinds: tuple[Part, ...]
    """The worst kept of those to keep first, then the most kept of the others."""
    samples: tuple[Part, ...]
    """The worst kept first; empty where no sample is known."""
    why: dict[str, str]
    """For each figure that is None, the reason."""

    def as_json(self) -> dict[str, Any]:
        return {
            **{k: v for k, v in vars(self).items() if k not in ("kinds", "samples")},
            "recall_ci95": list(self.recall_ci95),
            "kinds": [part.as_json() for part in self.kinds],
            "samples": [part.as_json() for part in self.samples],
        }


@dataclass(frozen=True)
class Screened:
    """Every image of a collection as a filter scores it; `at` is asked as often as one likes.

    Arrays have one entry an image, in the order of `ids`.
    """

    ids: list[str]
    score: NDArray[np.float64]
    """Out of fold where the image is labelled, else the model's."""
    unfamiliar: NDArray[np.bool_]
    truth: NDArray[np.int8]
    """1 to keep, 0 to drop, -1 not labelled."""
    kind: NDArray[np.int32]
    """Its label in `kinds`, -1 for none."""
    kinds: list[str]
    sample: NDArray[np.int32]
    """Its sample in `samples`, -1 for none."""
    samples: list[str]
    size_bytes: NDArray[np.float64]
    """Of its file, NaN where that is not known."""
    effect: float
    """Design effect of the recall's interval."""
    validated_by: ValidatedBy

    def __post_init__(self) -> None:
        n = len(self.ids)
        arrays = (self.score, self.unfamiliar, self.truth, self.kind, self.sample, self.size_bytes)
        if any(each.shape != (n,) for each in arrays):
            raise ShapeError(f"{n} images, arrays of {[len(a) for a in arrays]}; expected one each")
        if not (self.truth == 1).any() or not (self.truth == 0).any():
            raise ShapeError("labels of one side are missing; expected images to keep and to drop")

    @cached_property
    def effective(self) -> NDArray[np.float64]:
        """(n,) score, infinite where an image is kept at any threshold."""
        return np.where(self.unfamiliar, np.inf, self.score)

    @cached_property
    def _labelled(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.truth >= 0)

    @property
    def accuracy(self) -> float:
        """Share of labelled images on the right side of a score of 0.5, out of fold."""
        rows = self._labelled
        return float(((self.score[rows] >= EVEN) == (self.truth[rows] == 1)).mean())

    @property
    def average_precision(self) -> float:
        """Of the images to keep, out of fold; ``scikit-learn``'s."""
        from sklearn.metrics import average_precision_score

        rows = self._labelled
        return float(average_precision_score(self.truth[rows] == 1, self.score[rows]))

    def promise(self, target: float) -> Promise:
        """The threshold for a target recall, and whether it can be promised.

        Raises
        ------
        RangeError
            If the target is not in 0.5 to 0.999.
        """
        return promise(self.effective[self.truth == 1], target, effect=self.effect)

    def at(self, threshold: float) -> Outcome:
        """What happens at a threshold, in milliseconds for 100,000 images.

        Raises
        ------
        RangeError
            If the threshold is not in 0 to 1.
        """
        if not 0 <= threshold <= 1:
            raise RangeError(f"the threshold is {threshold}; expected 0 to 1")
        keep = self.effective >= threshold
        wanted = self.truth == 1
        n, kept = int(wanted.sum()), int((keep & wanted).sum())
        lost = np.where(keep, 0.0, np.where(self.truth < 0, self.score, wanted))
        rows = self._labelled
        why: dict[str, str] = {}
        share = self._bytes(keep)
        if share is None:
            why["dropped_bytes_share"] = (
                "images are not a file each, or their sizes are not in the catalogue"
            )
        return Outcome(
            threshold=threshold,
            recall=kept / n,
            recall_ci95=interval(kept, n, effect=self.effect),
            dropped_share=float((~keep).mean()),  # 1 - mean would differ from the curve's
            dropped_bytes_share=share,
            kept=int(keep.sum()),
            dropped=int((~keep).sum()),
            unfamiliar=int((keep & (self.score < threshold)).sum()),
            accuracy=float((keep[rows] == wanted[rows]).mean()),
            expected_lost=float(lost.sum()),
            kinds=self._kinds(keep, lost),
            samples=self._samples(keep, lost),
            why=why,
        )

    def _bytes(self, keep: NDArray[np.bool_]) -> float | None:
        total = float(self.size_bytes.sum())
        if not total > 0:  # NaN too
            return None
        return float(self.size_bytes[~keep].sum() / total)

    def _kinds(self, keep: NDArray[np.bool_], lost: NDArray[np.float64]) -> tuple[Part, ...]:
        rows = self._labelled
        rows = rows[self.kind[rows] >= 0]
        m = len(self.kinds)
        of, kept = self._count(self.kind[rows], m), self._count(self.kind[rows], m, keep[rows])
        gone = self._count(self.kind[rows], m, lost[rows])
        side = np.zeros(m, bool)
        side[self.kind[rows]] = self.truth[rows] == 1
        parts = [
            Part(
                name=self.kinds[i],
                wanted=bool(side[i]),
                images=int(of[i]),
                labelled=int(of[i]),
                kept=int(kept[i]),
                share_kept=float(kept[i] / of[i]),
                ci95=interval(int(kept[i]), int(of[i])),
                dropped_share=float(1 - kept[i] / of[i]),
                expected_lost=float(gone[i]),
            )
            for i in np.flatnonzero(of)
        ]
        parts.sort(
            key=lambda p: (not p.wanted, (p.share_kept or 0) * (1 if p.wanted else -1), p.name)
        )
        return tuple(parts)

    def _samples(self, keep: NDArray[np.bool_], lost: NDArray[np.float64]) -> tuple[Part, ...]:
        rows = np.flatnonzero(self.sample >= 0)
        m, code, wanted = len(self.samples), self.sample[rows], self.truth[rows] == 1
        images, labelled = self._count(code, m), self._count(code, m, wanted)
        kept, dropped = self._count(code, m, keep[rows] & wanted), self._count(code, m, ~keep[rows])
        gone = self._count(code, m, lost[rows])
        parts = [
            Part(
                name=self.samples[i],
                wanted=None,
                images=int(images[i]),
                labelled=int(labelled[i]),
                kept=int(kept[i]),
                share_kept=float(kept[i] / labelled[i]) if labelled[i] else None,
                ci95=interval(int(kept[i]), int(labelled[i])) if labelled[i] else None,
                dropped_share=float(dropped[i] / images[i]),
                expected_lost=float(gone[i]),
            )
            for i in np.flatnonzero(images)
        ]
        parts.sort(key=lambda p: (p.share_kept is None, p.share_kept or 0, p.name))
        return tuple(parts)

    @staticmethod
    def _count(
        codes: NDArray[np.int32], m: int, weights: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        return np.bincount(codes, weights, m).astype(np.float64)

    def precision_recall(self, thresholds: Sequence[float] | None = None) -> dict[str, list[float]]:
        """``threshold``, ``precision`` and ``recall`` of labelled images, ascending thresholds.

        Those given, else at most `POINTS`; without those above which no labelled image is left.
        """
        thresholds = self._thresholds() if thresholds is None else thresholds
        rows = self._labelled
        wanted = self.truth[rows] == 1
        above = [self.effective[rows] >= t for t in thresholds]
        right = [int((each & wanted).sum()) for each in above]
        some = [i for i, each in enumerate(above) if each.any()]
        return {
            "threshold": [thresholds[i] for i in some],
            "precision": [right[i] / int(above[i].sum()) for i in some],
            "recall": [right[i] / int(wanted.sum()) for i in some],
        }

    def kept_dropped(self, thresholds: Sequence[float] | None = None) -> dict[str, list[float]]:
        """``threshold``, ``recall`` with ``low`` and ``high``, and ``dropped_share`` of all.

        At the thresholds given, else at most `POINTS` of them.
        """
        thresholds = self._thresholds() if thresholds is None else thresholds
        wanted, every = np.sort(self.effective[self.truth == 1]), np.sort(self.effective)
        n = len(wanted)
        kept = n - np.searchsorted(wanted, thresholds)
        ends = [interval(int(k), n, effect=self.effect) for k in kept]
        return {
            "threshold": list(thresholds),
            "recall": (kept / n).tolist(),
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
            "dropped_share": (np.searchsorted(every, thresholds) / len(every)).tolist(),
        }

    def _thresholds(self) -> list[float]:
        """Scores of all images, thinned evenly to at most `POINTS`, from 0 to 1."""
        quantiles = np.quantile(self.score, np.linspace(0, 1, POINTS - 2), method="lower")
        ends = np.array([0.0, 1.0])
        return [float(t) for t in np.unique(np.concatenate([ends, quantiles]))]

    def nearest(self, threshold: float, k: int = 12) -> tuple[list[str], list[str]]:
        """Ids just kept and just dropped by their score, the nearest to the threshold first."""
        known = np.flatnonzero(~self.unfamiliar)
        order = known[np.argsort(self.score[known], kind="stable")]
        at = int(np.searchsorted(self.score[order], threshold))
        return self._named(order[at : at + k]), self._named(order[max(0, at - k) : at][::-1])

    def lost(self, threshold: float, k: int = 24) -> list[str]:
        """Ids labelled to keep that would be dropped, the surest mistakes first."""
        rows = np.flatnonzero((self.truth == 1) & (self.effective < threshold))
        return self._named(rows[np.argsort(self.score[rows], kind="stable")][:k])

    def rubbish(self, threshold: float, k: int = 24) -> list[str]:
        """Ids labelled to drop that would be kept, the surest mistakes first."""
        rows = np.flatnonzero((self.truth == 0) & (self.effective >= threshold))
        return self._named(rows[np.argsort(-self.score[rows], kind="stable")][:k])

    def strange(self, k: int = 24) -> list[str]:
        """Ids kept for being unfamiliar, those with the lowest scores first."""
        rows = np.flatnonzero(self.unfamiliar)
        return self._named(rows[np.argsort(self.score[rows], kind="stable")][:k])

    def _named(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        return [self.ids[row] for row in rows]
