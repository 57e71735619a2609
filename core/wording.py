"""Names a cluster could have: plain words for the measures that set it apart, or guessed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.errors import NotFoundError
from core.library import Library, View
from core.snapshot import open_snapshot

Doubles = NDArray[np.float64]

APART = 0.7
"""Robust standard deviations of the collection between the medians of a cluster and the others."""

MOST = 0.75
"""Share of a cluster that must lie on the word's side of the others' median."""

SHOWN = 3
"""Words in a name."""

OTHERS = 10_000
"""Of the others so many, evenly drawn, tell their median to 0.01 standard deviations."""


@dataclass(frozen=True)
class Suggestion:
    """What a cluster could be called, and how anybody comes to think so."""

    name: str
    basis: Literal["labels", "measures", "text guess"]
    about: str
    """The reason, in a sentence."""

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "basis": self.basis, "about": self.about}


@dataclass(frozen=True)
class Word:
    """What is said of a cluster whose images are high, or low, in a measure."""

    group: str
    """One word of each is enough."""
    measure: str
    side: Literal["high", "low"]
    word: str
    limit: float | None = None
    """How high, or low, the cluster's median must be in itself: rounder is not yet round."""


# in the order they are read; measures and their units are those of core.encoders.measures
WORDS: tuple[Word, ...] = (
    Word("size", "ESD", "low", "small"),
    Word("size", "ESD", "high", "large"),
    Word("form", "aspect ratio", "high", "round", 0.75),
    Word("form", "aspect ratio", "low", "elongated", 0.5),
    Word("form", "slenderness", "low", "thin", 0.2),
    Word("outline", "solidity", "low", "with arms or bays", 0.75),
    Word("outline", "circularity", "high", "smooth outline", 0.8),
    Word("outline", "circularity", "low", "ragged", 0.4),
    Word("light", "brighter than background", "low", "dark", -5.0),
    Word("light", "brighter than background", "high", "bright", 5.0),
    Word("light", "mean contrast", "low", "faint"),
    Word("inside", "contrast deviation", "high", "uneven inside"),
    Word("inside", "contrast deviation", "low", "even inside"),
    Word("inside", "contrast skew", "high", "spotted", 1.0),
    Word("colour", "redness", "high", "reddish", 3.0),
    Word("colour", "redness", "low", "greenish", -3.0),
    Word("colour", "yellowness", "high", "yellowish", 4.0),
    Word("colour", "yellowness", "low", "bluish", -4.0),
    Word("focus", "sharpness", "low", "blurred"),
    Word("focus", "sharpness", "high", "sharp"),
    Word("pieces", "parts", "high", "in pieces", 2.0),
    Word("pieces", "holes", "high", "with holes", 1.0),
    Word("pieces", "cut by the frame", "high", "cut by the frame", 0.05),
)

NAMED = tuple(dict.fromkeys(word.measure for word in WORDS))
"""The measures that words are about."""

GUESSES = (
    "a copepod", "a copepod nauplius", "a cladoceran", "a barnacle larva", "a crab larva",
    "a krill", "an amphipod", "an ostracod", "a chaetognath", "an appendicularian", "a jellyfish",
    "a siphonophore", "a ctenophore", "a polychaete worm", "a pteropod snail", "a bivalve larva",
    "an echinoderm larva", "a fish larva", "a fish egg", "a rotifer", "a tintinnid", "a ciliate",
    "a radiolarian", "a foraminiferan", "a dinoflagellate", "a round diatom", "a pennate diatom",
    "a chain of diatoms", "a filament of cyanobacteria", "a colony of cells", "pollen", "a fibre",
    "detritus", "marine snow", "a faecal pellet", "an air bubble", "an out-of-focus blur",
)  # fmt: skip
"""What a cluster may be, for encoders that read text."""

PROMPT = "a microscope image of {}"


@dataclass(frozen=True)
class Measured:
    """Named measures of a view's images, in the unit of the encoder's fit."""

    values: Doubles
    """(n, len(NAMED)), NaN where none are kept; lengths in `unit`."""
    unit: str
    """µm or px."""
    centred: Callable[[Doubles], Doubles]
    """(m, len(NAMED)) values -> robust standard deviations from the collection's median."""

    def of(self, measure: str) -> Doubles:
        """One measure of every image."""
        column: Doubles = self.values[:, NAMED.index(measure)]
        return column


