"""An audit of a filter on the images it was trained beside: those it drops that nobody labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.auditing import Lost, estimate, place_of, recall_about
from core.screen import Screen

SEED = 0
"""Of the order in which images are asked for wherever answers are kept."""


@dataclass(frozen=True)
class Audited:
    """What the answers so far say of a filter at its threshold."""

    dropped: int
    """Images without a label that it drops."""
    wanted: int
    """Of those looked at, how many should have been kept."""
    unsure: int
    """Looked at, and left out."""
    lost: Lost | None
    """None before the first answer."""
    recall: tuple[float, float, float] | None
    """Of wanted images without a label the share kept, and its 95 % interval; scores of kept images
    are taken at their word."""
    ahead: tuple[str, ...]
    """Ids to look at next, in their order."""

    def as_json(self) -> dict[str, Any]:
        """Plain fields; None stands for what nobody has looked at yet."""
        lost = self.lost
        return {
            "dropped": self.dropped,
            "looked_at": 0 if lost is None else lost.looked_at,
            "wanted": self.wanted,
            "unsure": self.unsure,
            "lost_share": None if lost is None else lost.share,
            "ci95": None if lost is None else [lost.low, lost.high],
            "recall_about": None
            if self.recall is None
            else {"value": self.recall[0], "ci95": list(self.recall[1:])},
        }

    def holds(self, target: float) -> Literal["yes", "no", "doubt"] | None:
        """Whether a target recall is reached there; None where nothing is known."""
        if self.recall is None:
            return None
        _, low, high = self.recall
        return "yes" if low >= target else "no" if high < target else "doubt"


def audited(screen: Screen, answers: Mapping[str, bool | None], *, seed: int) -> Audited:
    """Reckon what a filter loses from images looked at in a shuffled order.

    Only the unbroken beginning of the order counts, for it is a random sample at any threshold: at
    a lower one some of it is no longer dropped, at a higher one others come in between and are
    shown first.

    Parameters
    ----------
    answers : id -> bool or None
        Whether an image should have been kept; None where nobody can say.
    seed : int
        Decides the order.
    """
    s = screen.screened
    unlabelled = s.truth < 0
    keep = s.effective >= screen.threshold
    rows = np.flatnonzero(unlabelled & ~keep)
    order = sorted((s.ids[row] for row in rows), key=lambda id: place_of(id, seed))
    n = next((i for i, id in enumerate(order) if id not in answers), len(order))
    said = [answers[id] for id in order[:n]]
    sure = [answer for answer in said if answer is not None]
    lost = estimate(sum(sure), len(sure), len(order)) if sure else None
    recall = None
    if lost is not None:
        weights = np.where(s.unfamiliar, 0.0, s.score)
        recall = recall_about(float(weights[unlabelled & keep].sum()), lost)
    return Audited(
        dropped=len(order),
        wanted=sum(sure),
        unsure=len(said) - len(sure),
        lost=lost,
        recall=recall,
        ahead=tuple(id for id in order[n:] if id not in answers),
    )
