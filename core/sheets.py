"""Results to take away: a table of matches and a contact sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core import labels, ranging
from core.arrays import Rgb
from core.catalogue import Image
from core.cells import is_formula
from core.errors import CoreError, ImageError, RangeError
from core.images import (
    ValueRange,
    contact_sheet,
    decode_image,
    encode_png,
    fit_within,
    read_image,
)
from core.library import Library
from core.matching import Found, Result, size_of
from core.preparing import thumbnail_path

TILE = 160

MOST = 2_000
"""Images on one sheet: it is then 60,000 pixels high and takes 0.5 GB to draw."""


def matches_csv(result: Result) -> bytes:
    """Matches as a CSV table: rank, id, distance, label, its status, sample, size and uri.

    What a spreadsheet would run gets an apostrophe in front.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(
        ["rank", "id", "distance", "label", "label_status", "sample", "size", "size_unit", "uri"]
    )
    for rank, match in enumerate(result.matches):
        size, unit = size_of(match.image) or (None, "")
        shown = "" if size is None else round(size, 4)  # 101.52799999999999 helps nobody
        cells = [
            rank,
            match.image.id,
            f"{match.distance:.6f}",
            match.label or "",
            match.label_status or "",
            match.image.sample or "",
            shown,
            unit,
            match.image.uri,
        ]
        table.writerow(f"'{c}" if isinstance(c, str) and is_formula(c) else c for c in cells)
    return out.getvalue().encode(
        "utf-8-sig", "backslashreplace"
    )  # spreadsheets then read it as UTF-8


def picture_of(library: Library, uid: str, image: Image, *, side: int) -> Rgb:
    """An image for showing: its thumbnail when that is large enough, else the image itself.

    Raises
    ------
    ImageError
        If neither can be read.
    """
    path = thumbnail_path(library.workspace.thumbnails(uid), image.content_hash or "none")
    small = max(image.width or 0, image.height or 0) <= side
    if path.exists() and (side <= 256 or small):
        return fit_within(decode_image(path.read_bytes(), name=image.id), side)
    value_range = ranging.value_range_of(library.catalogue.options(uid))
    return fit_within(read_image(image.uri, value_range=value_range), side)


def sheet(library: Library, uid: str, images: Sequence[Image], captions: Sequence[str]) -> bytes:
    """A PNG with every picture and its caption; one that cannot be read is an empty tile."""
    pictures: list[Rgb] = []
    for image in images:
        try:
            pictures.append(picture_of(library, uid, image, side=TILE))
        except ImageError:
            pictures.append(np.full((TILE, TILE, 3), 235, np.uint8))
    return contact_sheet(pictures, captions, tile=TILE)


def matches_sheet(library: Library, uid: str, result: Result) -> bytes:
    """The contact sheet of a search: its matches, nearest first, with distances and labels."""
    own = result.query.get("id")
    captions = [
        f"query  {m.label or ''}" if m.image.id == own else f"{m.distance:.3f}  {_called(m)}"
        for m in result.matches
    ]
    return sheet(library, uid, [m.image for m in result.matches], captions)


def write_sheet(library: Library, uid: str, images: Sequence[Image], *, to: Path) -> dict[str, Any]:
    """The contact sheet of these images as a file.

    Raises
    ------
    RangeError
        If they are more than fit on one.
    CoreError
        If it cannot be written.
    """
    if len(images) > MOST:
        raise RangeError(
            f"{len(images):,} images are too many for one sheet; expected up to {MOST:,}, name "
            "them with --ids-from"
        )
    try:
        to.write_bytes(selection_sheet(library, uid, images))
    except OSError as error:
        why = error.strerror or str(error)
        raise CoreError(f"{to} cannot be written ({why}); choose another -o") from error
    return {"file": str(to), "format": "sheet", "images": len(images)}


def selection_sheet(library: Library, uid: str, images: Sequence[Image]) -> bytes:
    """The contact sheet of images that were gathered: their labels and file names."""
    known = labels.current(library.catalogue, uid, [image.id for image in images])
    captions = [
        f"{known[image.id].label}  {name}" if image.id in known else name
        for image in images
        for name in [image.id.rsplit("/", 1)[-1]]
    ]
    return sheet(library, uid, images, captions)


def _called(match: Found) -> str:
    return match.label or match.image.id.rsplit("/", 1)[-1]


def as_png(
    data: bytes, *, name: str, side: int = 1_024, value_range: ValueRange | None = None
) -> bytes:
    """Any picture file as a PNG of at most `side` pixels, for a browser.

    Parameters
    ----------
    value_range : (low, high), optional
        The collection's, beside whose pictures it is shown.

    Raises
    ------
    ImageError
        If it is no picture.
    """
    return encode_png(fit_within(decode_image(data, name=name, value_range=value_range), side))
