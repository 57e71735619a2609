"""Whether an encoder finds the same neighbours when a picture is turned, lit or cut otherwise.

None of this changes what is in a picture; an encoder that answers to it will tell samples of two
cameras, or two ways of cutting, apart before it tells kinds apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.arrays import Rgb, Vectors
from core.encoders.base import Encoder
from core.errors import ImageError
from core.evaluation.bootstrap import Resamples
from core.evaluation.figures import Figure, absent
from core.neighbours import largest_columns

IMAGES = 200
"""Images that are encoded anew, by default."""
TURNED = 10
"""Degrees."""
LIT = 1.25
PADDED = 0.15
"""Of a side, on each of its ends."""
SAME = 0.999
"""Median cosine of the unchanged pictures to their vectors from which the encoder is the same."""

KEPT = 24
"""Neighbours compared."""

Change = Callable[[Rgb], Rgb]


def background(picture: Rgb) -> tuple[int, int, int]:
    """The median colour of the outermost pixels.

    Examples
    --------
    >>> background(np.full((3, 4, 3), 7, np.uint8))
    (7, 7, 7)
    """
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    red, green, blue = np.median(np.concatenate(edges), axis=0)
    return int(red), int(green), int(blue)


def _turned(picture: Rgb) -> Rgb:
    from PIL import Image

    turned = Image.fromarray(picture).rotate(
        TURNED, Image.Resampling.BICUBIC, expand=True, fillcolor=background(picture)
    )
    return np.asarray(turned)


def _lit(factor: float) -> Change:
    def change(picture: Rgb) -> Rgb:
        return np.clip(np.round(picture * factor), 0, 255).astype(np.uint8)

    return change


def _padded(picture: Rgb) -> Rgb:
    height, width = picture.shape[:2]
    up, aside = (max(1, round(PADDED * side)) for side in (height, width))
    out = np.empty((height + 2 * up, width + 2 * aside, 3), np.uint8)
    out[:] = background(picture)
    out[up : up + height, aside : aside + width] = picture
    return out


CHANGES: dict[str, Change] = {
    "turned by 10 degrees": _turned,
    "turned by 90 degrees": lambda picture: np.ascontiguousarray(np.rot90(picture)),
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "upside down": lambda picture: np.ascontiguousarray(picture[::-1]),
    "brighter by a quarter": _lit(LIT),
    "darker by a fifth": _lit(1 / LIT),
    "more background around": _padded,
}
"""What is done to a picture, in words."""


UNCHANGED = "as it is"
EXAMPLE = 72
"""Longest side of an example, in pixels."""


def examples(picture: Rgb, *, side: int = EXAMPLE) -> dict[str, Rgb]:
    """What a picture looks like as it is and after each of `CHANGES`, all at one scale.

    Parameters
    ----------
    picture : (h, w, 3) uint8
    side : int
        Pixels of the longest side of the largest of them; none is enlarged.
    """
    from PIL import Image

    every = {UNCHANGED: picture} | {name: change(picture) for name, change in CHANGES.items()}
    scale = min(1.0, side / max(max(each.shape[:2]) for each in every.values()))

    def shrunk(each: Rgb) -> Rgb:
        h, w = (max(1, round(length * scale)) for length in each.shape[:2])
        return np.asarray(Image.fromarray(each).resize((w, h), Image.Resampling.LANCZOS))

    return {name: shrunk(each) for name, each in every.items()}


@dataclass(frozen=True)
class Robustness:
    """How many neighbours are kept."""

    kept: dict[str, Figure]
    """For each of `CHANGES`, the mean share of an image's nearest others that are found again."""
    images: int = 0
    unreadable: int = 0
    same: float | None = None
    """Median cosine of the unchanged pictures to the vectors that are stored."""
    images_per_second: float | None = None
    """Prepared and encoded, without reading files, in this process."""
    notes: list[str] = field(default_factory=list)


def unknown(why: str) -> Robustness:
    """That of an encoder that cannot encode here."""
    return Robustness({change: absent(why) for change in CHANGES})


def robustness(
    encoder: Encoder,
    vectors: Vectors,
    rows: Sequence[int],
    read: Callable[[int], Rgb],
    *,
    um_per_px: Sequence[float | None],
    k: int = KEPT,
    seed: int,
    tell: Callable[[int], None] | None = None,
) -> Robustness:
    """Encode some pictures anew, unchanged and changed, and compare their neighbours.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        Among which neighbours are looked for; an image is never its own.
    rows : rows of `vectors`
        Which images are encoded anew.
    read : callable
        Gives the pixels of a row, or raises `ImageError`.
    um_per_px : one for each of `rows`
    k : int
        Neighbours compared; there must be more others than that to choose from.
    tell : callable, optional
        Told after each image.
    """
    everything = np.asarray(vectors)
    if len(everything) <= k + 1:
        return unknown(f"{len(everything)} images; expected more than {k + 1}")
    kept: dict[str, list[float]] = {change: [] for change in CHANGES}
    same: list[float] = []
    unreadable, seconds = 0, 0.0
    for place, row in enumerate(rows):
        try:
            picture = read(row)
        except ImageError:
            unreadable += 1
            continue
        started = time.perf_counter()
        size = [um_per_px[place]]
        plain = encoder.encode([encoder.prepare(picture)], um_per_px=size)
        seconds += time.perf_counter() - started
        same.append(float(plain[0] @ everything[row]))
        prepared = [encoder.prepare(change(picture)) for change in CHANGES.values()]
        changed = encoder.encode(prepared, um_per_px=size * len(prepared))
        before, *after = _nearest(everything, np.concatenate([plain, changed]), row, k)
        for change, near in zip(CHANGES, after, strict=True):
            kept[change].append(len(before & near) / k)
        if tell is not None:
            tell(1)
    if not same:
        why = f"none of {len(rows)} pictures could be read"
        return Robustness({change: absent(why) for change in CHANGES}, unreadable=unreadable)
    resamples = Resamples(len(same), seed=seed)
    middle = float(np.median(same))
    notes = []
    if middle < SAME:
        notes.append(
            f"the unchanged pictures have other vectors than those stored (cosine {middle:.4f} in "
            "the middle): the encoder or its libraries changed; index again with --again"
        )
    return Robustness(
        {change: resamples.mean(np.array(shares)) for change, shares in kept.items()},
        images=len(same),
        unreadable=unreadable,
        same=round(middle, 6),
        images_per_second=round(len(same) / seconds, 3),
        notes=notes,
    )


def _nearest(vectors: Vectors, queries: NDArray[np.float32], row: int, k: int) -> list[set[int]]:
    similarity = queries @ vectors.T
    similarity[:, row] = -np.inf
    return [set(found.tolist()) for found in largest_columns(similarity, k)]
