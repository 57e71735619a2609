"""Which of the encoders compared to take, as far as the differences between them are real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.evaluation.compare import BY, is_real
from core.evaluation.figures import Figure

PURPOSES = {"To browse": BY, "To propose labels": ("linear_probe_accuracy", "knn_accuracy")}
"""What encoders are taken for, and the figure it is told by: the first there is of all of them."""


@dataclass(frozen=True)
class Best:
    """The encoder to take for a purpose."""

    purpose: str
    figure: str
    encoder: str
    rivals: tuple[str, ...]
    """Those that may be as good: the difference is not real, or not known to be."""
    others: tuple[str, ...]
    """All that it was compared with, the next best first."""
    lead: Figure | None
    """How much more it has than the next best; None where they were not compared."""

    @property
    def sentence(self) -> str:
        if not self.rivals:
            more = _in_points(self.lead)
            if len(self.others) == 1:
                return f"{self.purpose}, {self.encoder} is better than {self.others[0]}{more}."
            then = f", and than the next, {self.others[0]},{more}" if more else ""
            return f"{self.purpose}, {self.encoder} is better than all others{then}."
        *others, last = self.rivals
        named = f"{', '.join(others)} or {last}" if others else last
        return f"{self.purpose}, {self.encoder} comes out first, but {named} may be as good."


def best(meta: Mapping[str, Any]) -> list[Best]:
    """For each of `PURPOSES` the encoder to take; none where fewer than two can be compared.

    Parameters
    ----------
    meta : mapping
        What ``evaluate --json`` prints.
    """
    rows, found = meta["encoders"], []
    for purpose, figures in PURPOSES.items():
        there = (f for f in figures if all(row[f]["value"] is not None for row in rows))
        figure = next(there, None)
        if figure is None or len(rows) < 2:
            continue
        first, *others = sorted(rows, key=lambda row: -float(row[figure]["value"]))
        rivals = tuple(
            row["encoder"]
            for row in others
            if (gap := difference(meta, figure, row["encoder"], first["encoder"])) is None
            or not is_real(gap)
        )
        names = tuple(row["encoder"] for row in others)
        lead = difference(meta, figure, names[0], first["encoder"])
        found.append(Best(purpose, figure, first["encoder"], rivals, names, lead))
    return found


def _in_points(lead: Figure | None) -> str:
    if lead is None or lead.value is None or lead.low is None or lead.high is None:
        return ""
    low, value, high = (100 * end for end in (lead.low, lead.value, lead.high))
    digits = 0 if min(abs(low), abs(value)) >= 1 else 1
    return f" by {value:.{digits}f} points (95 %: {low:.{digits}f} to {high:.{digits}f})"


def difference(meta: Mapping[str, Any], figure: str, of: str, to: str) -> Figure | None:
    """By how much a figure of `to` is larger than that of `of`, whichever was named first.

    Returns
    -------
    Figure or None
        None where the two were not compared by it.
    """
    for pair in meta["comparisons"]:
        if figure not in pair["differences"]:
            continue
        found = Figure.from_json(pair["differences"][figure])
        if pair["encoders"] == [of, to]:
            return found
        if pair["encoders"] == [to, of]:
            return turned(found)
    return None


def turned(figure: Figure) -> Figure:
    """The difference seen from the other side.

    Examples
    --------
    >>> turned(Figure(0.2, -0.1, 0.5))
    Figure(value=-0.2, low=-0.5, high=0.1, why=None)
    """
    value, low, high = (None if end is None else -end for end in
                        (figure.value, figure.high, figure.low))  # fmt: skip
    return Figure(value, low, high, figure.why)
