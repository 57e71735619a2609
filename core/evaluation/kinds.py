"""What an encoder makes of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.evaluation.bootstrap import Resamples
from core.evaluation.classes import ENOUGH, confusion, not_told_apart, recall_range, taken_for
from core.evaluation.figures import Figure, absent
from core.evaluation.measuring import Codes, Measured
from core.evaluation.retrieval import precision_ceiling

LOOKED_AT = 24


def per_kind(
    made: Measured, codes: Codes, kinds: Sequence[str], resamples: Resamples
) -> list[dict[str, Any]]:
    """A row a kind, the best found first.

    Returns
    -------
    list of dict
        ``kind``, ``images``, ``precision_at_24`` with its ``ceiling``, ``knn_recall`` and
        ``linear_probe_recall``, what the probe takes it for (``taken_for``: kind, images, share),
        and ``told_apart``: False where every way gets it wrong more often than right for sure,
        None of a handful of images.
    """
    if not made.decided:
        return []
    matrices = {way: confusion(codes, d, len(kinds)) for way, d in made.decided.items()}
    lost = set(not_told_apart(list(matrices.values())))
    ceiling = precision_ceiling(codes, k=LOOKED_AT)
    scores = made.scores.get("precision_at_24")
    rows = []
    for number, kind in enumerate(kinds):
        mine = codes == number
        images = int(mine.sum())
        precision = absent(f"{len(codes)} images; expected more than {LOOKED_AT}")
        if scores is not None:
            precision = resamples.mean(np.where(mine, scores, np.nan))
        row: dict[str, Any] = {
            "kind": kind,
            "images": images,
            "precision_at_24": precision.as_json(),
            "ceiling": round(float(ceiling[mine].mean()), 6),
        }
        for way, name in (("knn", "knn_recall"), ("probe", "linear_probe_recall")):
            right = int(matrices[way][number, number])
            row[name] = Figure(right / images, *recall_range(right, images)).as_json()
        row["taken_for"] = [
            {"kind": kinds[t.kind], "images": t.images, "share": round(t.share, 6)}
            for t in taken_for(matrices["probe"], number)
        ]
        row["told_apart"] = None if images < ENOUGH else number not in lost
        rows.append(row)
    rows.sort(key=lambda row: (-(row["linear_probe_recall"]["value"]), row["kind"]))
    return rows