def measured(library: Library, view: View) -> Measured | None:
    """What `descriptors` measured of a view's images; None for other encoders, or if not kept."""
    encoding = view.encoding
    if encoding.encoder != "descriptors" or not encoding.fit:
        return None
    from core.encoders.measures import MEASURES
    from core.encoders.scaling import Scaling

    folder = library.workspace.measures(
        view.collection.uid, encoding.encoder, encoding.identity.preprocessing
    )
    try:
        kept = open_snapshot(folder)
    except NotFoundError:
        return None
    fit = Scaling.from_json(dict(encoding.fit))
    ids = view.snapshot.ids
    sizes = library.catalogue.column(view.collection.uid, "um_per_px")
    um_per_px = [sizes.get(id) for id in ids]
    columns = [i for name in NAMED for i, m in enumerate(MEASURES) if m.name == name]
    powers = np.array([MEASURES[i].power for i in columns])
    place = {id: row for row, id in enumerate(kept.ids)}
    rows = np.array([place.get(id, -1) for id in ids], np.int64)
    values = np.full((len(ids), len(columns)), np.nan)
    there = rows >= 0
    values[there] = np.asarray(kept.vectors)[rows[there]][:, columns]
    values *= fit.pixel_sizes(um_per_px, len(ids))[:, None] ** powers

    def centred(some: Doubles) -> Doubles:
        raw = np.zeros((len(some), len(MEASURES)))
        raw[:, columns] = some
        out: Doubles = fit.standardised(raw, [1.0] * len(some))[:, columns]
        return out

    return Measured(values, "µm" if fit.unit == "um" else "px", centred)


def in_words(known: Measured, members: Sequence[NDArray[np.int64]]) -> list[Suggestion | None]:
    """For each cluster up to three words for what sets it apart from all other images.

    A word is said when the median of the cluster lies at least `APART` from that of the others,
    three in four of its images lie on that side of it, and its median is high or low enough in
    itself where the table says so; of each group the strongest, of these the strongest three, in
    the order of the table.

    Parameters
    ----------
    members : k arrays of rows
    """
    n = len(known.values)
    numbers: list[Doubles | None] = []
    for rows in members:
        mask = np.ones(n, bool)
        mask[rows] = False
        others = np.flatnonzero(mask)
        others = others[:: max(1, -(-len(others) // OTHERS))]
        own, rest = _measured_rows(known, rows), _measured_rows(known, others)
        if len(own) and len(rest):
            quarters = np.percentile(own, [100 * (1 - MOST), 50, 100 * MOST], axis=0)
            numbers.append(np.vstack([quarters, np.median(rest, axis=0)]))
        else:
            numbers.append(None)
    return [None if four is None else _named(known, four) for four in numbers]


def _measured_rows(known: Measured, rows: NDArray[np.int64]) -> Doubles:
    found: Doubles = known.values[rows]
    return found[~np.isnan(found).any(axis=1)]


def _named(known: Measured, four: Doubles) -> Suggestion | None:
    low, middle, high, others = known.centred(four)
    strongest: dict[str, tuple[float, int]] = {}
    for place, word in enumerate(WORDS):
        i = NAMED.index(word.measure)
        sign = 1 if word.side == "high" else -1
        apart = sign * (middle[i] - others[i])
        most = low[i] > others[i] if word.side == "high" else high[i] < others[i]
        enough = word.limit is None or sign * (four[1, i] - word.limit) >= 0
        if apart >= APART and most and enough:
            best = strongest.get(word.group, (0.0, 0))
            strongest[word.group] = max(best, (float(apart), place))
    chosen = sorted(strongest.values(), reverse=True)[:SHOWN]
    if not chosen:
        return None
    words = [WORDS[place] for _, place in sorted(chosen, key=lambda each: each[1])]
    reasons = [_reason(known, word, four) for word in words]
    return Suggestion(
        ", ".join(word.word for word in words), "measures",
        "Medians of its images and of all others: " + "; ".join(reasons) + ".",
    )  # fmt: skip


def _reason(known: Measured, word: Word, four: Doubles) -> str:
    from core.encoders.measures import MEASURES

    i = NAMED.index(word.measure)
    unit = next(m.unit for m in MEASURES if m.name == word.measure).replace("px", known.unit)
    return f"{word.measure} {four[1, i]:.3g} and {four[3, i]:.3g} {unit}".rstrip()


def guessed(
    centres: Vectors, encode_text: Callable[[Sequence[str]], Vectors]
) -> list[Suggestion | None]:
    """For each cluster the words of `GUESSES` that its mean direction fits best.

    Pictures and words of such encoders lie apart, so both are compared from their own middle: what
    a cluster is more like than other clusters are.

    Parameters
    ----------
    centres : (k, d) float32
    encode_text : strings -> (m, d) float32 unit rows
    """
    texts = encode_text([PROMPT.format(word) for word in GUESSES]).astype(np.float64)
    pictures = centres.astype(np.float64)
    texts -= texts.mean(axis=0)
    if len(pictures) > 1:
        pictures = pictures - pictures.mean(axis=0)
    scores = pictures @ (texts / np.maximum(np.linalg.norm(texts, axis=1), 1e-9)[:, None]).T
    return [
        Suggestion(
            GUESSES[best].split(" ", 1)[-1] if GUESSES[best].startswith(("a ", "an "))
            else GUESSES[best],
            "text guess",
            "A guess: of some common words these fit its images best, as the encoder reads them. "
            "On plankton such guesses are often wrong.",
        )
        for best in scores.argmax(axis=1)
    ]  # fmt: skip
