"""The bytes of an image to copy: a file as it is; of a part of a file, a picture of its own."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images import ValueRange, deep_values, read_image
from core.sources.reading import read_address, read_bytes, stamp_of
from core.sources.uri import Address, parse

KEPT = 2
"""Collages of more than 8 bits kept unpacked."""


def copy_of(
    uri: str, *, data: bytes | None = None, value_range: ValueRange | None = None
) -> tuple[bytes, str]:
    """What to write of an image, and the extension of its name.

    A plain file is copied as it is. A particle of a collage, or a trigger of an IFCB bin, becomes
    a PNG with the numbers that it has there: grey where it is grey, 16 bits where it has more than
    8. What a PNG of Pillow cannot hold (colours of 16 bits, floats) becomes a TIFF.

    Parameters
    ----------
    data : bytes, optional
        The file's bytes, when they were fetched already.
    value_range : (low, high), optional
        Of no use where the numbers are kept; for a part that is turned to 8 bits.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    address = parse(uri)
    if not address.part:
        return read_bytes(uri) if data is None else data, suffix_of(uri)
    if address.part.startswith("xywh="):
        values = _collages.values(uri, address)
        if values is not None:
            x, y, w, h = (int(text) for text in address.part.removeprefix("xywh=").split(","))
            cut = values[y : y + h, x : x + w]
            if cut.shape[:2] == (h, w) and cut.size:  # else reading it says what is wrong
                return _deep(np.ascontiguousarray(cut))
    pixels = read_image(uri, value_range=value_range)
    grey = bool((pixels == pixels[:, :, :1]).all())
    return _png(pixels[:, :, 0] if grey else pixels), ".png"


def _deep(values: NDArray[Any]) -> tuple[bytes, str]:
    if values.ndim == 2 and values.dtype == np.uint16:
        return _png(values), ".png"
    import tifffile

    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric="rgb" if values.ndim == 3 else "minisblack")
    return out.getvalue(), ".tif"


def _png(values: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(out, "PNG", compress_level=6)
    return out.getvalue()


def suffix_of(uri: str) -> str:
    """The extension that a copy's name mostly has, in small letters.

    Examples
    --------
    >>> suffix_of("/a/x.PNG"), suffix_of("/a/b.roi#00012"), suffix_of("https://a.org/x.jpg?w=9")
    ('.png', '.png', '.jpg')
    """
    address = parse(uri)
    if address.part:
        return ".png"
    place = address.member or address.place
    if address.scheme in ("http", "https"):
        place = urlsplit(place).path
    return PurePosixPath(place).suffix.lower()


class _Collages:
    """The last collages that were looked into; of one of 8 bits only that it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], NDArray[Any] | None] = OrderedDict()

    def values(self, uri: str, address: Address) -> NDArray[Any] | None:
        """The numbers of the whole collage; None when they are of 8 bits."""
        file = replace(address, part="")
        key = (f"{file}", stamp_of(file))
        with self._lock:  # threads that copy its neighbours wait, and then find it
            if key in self._known:
                self._known.move_to_end(key)
            else:
                self._known[key] = deep_values(read_address(uri, file), name=uri)
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)
            return self._known[key]


_collages = _Collages()
