"""Any file Pillow or tifffile can open -> (h, w, 3) uint8 RGB, safely.

Pictures of more than 8 bits are scaled as `core.depth` says, never by their own extremes;
8-bit ones are shown as they are. An image is the first frame or page of its file.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from core import tiff
from core.arrays import Rgb
from core.depth import png_depth, scaled, wide_depth
from core.errors import ImageError, RangeError
from core.pictures import (
    background,
    contact_sheet,
    content_hash,
    encode_png,
    fit_within,
    median_colour,
    pad_to_square,
    thumbnail,
)
from core.sources.reading import read_address, read_bytes, stamp_of
from core.sources.uri import Address, parse

__all__ = [
    "MAX_PIXELS",
    "Picture",
    "background",
    "contact_sheet",
    "content_hash",
    "decode_image",
    "deep_values",
    "encode_png",
    "fit_within",
    "original",
    "pad_to_square",
    "read_image",
    "read_picture",
    "thumbnail",
]

MAX_PIXELS = 64_000_000
"""Read from the header, before anything is unpacked."""

# EPS and WMF start other programs, the others hold no pixels Pillow could show
_REFUSED = {"EPS", "WMF", "GRIB", "HDF5", "BUFR", "MPEG"}

_KNOWN = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    **dict.fromkeys(tiff.MAGIC, "TIFF"),
}
_OTHERS = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript drawing",
    b"\xc5\xd0\xd3\xc6": "a PostScript drawing",
    b"PK\x03\x04": "a zip or office document",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive",
    b"SQLite": "a database",
}
_CUT_OFF = "cut off: the picture data ends early"
_SHORTEST = 35  # bytes of a whole picture: a GIF of one pixel
_ROWS = 2**18  # pixels composited at a time, so that a large picture is not held three times more


for _library in ("PIL", "tifffile"):  # else their complaints about damaged files go to stderr
    logging.getLogger(_library).addHandler(logging.NullHandler())


ValueRange: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """An image as it was read."""

    pixels: Rgb
    content_hash: str
    """Of the file's bytes; of the pixels where only a part of the file is meant."""


def read_picture(
    uri: str, *, value_range: ValueRange | None = None, data: bytes | None = None
) -> Picture:
    """Read and decode what a uri names; see `decode_image`.

    Parameters
    ----------
    value_range : (low, high) or None
        The collection's, for pictures of more than 8 bits.
    data : bytes or None
        The file's bytes when they were fetched already.

    Raises
    ------
    ImageError
        Whatever is wrong with the file, or with the rectangle asked for.
    """
    address = parse(uri)
    if address.part.startswith("xywh="):
        pixels = _cut(uri, _collage(uri, address, value_range, data), address.part)
        return Picture(pixels, content_hash(pixels.tobytes() + repr(pixels.shape).encode()))
    data = read_bytes(uri) if data is None else data
    return Picture(decode_image(data, name=uri, value_range=value_range), content_hash(data))


def read_image(uri: str, *, value_range: ValueRange | None = None) -> Rgb:
    """Read and decode what a uri names; see `read_picture`."""
    return read_picture(uri, value_range=value_range).pixels


