"""What the figures come to, in words a group lead can act on. The rules, all of them:

To browse (are neighbours of the same kind?), by how far precision at 24 is on the way from chance
to its ceiling, at the lower end of its interval:

- ``no`` below 0.1, or when its lead over sorting by size alone may be chance;
- ``patience`` from 0.1;
- ``good`` from 0.25: of the neighbours of a common kind every fourth or more is right beyond luck.

To label (can proposed labels be accepted?), by the better accuracy of kNN and probe, at the lower
end of its interval:

- ``no`` below 0.8: every label is to be checked;
- ``check`` from 0.8: a look through a screen of proposals before it is accepted;
- ``bulk`` from 0.95: accepted in bulk, with spot checks.

What labelling brings is told from the measured curve, and beyond it only where that held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.evaluation.figures import NEW

PATIENCE, GOOD = 0.1, 0.25
CHECK, BULK = 0.8, 0.95
FROM, TO = 5, 20
"""Labels per kind between which the gain is told."""
NAMED = 3
"""Kinds named that are not told apart."""

Browse = Literal["good", "patience", "no", "unknown"]
Label = Literal["bulk", "check", "no", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """What an encoder is good for."""

    browse: Browse
    label: Label
    sentence: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def verdict(
    row: Mapping[str, Any],
    *,
    ceiling: Mapping[str, float],
    by_size: Mapping[str, Any] | None = None,
    kinds: Sequence[str] = (),
) -> Verdict:
    """Say what an encoder is good for.

    Parameters
    ----------
    row : mapping
        A row of the table, as in ``evaluate --json``.
    ceiling : figure -> value
        Of a perfect encoder.
    by_size : mapping, optional
        The difference in precision to sorting by size, with ``real`` and ``value``.
    kinds : names, optional
        By number, for the kinds that took part in the curve.
    """
    browse, browsing = _browse(row, ceiling, by_size)
    label, labelling = _label(row)
    if browse == label == "unknown":
        return Verdict(
            browse,
            label,
            f"Nothing can be said yet: {row['knn_accuracy'].get('why', 'no labels')}. Label some "
            "images of every kind first.",
        )
    return Verdict(browse, label, " ".join([browsing, labelling, *_gain(row), *_lost(row)]))


def _browse(
    row: Mapping[str, Any], ceiling: Mapping[str, float], by_size: Mapping[str, Any] | None
) -> tuple[Browse, str]:
    for k in (24, 5, 1):
        name = f"precision_at_{k}"
        value, interval = row[name]["value"], row[name]["ci95"]
        if value is not None:
            break
    else:
        return "unknown", "Whether it is good enough to browse is not known."
    chance, best = row["chance"][name]["value"], ceiling[name]
    low = value if interval is None else interval[0]
    way = (low - chance) / (best - chance) if best > chance else 0.0
    said = (
        f"of an image's {k} nearest {value * k:.1f} are of its kind (by chance {chance * k:.1f}, "
        f"at best {best * k:.1f})"
    )
    if by_size is not None and not (by_size["real"] and by_size["value"] > 0):
        return "no", f"Not good enough to browse: no better than sorting by size; {said}."
    if way < PATIENCE:
        return "no", f"Not good enough to browse: {said}."
    if way < GOOD:
        return "patience", f"To browse with patience: {said}."
    return "good", f"Good enough to browse: {said}."


def _label(row: Mapping[str, Any]) -> tuple[Label, str]:
    new = row.get(NEW, {"value": None})
    # a classifier is tested on other samples, and so are the votes it is compared with
    of_new = new["value"] is not None
    ways = [new if of_new else row["knn_accuracy"], row["linear_probe_accuracy"]]
    there = [way for way in ways if way["value"] is not None]
    if not there:
        return "unknown", "Whether it can label is not known."
    best = max(there, key=lambda way: way["value"])
    low = best["value"] if best["ci95"] is None else best["ci95"][0]
    said = f"{100 * best['value']:.0f} of 100 proposed labels are right"
    if of_new:
        said += " in a new sample"
        if (inside := row["knn_accuracy"]["value"]) is not None and inside > best["value"]:
            said += f", {100 * inside:.0f} where others of its sample are labelled"
    if low < CHECK:
        return "no", f"Not to label without checking each: {said}."
    if low < BULK:
        return "check", f"To label after a look at every screen of proposals: {said}."
    return "bulk", f"Good enough to accept labels in bulk, with spot checks: {said}."


def _gain(row: Mapping[str, Any]) -> list[str]:
    curve = row.get("label_efficiency")
    if not curve or curve["why"] is not None:
        return []
    way = max(("knn", "probe"), key=lambda way: float(curve[way][-1]["mean"]))
    by_labels = {int(point["labels"]): float(point["mean"]) for point in curve[way]}
    top = max(n for n in by_labels if n <= TO)
    few = FROM if top > FROM else min(by_labels)
    if top == few:
        return []
    said = [
        f"Labelling {top} of each kind is expected to bring {by_labels[few]:.2f} (with {few}) to "
        f"{by_labels[top]:.2f}, on the {len(curve['kinds'])} kinds with images enough to tell."
    ]
    more = curve["extended"].get(way)
    if more is None or more["accuracy"]["value"] is None:
        return said
    last, value = max(by_labels), more["accuracy"]["value"]
    low, high = more["accuracy"]["ci95"]
    points = round(100 * (value - by_labels[last]))
    gained = f"about {points} point{'' if points == 1 else 's'} more" if points > 0 else "no more"
    return [
        *said,
        f"With {more['labels']} instead of {last} expect {gained}: {value:.2f} ({low:.2f} to "
        f"{high:.2f}).",
    ]


def _lost(row: Mapping[str, Any]) -> list[str]:
    every = row.get("kinds") or []
    lost = [each["kind"] for each in every if each["told_apart"] is False]
    if not lost:
        return []
    named = ", ".join(lost[:NAMED]) + (" and others" if len(lost) > NAMED else "")
    return [f"It cannot tell apart {len(lost)} of {len(every)} kinds: {named}."]
