"""TIFFs of kinds Pillow does not know: other depths, more channels, floats of 64 bits."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ImageError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_BYTES = 2**29
"""Of one page unpacked: 64 million pixels of three 16-bit channels are 0.4 GB."""

_DEFLATE = (8, 32946)
_GREY, _RGB = (0, 1), 2


def read_first_page(data: bytes, *, name: str, max_pixels: int) -> tuple[NDArray[Any], int, bool]:
    """The first page as it is stored, not yet scaled to 8 bits.

    Returns
    -------
    (h, w) or (h, w, channels) array
        Of any real type; channels are grey, grey and alpha, RGB, or RGB and alpha.
    int
        Bits a sample states to use.
    bool
        Whether 0 is white.

    Raises
    ------
    ImageError
        If it is too large, cut off, or of a kind that cannot be read here. Damaged files raise
        whatever tifffile raises.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        h, w, photometric = page.imagelength, page.imagewidth, int(page.photometric)
        if not all(isinstance(each, int) and each > 0 for each in (h, w, page.bitspersample)):
            raise ValueError  # a list of widths would be repeated h times, not multiplied
        if h * w > max_pixels:
            raise ImageError(name, too_many_pixels(w, h, max_pixels))
        if page.nbytes > MAX_BYTES:
            raise ImageError(
                name,
                f"{page.nbytes:,} bytes unpacked is more than the {MAX_BYTES:,} allowed for one "
                "picture",
            )
        if photometric not in (*_GREY, _RGB) or page.dtype is None or page.dtype.kind not in "buif":
            raise ImageError(name, "a TIFF of a kind that cannot be read here (colour or numbers)")
        _check_segments(page, data, name)
        pixels = page.asarray(maxworkers=1)
        axes, alpha = page.axes, tuple(int(extra) for extra in page.extrasamples)
        orientation = int(page.tags[274].value) if 274 in page.tags else 1
        bits = int(page.bitspersample)
    while len(axes) > 2 and axes[0] not in "SYX":  # a stack within the page: its first layer
        pixels, axes = pixels[0], axes[1:]
    if axes == "SYX":
        pixels, axes = np.moveaxis(pixels, 0, -1), "YXS"
    if axes not in ("YX", "YXS"):
        raise ImageError(name, f"a TIFF whose axes are {axes}; expected one picture")
    if axes == "YXS":
        colours = 3 if photometric == _RGB else 1
        has_alpha = pixels.shape[2] > colours and bool(alpha) and alpha[0] in (1, 2)
        pixels = pixels[:, :, : colours + has_alpha]
        if pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
    return turned(pixels, orientation), bits, photometric == 0


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Upright, given the Exif orientation (1 to 8; others are taken as 1)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def too_many_pixels(w: int, h: int, allowed: int) -> str:
    return f"{w:,} x {h:,} pixels is more than the {allowed // 10**6} million allowed"


def _check_segments(page: Any, data: bytes, name: str) -> None:
    """tifffile would fill what is missing with black, and unpack without a limit."""
    if int(page.compression) not in (1, *_DEFLATE):
        raise ImageError(name, "a TIFF packed in a way that cannot be read here")
    total = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count and offset + count > len(data):
            raise ImageError(name, "cut off: the picture data ends early")
        if int(page.compression) in _DEFLATE:
            unpacked = zlib.decompressobj().decompress(data[offset : offset + count], MAX_BYTES)
            total += len(unpacked)
        else:
            total += count
        if total >= MAX_BYTES:
            raise ImageError(name, "its data unpacks to more than is allowed")
    if total < page.nbytes:
        raise ImageError(name, "cut off: the picture data ends early")