def original(uri: str, *, value_range: ValueRange | None = None) -> tuple[bytes, str]:
    """An image's own bytes and the extension of its name; a part of a file becomes a PNG.

    Parameters
    ----------
    value_range : (low, high), optional
        The collection's, for a part of a picture of more than 8 bits.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    address = parse(uri)
    if not address.part:
        return read_bytes(uri), PurePosixPath(address.member or address.place).suffix.lower()
    return encode_png(read_image(uri, value_range=value_range)), ".png"


COLLAGES = 4
"""Collages kept unpacked: the particles of a run lie one after the other on them."""

_collages: OrderedDict[tuple[str, ValueRange | None, str], Rgb] = OrderedDict()
_collages_lock = threading.Lock()


def _collage(uri: str, address: Address, value_range: ValueRange | None, data: bytes | None) -> Rgb:
    file = replace(address, part="")
    key = (f"{file}", value_range, stamp_of(file))
    with _collages_lock:
        if key in _collages:
            _collages.move_to_end(key)
            return _collages[key]
    data = read_address(uri, file) if data is None else data
    pixels = decode_image(data, name=uri, value_range=value_range)
    with _collages_lock:
        _collages[key] = pixels
        while len(_collages) > COLLAGES:
            _collages.popitem(last=False)
    return pixels


def _cut(uri: str, pixels: Rgb, part: str) -> Rgb:
    x, y, w, h = (int(text) for text in part.removeprefix("xywh=").split(","))
    height, width = pixels.shape[:2]
    if not (w and h and x + w <= width and y + h <= height):
        raise ImageError(
            uri,
            f"the rectangle {w} x {h} at {x}, {y} does not lie in its picture of "
            f"{width} x {height} pixels",
        )
    return np.ascontiguousarray(pixels[y : y + h, x : x + w])


def decode_image(data: bytes, *, name: str, value_range: ValueRange | None = None) -> Rgb:
    """Turn the bytes of a picture file into RGB.

    Parameters
    ----------
    data : bytes
        A whole file, of any kind Pillow or tifffile reads.
    name : str
        What to call it in an error.
    value_range : (low, high) or None
        The values that become black and white in pictures of more than 8 bits.

    Returns
    -------
    (h, w, 3) uint8
        Upright; transparent parts show the picture's own background.

    Raises
    ------
    ImageError
        Whatever is wrong with the file.
    RangeError
        If `value_range` is not two finite numbers, the lower first.
    """
    if value_range is not None and not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise RangeError(f"the value range is {value_range}; expected two numbers, the lower first")
    with _reasons(data, name):
        return _decode(data, name, value_range)


def deep_values(data: bytes, *, name: str) -> NDArray[Any] | None:
    """The numbers of a picture of more than 8 bits as its file has them; None of 8 bits.

    A `value_range` is in the same numbers.

    Parameters
    ----------
    data : bytes
        A whole file; of one of 8 bits little more than the header is looked at.

    Returns
    -------
    (h, w) or (h, w, 3) array of any real type, or None
        Upright in a TIFF, else as it is stored; without transparency.

    Raises
    ------
    ImageError
        Whatever is wrong with the file.
    """
    with _reasons(data, name):
        try:
            image = Image.open(io.BytesIO(data), formats=_formats())
        except UnidentifiedImageError:
            if not data.startswith(tiff.MAGIC):
                raise
            values, bits, _ = tiff.read_first_page(data, name=name, max_pixels=MAX_PIXELS)
            if bits <= 8:
                return None
            if values.ndim == 2:
                return values
            return values[:, :, 0] if values.shape[2] == 2 else values[:, :, :3]
        with image:
            _check_size(image, name)
            mode, stated = image.mode, _stated_depth(image)
            if mode.startswith("I") or mode == "F":
                image.load()
                _check_size(image, name)
                values = np.asarray(image)
                return values.view(np.uint32) if mode == "I" and stated > 2**31 else values
            low_bytes = _low_bytes(data, image)
            if low_bytes is None:
                return None
            image.load()
            return (np.asarray(image).astype(np.uint16) << 8 | low_bytes)[:, :, :3]


@contextmanager
def _reasons(data: bytes, name: str) -> Iterator[None]:
    """What a decoder says, told as what is wrong with the file."""
    if not data:
        raise ImageError(name, "the file is empty")
    try:
        with _quiet():
            yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(name, "there is not enough memory to unpack it") from None
    except Image.DecompressionBombError as error:
        raise ImageError(name, _bomb_reason(data, str(error))) from None
    except Exception as error:  # decoders meet damage with errors of nearly every type
        raise ImageError(name, _reason(data, error)) from None


def _decode(data: bytes, name: str, value_range: tuple[float, float] | None) -> Rgb:
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except UnidentifiedImageError:
        if not data.startswith(tiff.MAGIC):
            raise
        return _decode_tiff(data, name, value_range)
    with image:
        _check_size(image, name)
        if any(tile[0] == "fits_gzip" for tile in image.tile):  # is unpacked without a limit
            raise ImageError(name, "a FITS file packed by gzip; unpack it first")
        stated = _stated_depth(image)
        low_bytes = None if value_range is None else _low_bytes(data, image)
        image.load()
        _check_size(image, name)  # icons learn their true size only now
        orientation = 1 if image.format == "TIFF" else _orientation(image)  # Pillow turned it
        pixels = _pixels(image, data, stated, value_range, low_bytes)
        return _upright(pixels, orientation)


def _check_size(image: Image.Image, name: str) -> None:
    w, h = image.size
    if w * h > MAX_PIXELS:
        raise ImageError(name, tiff.too_many_pixels(w, h, MAX_PIXELS))
    if image.format == "TIFF":  # a tile of a small picture may still claim to be huge
        tags: Any = getattr(image, "tag_v2", {})
        tile_w, tile_h = int(tags.get(322, 1)), int(tags.get(323, 1))
        if tile_w * tile_h > MAX_PIXELS:
            raise ImageError(name, tiff.too_many_pixels(tile_w, tile_h, MAX_PIXELS))


def _pixels(
    image: Image.Image,
    data: bytes,
    stated: float,
    value_range: tuple[float, float] | None,
    low_bytes: NDArray[np.uint8] | None,
) -> Rgb:
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        values = np.asarray(image)
        if mode.startswith("I;16") and image.format == "PNG":
            stated = png_depth(data, values)
        if mode == "I" and stated > 65535:
            values = values.view(np.uint32) if stated > 2**31 else values
            stated = wide_depth(values, stated)
        grey = scaled(values, stated if mode != "F" else None, value_range)
        if _white_is_zero(image):
            grey = 255 - grey
        key = image.info.get("transparency")
        opaque = np.where(values == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None
        return _to_rgb8(grey, opaque)
    if low_bytes is not None:
        deep = np.asarray(image).astype(np.uint16) << 8 | low_bytes
        colours = scaled(deep[:, :, :3], 65535.0, value_range)
        return _to_rgb8(colours, np.asarray(image)[:, :, 3] if mode == "RGBA" else None)
    if mode == "L" and stated == 127:  # Pillow takes signed bytes for unsigned ones
        return _to_rgb8(scaled(np.asarray(image).view(np.int8), stated, None), None)
    if mode == "LAB":
        from PIL import ImageCms

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
        return np.asarray(converted)
    key = image.info.get("transparency")
    if mode == "RGB" and isinstance(key, tuple) and max(key) > 255:  # of a 16-bit picture
        image.info["transparency"] = tuple(each >> 8 for each in key)
    if mode in ("PA", "LA", "La", "RGBA", "RGBa") or key is not None:
        rgba = np.asarray(image if mode == "RGBA" else image.convert("RGBA"))
        return _to_rgb8(rgba[:, :, :3], rgba[:, :, 3])
    return np.asarray(image if mode == "RGB" else image.convert("RGB"))


def _low_bytes(data: bytes, image: ImageFile.ImageFile) -> NDArray[np.uint8] | None:
    """The lower halves of 16-bit colours, of which Pillow keeps the upper ones: read once more as
    if their bytes lay the other way round. None for other pictures."""
    raw = [str(t[3] if isinstance(t[3], str) else t[3][0] if t[3] else "") for t in image.tile]
    if not raw or not all(re.fullmatch("(RGB|RGBA|RGBX);16[BLN]", each) for each in raw):
        return None
    native = "L" if sys.byteorder == "little" else "B"
    with Image.open(io.BytesIO(data), formats=[str(image.format)]) as other:
        tiles = []
        for tile, mode in zip(other.tile, raw, strict=True):
            end = mode[-1].replace("N", native)
            swapped = mode[:-1] + ("L" if end == "B" else "B")
            rest = () if tile[3] is None or isinstance(tile[3], str) else tile[3][1:]
            arguments = (swapped, *rest) if rest else swapped
            tiles.append(ImageFile._Tile(tile[0], tile[1], tile[2], arguments))
        other.tile = tiles
        other.load()
        return np.asarray(other)


def _decode_tiff(data: bytes, name: str, value_range: tuple[float, float] | None) -> Rgb:
    values, bits, white_is_zero = tiff.read_first_page(data, name=name, max_pixels=MAX_PIXELS)
    kind = values.dtype.kind
    if kind == "b":
        values, bits = values.astype(np.uint8), 1
    depth = None if kind == "f" else float(2 ** (bits - (kind == "i")) - 1)
    if depth is not None and bits > 16:
        depth = wide_depth(values, depth)
    plain = values.dtype == np.uint8 and bits == 8
    alpha = None
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = scaled(values[:, :, -1], depth, None)
        values = values[:, :, :-1]
        values = values[:, :, 0] if values.shape[2] == 1 else values
    deep = kind == "f" or bits > 8
    colours = values if plain else scaled(values, depth, value_range if deep else None)
    return _to_rgb8(255 - colours if white_is_zero else colours, alpha)


def _stated_depth(image: Image.Image) -> float:
    """The largest integer a file of mode I or I;16 can hold; asked before loading."""
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        bits, sample_format = int(tags.get(258, (16,))[0]), int(tags.get(339, (1,))[0])
        return float(2 ** (bits - (sample_format == 2)) - 1)
    return 65535.0


def _white_is_zero(image: Image.Image) -> bool:
    tags: Any = getattr(image, "tag_v2", None)
    return image.format == "TIFF" and tags is not None and tags.get(262) == 0


def _to_rgb8(colours: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> Rgb:
    """(h, w) or (h, w, 3), over the picture's own background where it is transparent."""
    if colours.ndim == 2:
        colours = np.repeat(colours[:, :, None], 3, axis=2)
    if alpha is None or bool((alpha == 255).all()):
        return colours
    behind = _own_background(colours, alpha).astype(np.uint32)
    out = np.empty_like(colours)
    step = max(1, _ROWS // colours.shape[1])
    for top in range(0, len(colours), step):
        rows = slice(top, top + step)
        over = alpha[rows, :, None].astype(np.uint32)
        out[rows] = (colours[rows] * over + behind * (255 - over) + 127) // 255
    return out


def _own_background(colours: Rgb, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Median of the opaque outermost pixels, else of all opaque ones, else white."""
    edge = np.zeros(alpha.shape, bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    opaque = alpha >= 128
    for where in (edge & opaque, opaque):
        if where.any():
            return median_colour(colours[where])
    return np.full(3, 255, np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(274, 1))
    except Exception:  # Exif is often damaged where the picture is not
        return 1


def _upright(pixels: Rgb, orientation: int) -> Rgb:
    return np.ascontiguousarray(tiff.turned(pixels, orientation))


def _reason(data: bytes, error: Exception) -> str:
    if data.startswith(tuple(_KNOWN)) and len(data) < _SHORTEST:
        return _CUT_OFF
    if data[:4] == b"RIFF" and len(data) < int.from_bytes(data[4:8], "little"):
        return _CUT_OFF
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(data)
    text = str(error).lower()
    if isinstance(error, EOFError) or "truncated" in text or "not enough" in text:
        return _CUT_OFF
    return "damaged: the picture data cannot be unpacked"


def _unidentified(data: bytes) -> str:
    for magic, kind in _KNOWN.items():
        if data.startswith(magic):
            return f"damaged, or a kind of {kind} that cannot be read here"
    for magic, what in _OTHERS.items():
        if data.startswith(magic):
            return f"not a picture: {what}"
    head = data[:1000]
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode() if error.start > len(head) - 4 else "\0"
    if all(c.isprintable() or c in "\t\r\n\f" for c in text.removeprefix("\ufeff")):
        return "not a picture: looks like text"
    return "not a picture of any kind that can be read"


def _bomb_reason(data: bytes, text: str) -> str:
    if data[:4] == b"\x89PNG" and data[12:16] == b"IHDR":
        w, h = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
        return tiff.too_many_pixels(w, h, MAX_PIXELS)
    found = re.search(r"\d+", text)
    pixels = f"{int(found[0]):,} pixels" if found else "its size"
    return f"{pixels} is more than the {MAX_PIXELS // 10**6} million allowed"


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    _silence_libtiff()
    return tuple(each for each in Image.OPEN if each not in _REFUSED)


def _silence_libtiff() -> None:
    """libtiff prints what is wrong with a file; Pillow offers no way to stop it."""
    import ctypes

    for library in (Path(PIL.__file__).parent.parent / "pillow.libs").glob("libtiff*"):
        try:
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)
        except (OSError, AttributeError):
            continue


_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_filters: Any = None


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings. `warnings.catch_warnings` alone, left by threads in another order than it was
    entered, would leave them off for good: here the first one in sets, the last one out resets."""
    global _quiet_users, _quiet_filters
    with _quiet_lock:
        if not _quiet_users:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.simplefilter("ignore")
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if not _quiet_users:
                _quiet_filters.__exit__(None, None, None)
