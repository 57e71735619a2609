"""What a person should know of an encoder, and what makes two sets of vectors comparable."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """What a person should know before choosing an encoder."""

    name: str
    """As it is asked for, e.g. ``openclip:ViT-B-32/laion2b_s34b_b79k``."""
    dimension: int
    """Numbers in a vector."""
    weights: str
    """Where the weights come from; ``none`` when there are none."""
    licence: str
    download_mb: float | None
    """Megabytes fetched at first use; 0 when nothing is, None when unknown."""
    reads_text: bool
    """Whether a description in words can be a query."""
    about: str
    """One sentence for the page."""


@dataclass(frozen=True)
class Identity:
    """Two vectors may be compared only when these are equal.

    Library versions are provenance, recorded elsewhere, and never part of it.
    """

    name: str
    weights: str
    """Hash of the weights, ``none`` when there are none."""
    preprocessing: int
    """Counted up whenever the same image would give other numbers."""
    dimension: int
    fit: str | None = None
    """Hash of what was fitted on the collection, None when nothing is."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Identity:
        return cls(**fields)
