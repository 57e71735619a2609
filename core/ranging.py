"""One scale of brightness for a collection's pictures of more than 8 bits, chosen once.

Cameras of 12 to 16 bits seldom use all of them: by their stated depth most pictures are nearly
black, by their own extremes a black one is noise. So the scale is the collection's, robust
percentiles over a sample of the first run that brings such pictures, kept in its options.
Pictures of 8 bits are shown as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.catalogue import Catalogue
from core.errors import RangeError
from core.images import ValueRange
from core.progress import Report, nobody
from core.sampling import sampled

PERCENTILES = (0.1, 99.9)
"""Of each picture's pixels: a few dead or hot ones move nothing."""

OF_IMAGES = (2.0, 98.0)
"""Of these over the pictures: a covered or a blinded lens now and then moves nothing either, where
one in 200 would decide the percentiles of all pixels together."""

LEVELS = 255
"""A range holds at least so many counts, or that part of a float's unit: what lies closer
together is a camera's noise, and stays dark."""

ONE_KIND = 0.9
"""Share of deep pictures that must be integers, or floats: the two have no scale in common."""

KEY, FOUND = "value_range", "value_range_from"

_HOW = {"percentiles": list(PERCENTILES), "of_images": list(OF_IMAGES)}


@dataclass(frozen=True)
class Choice:
    """A scale, or why there is none, and how that was found."""

    value_range: ValueRange | None
    found: Mapping[str, Any] = field(default_factory=dict)

    @property
    def note(self) -> str | None:
        """A sentence for whoever indexed; None when no picture is concerned."""
        if self.value_range is None:
            return None if not self.found.get("images") else f"{self.found['why']}."
        low, high = self.value_range
        how = (
            f"found on {self.found['images']:,} of them"
            if "images" in self.found
            else "as was asked for"
        )
        return f"Images of more than 8 bits are read from {low:,g} (black) to {high:,g}, {how}."


def value_range_of(options: Mapping[str, Any]) -> ValueRange | None:
    """The scale that a collection's options state; None is each picture's stated depth."""
    found = options.get(KEY)
    return None if found is None else (float(found[0]), float(found[1]))


def check_given(
    catalogue: Catalogue,
    name: str,
    given: ValueRange,
    *,
    encoder: str | None = None,
    again: bool = False,
) -> None:
    """Refuse a scale that cannot be this collection's.

    A first run of a few dim pictures finds a scale that is of no use to what comes later; so when
    all is encoded again, and no other encoder keeps vectors of the old scale, a person may set one.

    Raises
    ------
    RangeError
        If it is no range, or the collection was encoded with another one.
    """
    low, high = given
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RangeError(
            f"the value range is {low:g} to {high:g}; expected two numbers, the lower first"
        )
    known = next((c for c in catalogue.collections() if c.name == name), None)
    if known is None or value_range_of(known.options) == given or _open(catalogue, known.uid):
        return
    ours = encoder or known.encoder
    alone = all(each.encoder == ours for each in catalogue.encodings(known.uid))
    if again and (alone or KEY not in known.options):
        return
    now = value_range_of(known.options)
    has = f"the range {now[0]:g} to {now[1]:g}" if now else "each picture's stated depth"
    way = "encode all --again" if alone else "index into another --collection"
    raise RangeError(
        f"collection {name!r} was encoded with {has}, and {low:g} to {high:g} came; leave out "
        f"--value-range, or {way}"
    )


def settle(
    catalogue: Catalogue,
    uid: str,
    uris: Sequence[str],
    *,
    given: ValueRange | None = None,
    again: bool = False,
    report: Report = nobody,
) -> tuple[Choice, bool]:
    """The collection's scale, chosen and stored when the pictures to be read are its first.

    Parameters
    ----------
    uris : sequence of str
        What is about to be read.
    given : (low, high), optional
        What a person asked for; see `check_given`.
    again : bool
        Whether everything is encoded again, so that a scale can still be chosen.

    Returns
    -------
    Choice
    bool
        Whether it was looked for just now.
    """
    options = catalogue.options(uid)
    stored = value_range_of(options)
    if stored is not None and given in (None, stored):
        return Choice(stored, options.get(FOUND, {})), False
    if not uris or not (_open(catalogue, uid) or again):
        return Choice(None), False
    choice = choose(uris, report) if given is None else Choice(given, {"given": True})
    new = {KEY: choice.value_range and list(choice.value_range), FOUND: dict(choice.found)}
    if any(options.get(key) != value for key, value in new.items()):
        catalogue.set_options(uid, {**options, **new})
    return choice, True


def _open(catalogue: Catalogue, uid: str) -> bool:
    """Whether no deep picture of it was encoded yet: a collection that has pictures and says
    nothing of a range was made before ranges were chosen."""
    options = catalogue.options(uid)
    if KEY in options:
        return options[KEY] is None
    return not any(catalogue.column(uid, "content_hash").values())


def choose(uris: Sequence[str], report: Report = nobody) -> Choice:
    """A scale for these pictures; what cannot be read is left out, whoever reads it next says why.

    Returns
    -------
    Choice
        Without a range when none is of more than 8 bits, when they are of one colour, or when
        integers and floats are mixed.
    """
    counted = [0]
    looks = []
    for look in sampled(uris, report):
        counted[0] += 1
        if look is not None:
            looks.append(look)
    kinds = {kind: [v for k, v in looks if k == kind] for kind in ("integers", "floats")}
    kind = max(kinds, key=lambda each: len(kinds[each]))
    pooled = kinds[kind]
    found: dict[str, Any] = {"images": len(looks), "looked_at": counted[0]}
    if not looks:
        return Choice(None, {**found, "why": "No image looked at has more than 8 bits"})
    if len(pooled) < ONE_KIND * len(looks):
        why = "Images of more than 8 bits hold integers and floats, and are read by stated depth"
        return Choice(None, {**found, "why": why})
    low, high = _range(np.stack(pooled), kind)
    if not low < high:
        why = "Images of more than 8 bits are of one colour, and are read by stated depth"
        return Choice(None, {**found, "why": why})
    return Choice((low, high), {**found, **_HOW, "kind": kind})


def _range(values: NDArray[np.float64], kind: str) -> ValueRange:
    """Of (images, pixels drawn); low equals high when there is no contrast at all."""
    lows, highs = np.percentile(values, PERCENTILES, axis=1)
    low, high = float(np.percentile(lows, OF_IMAGES[0])), float(np.percentile(highs, OF_IMAGES[1]))
    if values.min() == values.max():
        return low, low
    if kind == "integers":
        low, high = math.floor(low), math.ceil(high)
        return float(low), float(max(high, low + LEVELS))
    unit = 1.0 if np.abs(values).max() <= 1.01 else float(np.abs(values).max())
    high = max(high, low + unit * LEVELS / 65535)
    return float(f"{low:.6g}"), float(f"{high:.6g}")
