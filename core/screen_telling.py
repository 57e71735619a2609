"""A trained filter in words: what it promises and costs, for a terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.showing import printable, table

EXAMPLES = 5
"""Images named of each sort."""
ROWS = 40
"""Kinds, or samples, in a table."""


def percent(share: float, digits: int = 1) -> str:
    """A share in words; never rounded up to all of it, nor down to nothing.

    Examples
    --------
    >>> percent(0.99), percent(0.9996), percent(1.0), percent(0.0004)
    ('99.0 %', '>99.9 %', '100 %', '<0.1 %')
    """
    least = 10**-digits
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if 100 * share > 100 - least:
        return f">{100 - least:.{digits}f} %"
    if 100 * share < least:
        return f"<{least:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


def goal(share: float) -> str:
    """A target recall in words.

    Examples
    --------
    >>> goal(0.995), goal(0.9)
    ('99.5 %', '90 %')
    """
    return f"{100 * share:g} %"


def digits(threshold: float) -> str:
    """Three digits, and more just below 1, where the scores of most plankton crowd."""
    left = 1 - threshold
    if 1e-6 < left < 0.01:
        return f"{threshold:.{1 - math.floor(math.log10(left))}f}"
    return f"{threshold:.3g}"


def gained(labels: int, points: float, low: float, high: float, *, mark: str = "") -> str:
    """What more labels would bring; where it may be nothing, that is said.

    Parameters
    ----------
    labels : int
    points, low, high : float
        Of accuracy, with the ends of the 95 % interval.
    mark : str
        Put around what matters most, such as ``**``.
    """
    would, nothing = ("would", "") if low > 0 else ("may", ", or nothing")
    ends = f"{low:z.1f} to {high:z.1f}".replace("-", "−")
    return (
        f"About {mark}{labels:,} more labels {would} gain {points:.1f} points{mark} of "
        f"accuracy{nothing} (95 %: {ends}), if they come like those there are."
    )


def told(figures: Mapping[str, Any]) -> list[str]:
    """Lines for people of what ``screen train --json`` and ``screen show --json`` print."""
    made = [f"{figures['model']}: {_promise(figures)}", _price(figures), _checked(figures)]
    made += _looked_at(figures.get("audit"))
    gain = figures["learning"].get("gain")
    if gain:
        made.append(gained(*(gain[name] for name in ("labels", "points", "low", "high"))))
    else:
        why = figures["learning"].get("why") or "not measured"
        made.append(f"What more labels would gain cannot be said: {why}.")
    for title, parts in (
        ("to keep", [part for part in figures["kinds"] if part["wanted"]]),
        ("to drop", [part for part in figures["kinds"] if not part["wanted"]]),
        ("sample", figures["samples"]),
    ):
        made += _parts(title, parts)
    for name, title in (
        ("lost", "to keep, but dropped"),
        ("rubbish", "to drop, but kept"),
        ("strange", "unlike all that is labelled, so kept"),
    ):
        made += _images(title, figures.get(name, ()))
    return [printable(line) for line in [*made, "", "--json gives all"]]


def _promise(figures: Mapping[str, Any]) -> str:
    asked = goal(figures["target_recall"])
    if figures["promised"]:
        return f"at least {asked} of what is to keep is kept, promised with 95 % confidence"
    n = figures["labels_needed"]
    if not n:
        return f"{asked} is promised at a lower threshold, not at this one, which is an estimate"
    return (
        f"{asked} cannot be promised yet: about {n:,} more label{'' if n == 1 else 's'} to keep "
        "would be needed, none of them lost; until then the threshold is an estimate"
    )


def _price(figures: Mapping[str, Any]) -> str:
    low, high = figures["recall_ci95"]
    stored = figures["dropped_bytes_share"]
    of_bytes = "" if stored is None else f", {percent(stored)} of the bytes"
    lost, strange = figures["expected_lost"], figures["unfamiliar"]
    return (
        f"Threshold {digits(figures['threshold'])} drops {percent(figures['dropped_share'])} of "
        f"the images{of_bytes}, and keeps {percent(figures['recall'])} (95 %: {percent(low)} to "
        f"{percent(high)}) of what is to keep: about {_count(lost)} of these images lost. "
        f"{strange:,} with a lower score {'is' if strange == 1 else 'are'} kept as unlike all "
        "that is labelled."
    )


def _checked(figures: Mapping[str, Any]) -> str:
    learned = figures["training"]
    how = "by sample, each judged by filters trained on others"
    if figures["validated_by"] == "image":
        why = figures["validated_by_why"] or "no image has a sample"
        how = f"by image, not by sample ({why}): expect less of new samples"
    return (
        f"Checked {how}. Trained on {learned['keep']:,} images to keep and {learned['drop']:,} to "
        f"drop; accuracy {figures['accuracy']:.3f}, average precision "
        f"{figures['average_precision']:.3f}."
    )


def _looked_at(audit: Mapping[str, Any] | None) -> list[str]:
    if audit is None or not audit["looked_at"]:
        return []
    low, high = audit["ci95"]
    return [
        f"Of {audit['dropped']:,} images without a label that it drops {audit['looked_at']:,} were "
        f"looked at again and {audit['wanted']:,} should have been kept: "
        f"{percent(audit['lost_share'])} (95 %: {percent(low)} to {percent(high)})."
    ]


def _count(expected: float) -> str:
    return f"{expected:,.0f}" if expected >= 100 else f"{expected:.3g}"


def _parts(title: str, parts: Sequence[Mapping[str, Any]]) -> list[str]:
    if not parts:
        return []
    head = [title, "kept", "of labelled", "share (95 %)", "dropped of all", "expected lost"]
    width = len(head) - (parts[0]["wanted"] is False)  # nothing is lost of what is to drop
    rows = []
    for part in parts[:ROWS]:
        share = "-"
        if part["share_kept"] is not None:
            low, high = part["ci95"]
            share = f"{percent(part['share_kept'])} ({percent(low)} to {percent(high)})"
        counts = [f"{part['kept']:,}", f"{part['labelled']:,}"]
        rest = [percent(part["dropped_share"]), _count(part["expected_lost"])]
        rows.append([part["name"], *counts, share, *rest])
    left = len(parts) - len(rows)
    more = [f"and {left:,} more"] if left else []
    return ["", *table(row[:width] for row in [head, *rows]), *more]


def _images(title: str, ids: Sequence[str]) -> list[str]:
    if not ids:
        return []
    more = f" (the first {EXAMPLES} of {len(ids)} listed)" if len(ids) > EXAMPLES else ""
    return ["", f"{title}{more}:", *(f"  {id}" for id in ids[:EXAMPLES])]
