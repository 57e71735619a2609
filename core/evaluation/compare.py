"""Two encoders on the same images: what differs, whether it is real, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation import classes
from core.evaluation.bootstrap import Resamples
from core.evaluation.figures import Figure
from core.evaluation.measuring import SCORES, Codes, Measured

SHOWN = 24
"""Images on which two encoders disagree most that are listed."""
BY = ("precision_at_24", "precision_at_5", "precision_at_1")
"""What disagreement is measured by: the first there is."""


def compare(
    rows: Sequence[Measured],
    baselines: Sequence[Measured],
    ids: Sequence[str],
    codes: Codes,
    resamples: Resamples,
) -> list[dict[str, Any]]:
    """Every pair of encoders, and each encoder with each baseline.

    Returns
    -------
    list of dict
        ``encoders`` (two names), ``differences`` (figure -> the second less the first, with
        ``ci95`` and whether it is ``real``), ``disagree`` (images, the most different first).
    """
    pairs = [*combinations(rows, 2), *((base, row) for base in baselines for row in rows)]
    return [
        {
            "encoders": [first.encoder, second.encoder],
            "differences": {
                name: {**figure.as_json(), "real": is_real(figure)}
                for name, figure in differences(first, second, codes, resamples).items()
            },
            "disagree": disagreements(first, second, ids),
        }
        for first, second in pairs
        if first.scores and second.scores
    ]


def differences(
    first: Measured, second: Measured, codes: Codes, resamples: Resamples
) -> dict[str, Figure]:
    """How much larger the second's figures are; both are drawn together, image by image.

    Figures of clusters are left out: they are no figures of images.
    """
    found: dict[str, Figure] = {}
    for figure, score in SCORES.items():
        if score not in first.scores or score not in second.scores:
            continue
        gap = second.scores[score] - first.scores[score]
        seen = [made.pseudo.get(score, made.scores[score]) for made in (first, second)]
        found[figure] = resamples.difference(gap, seen[1] - seen[0])
    for way, prefix in (("knn", "knn"), ("probe", "linear_probe")):
        for name, of in (
            ("macro_f1", classes.macro_f1),
            ("balanced_accuracy", classes.balanced_accuracy),
        ):
            one, other = first.decided[way], second.decided[way]

            def gap_of(
                weights: NDArray[np.floating] | None,
                of: Any = of,
                one: Codes = one,
                other: Codes = other,
            ) -> float:
                return float(of(codes, other, weights) - of(codes, one, weights))

            found[f"{prefix}_{name}"] = resamples.figure(gap_of(None), gap_of)
    return found


def is_real(difference: Figure) -> bool | None:
    """Whether 0 is outside the interval; None without one."""
    if difference.low is None or difference.high is None:
        return None
    return not difference.low <= 0 <= difference.high


def disagreements(first: Measured, second: Measured, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The images that one finds the kind of and the other does not, the most different first."""
    name = next((each for each in BY if each in first.scores and each in second.scores), None)
    if name is None:
        return []
    one, other = first.scores[name], second.scores[name]
    order = np.argsort(-np.abs(other - one), kind="stable")[:SHOWN]
    return [
        {
            "id": ids[row],
            "by": name,
            "scores": [round(float(one[row]), 4), round(float(other[row]), 4)],
        }
        for row in order
        if one[row] != other[row]
    ]
