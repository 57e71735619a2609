"""What is done with a picture once it is read: padding, thumbnails, contact sheets."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.arrays import Rgb
from core.errors import RangeError, ShapeError

MAX_SIDE = 4096  # WebP itself ends at 16,383

_PAPER = (242, 243, 245)
_TILE = (225, 227, 230)
_INK = (45, 50, 58)
_GAP = 10
_CAPTION = 13  # height of letters, pixels


def background(image: Rgb) -> NDArray[np.uint8]:
    """Median colour of the outermost pixels, (3,) uint8.

    Examples
    --------
    >>> image = np.full((4, 4, 3), 9, np.uint8)
    >>> image[1:3, 1:3] = 200
    >>> background(image)
    array([9, 9, 9], dtype=uint8)
    """
    edge = (image[0], image[-1], image[1:-1, 0], image[1:-1, -1])
    return median_colour(np.concatenate(edge))


def median_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Median of each channel of (n, 3) pixels, as (3,) uint8."""
    median: NDArray[np.uint8] = np.rint(np.median(pixels, axis=0)).astype(np.uint8)
    return median


def pad_to_square(image: Rgb) -> Rgb:
    """The whole picture in the middle of a square of its own background."""
    h, w = image.shape[:2]
    if h == w:
        return image
    side = max(h, w)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = background(image)
    top, left = (side - h) // 2, (side - w) // 2
    square[top : top + h, left : left + w] = image
    return square


def fit_within(image: Rgb, side: int) -> Rgb:
    """Made smaller, never larger, until its longest side is at most `side` pixels."""
    h, w = image.shape[:2]
    if max(h, w) <= side:
        return image
    scale = side / max(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(small)


def thumbnail(image: Rgb, *, side: int = 256) -> bytes:
    """A WebP whose longest side is at most `side` pixels; smaller pictures keep their size.

    Raises
    ------
    RangeError
        If `side` is not in 1 to 4,096.
    """
    if not 1 <= side <= MAX_SIDE:
        raise RangeError(f"the thumbnail's side is {side} pixels; expected 1 to {MAX_SIDE:,}")
    out = io.BytesIO()
    Image.fromarray(fit_within(image, side)).save(out, "WEBP", quality=88, method=2)
    return out.getvalue()


def encode_png(image: Rgb) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG", compress_level=6)
    return out.getvalue()


def content_hash(data: bytes) -> str:
    """BLAKE2b of 16 bytes, as 32 hexadecimal digits.

    Examples
    --------
    >>> content_hash(b"")
    'cae66941d9efbd404e4d88758ea67670'
    """
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def contact_sheet(
    images: Sequence[Rgb], captions: Sequence[str], *, columns: int = 6, tile: int = 160
) -> bytes:
    """A PNG of all pictures in rows, each over its caption.

    Parameters
    ----------
    images : n pictures
        Larger ones are made smaller; none is enlarged.
    captions : n strings
        One line each; what is too long loses its middle.
    columns : int
        Pictures a row, at least 1.
    tile : int
        Pixels a picture may take, 16 to 1,024.

    Raises
    ------
    ShapeError
        If there are not as many captions as images.
    RangeError
        If `columns` or `tile` is outside its range.
    """
    n = len(images)
    if len(captions) != n:
        raise ShapeError(f"{len(captions)} captions for {n} images; expected one each")
    if columns < 1 or not 16 <= tile <= 1024:
        raise RangeError(
            f"the sheet has {columns} columns of {tile} pixels; expected at least 1, of 16 to 1024"
        )
    columns = min(columns, max(n, 1))
    rows = max(1, -(-n // columns))
    step_x, step_y = tile + _GAP, tile + _CAPTION + 2 * _GAP
    sheet = Image.new("RGB", (columns * step_x + _GAP, rows * step_y + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_CAPTION)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = _GAP + i % columns * step_x, _GAP + i // columns * step_y
        draw.rectangle((x, y, x + tile - 1, y + tile - 1), fill=_TILE)
        small = Image.fromarray(fit_within(image, tile))
        sheet.paste(small, (x + (tile - small.width) // 2, y + (tile - small.height) // 2))
        text = _shortened(_printable(caption), font, tile)
        draw.text((x, y + tile + _GAP // 2), text, fill=_INK, font=font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _printable(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be drawn
    return "".join(c if c.isprintable() else " " for c in text)


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut out of the middle: of names that begin alike the end tells them apart."""
    if len(text) > 400:  # longer than any tile is wide, and measuring takes time
        text = text[:200] + text[-200:]
    if font.getlength(text) <= width:
        return text

    def cut(kept: int) -> str:
        return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"

    low, high = 0, len(text) - 1
    while low < high:  # the most characters that fit
        middle = (low + high + 1) // 2
        if font.getlength(cut(middle)) <= width:
            low = middle
        else:
            high = middle - 1
    return cut(low)
