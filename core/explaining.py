"""In which named measures two images of a collection agree and differ."""

from __future__ import annotations

from dataclasses import dataclass

from core.catalogue import Image
from core.encoders.descriptors import Descriptors
from core.errors import EncoderError, NotFoundError
from core.library import Library, View
from core.snapshot import open_snapshot

ALIKE = 0.5
"""Robust standard deviations within which two images count as alike in a measure."""


@dataclass(frozen=True)
class Compared:
    """One measure of two images, as a person reads it."""

    name: str
    a_text: str
    b_text: str
    difference: float
    """b - a in robust standard deviations of the collection."""
    unusual: float
    """How far both lie from the collection's middle, in the same unit."""
    about: str


def comparison(
    library: Library, view: View, a: Image, b: Image
) -> tuple[list[Compared], list[Compared]]:
    """Measures in which two images agree, the most telling first, and differ, the most first.

    Raises
    ------
    EncoderError
        If the view's encoder measures nothing that a person could read.
    NotFoundError
        If the measures of an image are not kept.
    """
    encoding = view.encoding
    if encoding.encoder != "descriptors":
        raise EncoderError(
            f"encoder {encoding.encoder!r} cannot say why two images are alike; descriptors can"
        )
    folder = library.workspace.measures(
        view.collection.uid, encoding.encoder, encoding.identity.preprocessing
    )
    kept = open_snapshot(folder)
    rows = {id: row for row, id in enumerate(kept.ids) if id in (a.id, b.id)}
    for image in (a, b):
        if image.id not in rows:
            raise NotFoundError(f"the measures of {image.id!r} are not kept; index the image again")
    encoder = Descriptors(fit=dict(encoding.fit or {}))
    found = encoder.compare(
        kept.vectors[rows[a.id]],
        kept.vectors[rows[b.id]],
        um_per_px=(a.um_per_px, b.um_per_px),
    )
    every = [
        Compared(
            each.name, _text(each.a, each.unit), _text(each.b, each.unit), each.difference,
            each.unusual, each.about,
        )
        for each in found
    ]  # fmt: skip
    # sharing what few images have says more than sharing what most have
    alike = sorted(
        (c for c in every if abs(c.difference) < ALIKE), key=lambda c: (-c.unusual, c.name)
    )
    return alike, [c for c in every if abs(c.difference) >= ALIKE]


def _text(value: float, unit: str) -> str:
    """A measure for reading.

    Examples
    --------
    >>> _text(0.12345, ""), _text(1234.6, "µm²")
    ('0.123', '1,235 µm²')
    """
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip()
