"""A figure with its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

TITLES = {
    "precision_at_1": "nearest is of the kind",
    "precision_at_5": "of 5 nearest, share of the kind",
    "precision_at_24": "of 24 nearest, share of the kind",
    "mean_average_precision": "mean average precision",
    "knn_accuracy": "5 nearest vote right",
    "knn_macro_f1": "the same, macro F1",
    "knn_balanced_accuracy": "the same, kinds weigh the same",
    "knn_new_samples": "5 nearest of other samples vote right",
    "linear_probe_accuracy": "a classifier is right",
    "linear_probe_macro_f1": "the same, macro F1",
    "linear_probe_balanced_accuracy": "the same, kinds weigh the same",
    "ami": "clusters against labels, AMI",
    "ari": "clusters against labels, ARI",
    "label_silhouette": "silhouette of the labels",
}
"""What can be measured, in words, in the order of tables."""
NEW = "knn_new_samples"
"""The only one that takes samples."""

DIGITS = 6


@dataclass(frozen=True)
class Figure:
    """What was measured, and how far it can be off."""

    value: float | None
    low: float | None = None
    """Ends of the 95 % interval."""
    high: float | None = None
    why: str | None = None
    """Why the value, or its interval, cannot be had."""

    def as_json(self) -> dict[str, Any]:
        """``value``, ``ci95`` and, where something is missing, ``why``; never NaN."""
        interval = None
        if self.low is not None and self.high is not None:
            interval = [_plain(self.low), _plain(self.high)]
        value = None if self.value is None else _plain(self.value)
        said: dict[str, Any] = {"value": value, "ci95": interval}
        return said if self.why is None else {**said, "why": self.why}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Figure:
        """What `as_json` gave."""
        low, high = fields["ci95"] or (None, None)
        return cls(fields["value"], low, high, fields.get("why"))

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        ends = self.ends()
        return f"{decimals(self.value)} ({ends})" if ends else decimals(self.value)

    def ends(self, *, signed: bool = False) -> str:
        """The interval in words; nothing where there is none."""
        if self.low is None or self.high is None:
            return ""
        return " to ".join(decimals(end, signed=signed) for end in (self.low, self.high))


def decimals(value: float, *, signed: bool = False) -> str:
    """Three decimals; more of a value that would read as 0, and no minus before a 0.

    Examples
    --------
    >>> decimals(0.36612), decimals(0.00031, signed=True), decimals(-0.0)
    ('0.366', '+0.0003', '0.000')
    """
    digits = 3
    while value and digits < DIGITS and abs(value) < 0.5 * 10.0**-digits:
        digits += 1
    return f"{value:{'+' if signed else ''}z.{digits}f}"


def absent(why: str) -> Figure:
    """A figure that cannot be had."""
    return Figure(None, why=why)


def _plain(value: float) -> float:
    if not isfinite(value):
        raise ValueError(f"a figure is {value}; expected a number, or none with a reason")
    return round(float(value), DIGITS) + 0.0
