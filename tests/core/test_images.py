"""Pictures of every kind are written here, by Pillow, tifffile or by hand, and read again."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from core.errors import ImageError, RangeError, ShapeError
from core.images import (
    MAX_PIXELS,
    background,
    contact_sheet,
    content_hash,
    decode_image,
    encode_png,
    fit_within,
    pad_to_square,
    read_image,
    thumbnail,
)
from core.sources.uri import quote_path

ODD = Path(__file__).parents[2].parent / "shared" / "data" / "odd"


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def tiff_of(values: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **options)  # type: ignore[arg-type]
    return out.getvalue()


def png(w: int, h: int, *, depth: int, colour: int, rows: bytes, chunks: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunks
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values: np.ndarray, *, sbit: int | None = None, chunks: bytes = b"") -> bytes:
    """Greyscale or RGB of 16 bits."""
    h, w = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    if sbit is not None:
        chunks += chunk(b"sBIT", bytes([sbit] * (3 if values.ndim == 3 else 1)))
    colour = 2 if values.ndim == 3 else 0
    return png(w, h, depth=16, colour=colour, rows=rows, chunks=chunks)


def tiff12(values: list[int]) -> bytes:
    """One row of 12-bit greyscale, two samples in three bytes."""
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
        for a, b in zip(values[::2], values[1::2], strict=True)
    )
    tags = [
        (256, 3, 1, len(values)),
        (257, 3, 1, 1),
        (258, 3, 1, 12),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 3, 1, 1),
        (279, 4, 1, len(packed)),
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    padded = packed + b"\0" * (len(packed) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(padded)) + padded + directory + b"\0\0\0\0"


def patched(tiff: bytes, values: dict[int, int]) -> bytes:
    """A little-endian TIFF that states other values in some of its tags."""
    out = bytearray(tiff)
    at = struct.unpack_from("<I", out, 4)[0]
    for i in range(struct.unpack_from("<H", out, at)[0]):
        entry = at + 2 + 12 * i
        code = struct.unpack_from("<H", out, entry)[0]
        if code in values:
            struct.pack_into("<HHII", out, entry, code, 4, 1, values[code])
    return bytes(out)


def grey(data: bytes, **options: object) -> list[int]:
    """The first row of a picture that must be grey."""
    rgb = decode_image(data, name="x", **options)  # type: ignore[arg-type]
    assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.flags.c_contiguous
    assert (rgb == rgb[:, :, :1]).all()
    return [int(v) for v in rgb[0, :, 0]]


def reason(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="the/file")
    assert caught.value.path == "the/file"
    assert str(caught.value) == f"the/file: {caught.value.reason}"
    assert "\n" not in str(caught.value)
    return caught.value.reason


RAMP = np.linspace(0, 65535, 16).astype(np.uint16).reshape(1, 16)
RAMP8 = [round(v * 255 / 65535) for v in RAMP[0].tolist()]


# --- depths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order(order: str):
    assert grey(tiff_of(RAMP, byteorder=order, photometric="minisblack")) == RAMP8


def test_16_bit_png_and_pgm():
    assert grey(png16(RAMP)) == RAMP8
    assert grey(b"P5 16 1 65535\n" + RAMP.astype(">u2").tobytes()) == RAMP8


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero(order: str):
    data = tiff_of(RAMP, byteorder=order, photometric="miniswhite")
    assert grey(data) == [255 - v for v in RAMP8]


def test_12_bits_are_scaled_by_12_bits():
    assert grey(tiff12([0, 2048, 4095, 30])) == [0, 128, 255, 2]


def test_sbit_of_either_alignment():
    twelve = np.array([[0, 1, 2047, 4095]], np.uint16)
    expected = [0, 0, 127, 255]
    assert grey(png16(twelve, sbit=12)) == expected  # as some cameras write them
    assert grey(png16(twelve << 4 | twelve >> 8, sbit=12)) == expected  # as the standard has it
    assert grey(png16(twelve << 4, sbit=12)) == [0, 0, 127, 255]
    assert grey(png16(twelve)) == [0, 0, 8, 16]  # nothing stated: 16 bits


def test_an_image_is_never_scaled_by_its_own_maximum():
    dark = np.array([[0, 10, 300]], np.uint16)
    assert grey(tiff_of(dark, photometric="minisblack")) == [0, 0, 1]
    assert grey(png16(dark)) == [0, 0, 1]
    for values in (np.zeros((3, 3), np.uint16), np.zeros((3, 3), np.float32)):
        assert grey(tiff_of(values, photometric="minisblack")) == [0, 0, 0]


def test_value_range_of_the_collection():
    values = np.array([[0, 100, 300, 500, 900]], np.uint16)
    for data in (png16(values), tiff_of(values, photometric="minisblack")):
        assert grey(data, value_range=(100, 500)) == [0, 0, 128, 255, 255]
    floats = tiff_of(values.astype(np.float32), photometric="minisblack")
    assert grey(floats, value_range=(100, 500)) == [0, 0, 128, 255, 255]
    eight = saved(Image.fromarray(values.clip(0, 255).astype(np.uint8)), "PNG")
    assert grey(eight, value_range=(100, 500)) == [0, 100, 255, 255, 255]  # shown as it is
    with pytest.raises(RangeError, match="the lower first"):
        decode_image(eight, name="x", value_range=(5, 5))
    with pytest.raises(RangeError, match="the lower first"):
        decode_image(eight, name="x", value_range=(0, float("nan")))


def test_signed_and_wide_integers():
    def read(values: list[int], kind: type) -> list[int]:
        return grey(tiff_of(np.array([values], kind), photometric="minisblack"))

    assert read([-5, 0, 16384, 32767], np.int16) == [0, 0, 128, 255]
    assert read([-5, 0, 64, 127], np.int8) == [0, 0, 129, 255]
    assert read([0, 32768, 65535], np.int32) == [0, 128, 255]
    assert read([0, 32768, 65535], np.uint32) == [0, 128, 255]
    assert read([0, 2**31, 2**32 - 1], np.uint32) == [0, 128, 255]
    assert read([0, 2**63, 2**64 - 1], np.uint64) == [0, 128, 255]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_by_their_unit(kind: type):
    def read(values: list[float]) -> list[int]:
        return grey(tiff_of(np.array([values], kind), photometric="minisblack"))

    assert read([0.0, 0.25, 1.0]) == [0, 64, 255]
    assert read([0.0, 0.25, 0.5]) == [0, 64, 128]  # not its own maximum
    assert read([0.0, 64.0, 254.0]) == [0, 64, 254]
    assert read([-1.0, 64.0, 256.0]) == [0, 64, 255]  # overshoot of resampling
    assert read([0.0, 32768.0, 60000.0]) == [0, 128, 233]
    assert read([-3.0, 0.5, 3.0]) == [0, 128, 255]
    assert read([float("nan"), 0.5, float("inf")]) == [0, 128, 255]


def test_colours_of_16_bits_keep_their_upper_8():
    colours = np.array([[[0, 0x1234, 65535], [65535, 257, 40000]]], np.uint16)
    expected = [[0, 0x12, 255], [255, 1, 156]]
    for data in (tiff_of(colours, photometric="rgb"), png16(colours)):
        assert decode_image(data, name="x")[0].tolist() == expected
    with_key = png16(colours, chunks=chunk(b"tRNS", struct.pack(">HHH", 65535, 257, 40000)))
    assert decode_image(with_key, name="x")[0].tolist() == [expected[0]] * 2


def test_value_range_of_16_bit_colours_uses_all_16_bits():
    colours = np.array([[[0, 1000, 4095], [4095, 16, 2500]]], np.uint16)
    expected = [[0, 62, 255], [255, 1, 156]]
    alpha = np.concatenate([colours, np.full((1, 2, 1), 65535, np.uint16)], axis=2)
    files = [
        png16(colours),
        tiff_of(colours, photometric="rgb"),
        tiff_of(colours, photometric="rgb", byteorder=">"),
        tiff_of(colours, photometric="rgb", compression="zlib"),
        tiff_of(alpha, photometric="rgb", extrasamples=["unassalpha"]),
        tiff_of(alpha.astype(np.uint32) << 16, photometric="rgb", extrasamples=["unassalpha"]),
    ]
    for data in files[:-1]:
        assert decode_image(data, name="x", value_range=(0, 4095))[0].tolist() == expected
    wide = decode_image(files[-1], name="x", value_range=(0, 4095 << 16))
    assert wide[0].tolist() == expected


def test_tiffs_that_pillow_does_not_know():
    colours = np.array([[[0, 2**31, 2**32 - 1]], [[2**32 - 1, 0, 0]]], np.uint32)
    expected = [[[0, 128, 255]], [[255, 0, 0]]]
    for planar in ("contig", "separate"):
        values = colours if planar == "contig" else np.moveaxis(colours, -1, 0).copy()
        data = tiff_of(values, photometric="rgb", planarconfig=planar)
        assert decode_image(data, name="x").tolist() == expected
    data = tiff_of(colours, photometric="rgb", compression="zlib")
    assert decode_image(data, name="x").tolist() == expected
    data = tiff_of(colours, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert decode_image(data, name="x").tolist() == [[[255, 0, 0], [0, 128, 255]]]
    grey_alpha = np.array([[[60000, 65535], [0, 0]]], np.uint16)
    data = tiff_of(grey_alpha, photometric="minisblack", extrasamples=["unassalpha"])
    assert grey(data) == [233, 233]
    assert reason(tiff_of(colours, photometric="rgb", compression="zlib")[:-70]).startswith("cut")
    complex_ = tiff_of(np.ones((2, 2), np.complex64), photometric="minisblack")
    assert "cannot be read here" in reason(complex_)
    large = patched(tiff_of(np.zeros((8, 8, 3), np.uint32), photometric="rgb"), {256: 60_000})
    assert reason(patched(large, {257: 2_000})).startswith("60,000 x 2,000 pixels is more than")
    many = bytearray(patched(tiff_of(colours, photometric="rgb"), {257: 2**31}))
    many[many.index(struct.pack("<HHI", 256, 4, 1)) + 4] = 60  # widths, which once took 9 GB
    assert reason(bytes(many)).startswith("damaged")


def test_1_bit_pictures():
    image = Image.fromarray(np.array([[0, 255, 0, 255]], np.uint8)).convert("1")
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        assert grey(saved(image, kind)) == [0, 255, 0, 255]
    assert grey(saved(image, "TIFF", compression="group4")) == [0, 255, 0, 255]


# --- colours and transparency -----------------------------------------------------------------

RED, GREEN, BLUE = (250, 10, 10), (10, 240, 10), (10, 10, 200)


def near(pixel: np.ndarray, colour: tuple[int, int, int], by: int = 12) -> bool:
    return bool((np.abs(pixel.astype(int) - colour) <= by).all())


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str):
    for colour in (RED, GREEN, BLUE, (255, 255, 255), (0, 0, 0)):
        image = Image.new("RGB", (16, 16), colour).convert("CMYK")
        assert near(decode_image(saved(image, kind), name="x")[8, 8], colour)


def test_lab():
    rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    for colour in ((200, 60, 60), (60, 180, 60), (60, 60, 180), (128, 128, 128)):
        image = Image.new("RGB", (8, 8), colour)
        converted = ImageCms.profileToProfile(image, rgb, lab, outputMode="LAB")
        assert converted is not None
        assert near(decode_image(saved(converted, "TIFF"), name="x")[4, 4], colour, by=5)


def test_palette_and_its_transparency():
    image = Image.new("P", (6, 6), 0)
    image.putpalette([*GREEN, *RED, *BLUE])
    image.paste(1, (2, 2, 4, 4))
    image.putpixel((0, 0), 2)
    out = decode_image(saved(image, "PNG"), name="x")
    assert [tuple(out[y, x]) for y, x in ((0, 0), (1, 1), (2, 2))] == [BLUE, GREEN, RED]
    out = decode_image(saved(image, "PNG", transparency=1), name="x")
    assert tuple(out[2, 2]) == GREEN  # what surrounds it, not black, white or the colour beneath
    out = decode_image(saved(image, "GIF", transparency=2), name="x")
    assert tuple(out[0, 0]) == GREEN
    out = decode_image(saved(image, "PNG", transparency=bytes([255, 128, 0])), name="x")
    assert near(out[2, 2], (130, 125, 10), by=1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_shows_the_pictures_own_background(kind: str):
    rgba = np.full((9, 9, 4), (*GREEN, 255), np.uint8)
    rgba[3:6, 3:6] = (*BLUE, 255)
    rgba[:3, :3] = (255, 0, 255, 0)  # a corner cut away
    options = {"lossless": True} if kind == "WEBP" else {}
    out = decode_image(saved(Image.fromarray(rgba), kind, **options), name="x")
    assert tuple(out[0, 0]) == GREEN and tuple(out[4, 4]) == BLUE


def test_cut_out_pictures():
    rgba = np.zeros((9, 9, 4), np.uint8)
    rgba[2:7, 2:7] = (*BLUE, 255)
    assert tuple(decode_image(saved(Image.fromarray(rgba), "PNG"), name="x")[0, 0]) == BLUE
    nothing = saved(Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "PNG")
    assert grey(nothing) == [255] * 4
    la = Image.merge(
        "LA", [Image.new("L", (3, 1), 70), Image.frombytes("L", (3, 1), b"\xff\0\xff")]
    )
    assert grey(saved(la, "PNG")) == [70, 70, 70]
    assert grey(saved(Image.new("L", (3, 1), 70), "PNG", transparency=70)) == [255] * 3
    key = png16(np.array([[9000, 65535, 9000]], np.uint16), chunks=chunk(b"tRNS", b"\xff\xff"))
    assert grey(key) == [35, 35, 35]


def test_a_large_picture_is_composited_in_parts():
    rgba = np.full((700, 700, 4), (*GREEN, 255), np.uint8)
    rgba[10:690, 10:690, 3] = 0
    rgba[10:690, 10:690, :3] = 0
    assert (decode_image(saved(Image.fromarray(rgba), "PNG"), name="x") == GREEN).all()


# --- orientation, frames ----------------------------------------------------------------------

CORNERS = {  # where red (top left) and green (top right) lie in the stored picture
    1: ("tl", "tr"),
    2: ("tr", "tl"),
    3: ("br", "bl"),
    4: ("bl", "br"),
    5: ("tl", "bl"),
    6: ("bl", "tl"),
    7: ("br", "tr"),
    8: ("tr", "br"),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "TIFF16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int, kind: str):
    w, h = (48, 32) if orientation < 5 else (32, 48)
    at = {"tl": (0, 0), "tr": (w - 16, 0), "bl": (0, h - 16), "br": (w - 16, h - 16)}
    image = Image.new("RGB", (w, h), (120, 120, 120))
    for corner, colour in zip(CORNERS[orientation], (RED, (0, 0, 255)), strict=True):
        image.paste(colour, (*at[corner], at[corner][0] + 16, at[corner][1] + 16))
    exif = Image.Exif()
    exif[274] = orientation
    if kind == "TIFF16":
        values = np.asarray(image)[:, :, 0].astype(np.uint16) * 257
        deep = Image.frombytes("I;16", (w, h), values.tobytes())
        out = decode_image(saved(deep, "TIFF", tiffinfo={274: orientation}), name="x")
        assert out[8, 8, 0] == 250 and out[8, 40, 0] == 0
    else:
        out = decode_image(saved(image, kind, exif=exif), name="x")
        assert near(out[8, 8], RED) and near(out[8, 40], (0, 0, 255))
    assert out.shape == (32, 48, 3)


def test_damaged_exif_does_not_spoil_the_picture():
    data = saved(Image.new("RGB", (8, 8), RED), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert near(decode_image(data, name="x")[4, 4], RED)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_counts(kind: str):
    frames = [Image.new("RGB", (12, 12), colour) for colour in (RED, GREEN, BLUE)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert near(decode_image(data, name="x")[6, 6], RED)


# --- bad files --------------------------------------------------------------------------------


def noise(w: int = 40, h: int = 30) -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8))


def test_reasons_a_person_understands():
    assert reason(b"") == "the file is empty"
    assert reason("x,y\n1,µm\n".encode() * 300) == "not a picture: looks like text"
    assert reason("é".encode() * 501) == "not a picture: looks like text"  # cut within a letter
    assert reason(b"\xef\xbb\xbfa\tb\r\n") == "not a picture: looks like text"
    assert reason(b"%PDF-1.7\n...") == "not a picture: a PDF document"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n") == "not a picture: a PostScript drawing"
    assert reason(b"PK\x03\x04....") == "not a picture: a zip or office document"
    assert reason(bytes(range(128, 256)) * 9) == "not a picture of any kind that can be read"
    assert "damaged" in reason(b"\x89PNG\r\n\x1a\n" + b"\0" * 200)


def test_postscript_is_never_run():
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert reason(eps) == "not a picture: a PostScript drawing"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF"])
def test_cut_off_files(kind: str):
    data = saved(noise(), kind)
    assert reason(data[: len(data) // 2]).startswith(("cut off", "damaged"))
    assert reason(data[:20]).startswith("cut off")
    if kind in ("PNG", "JPEG", "TIFF"):
        assert reason(data[: len(data) // 2]) == "cut off: the picture data ends early"


def test_truncated_files_are_not_let_pass_elsewhere():
    from PIL import ImageFile

    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_20_000_pixels_square_is_refused_from_its_header():
    rows = (b"\0" + b"\xaa" * 2500) * 20_000
    data = png(20_000, 20_000, depth=1, colour=0, rows=rows)
    assert reason(data) == "20,000 x 20,000 pixels is more than the 64 million allowed"
    # between Pillow's own two limits, where it would only warn
    data = png(10_000, 10_000, depth=1, colour=0, rows=b"")
    assert reason(data) == "10,000 x 10,000 pixels is more than the 64 million allowed"
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0,"
    assert "is more than the 64 million allowed" in reason(gif + b"\0" * 100)
    assert MAX_PIXELS == 64_000_000


def test_a_tile_larger_than_its_picture():
    data = tiff_of(np.zeros((16, 16), np.uint8), tile=(16, 16), photometric="minisblack")
    assert grey(data) == [0] * 16
    assert "more than the 64 million allowed" in reason(patched(data, {322: 60_000, 323: 60_000}))


def test_packed_fits_is_refused():
    cards = [
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  =                    8",
        "NAXIS2  =                    1",
        "PCOUNT  =                    0",
        "ZIMAGE  =                    T",
        "ZCMPTYPE= 'GZIP_1  '",
        "ZBITPIX =                    8",
        "ZNAXIS  =                    2",
        "ZNAXIS1 =                    4",
        "ZNAXIS2 =                    4",
        "END",
    ]
    empty = "SIMPLE  =                    T".ljust(80) + "BITPIX  =  8".ljust(80)
    empty += "NAXIS   =                    0".ljust(80) + "END".ljust(80)
    text = empty.ljust(2880) + "".join(card.ljust(80) for card in cards).ljust(2880)
    assert "gzip" in reason(text.encode() + b"\0" * 100)


def test_the_error_crosses_processes():
    with pytest.raises(ImageError) as caught:
        decode_image(b"", name="a.png")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.path, copy.reason) == ("a.png", "the file is empty")


VALID = {
    "png": saved(noise(20, 9), "PNG"),
    "palette": saved(noise(20, 9).quantize(8), "PNG", transparency=1),
    "jpeg": saved(noise(20, 9), "JPEG"),
    "tiff": saved(noise(20, 9), "TIFF", compression="tiff_lzw"),
    "group4": saved(noise(20, 9).convert("1"), "TIFF", compression="group4"),
    "tiff32": tiff_of(np.arange(180, dtype=np.uint32).reshape(6, 10, 3), photometric="rgb"),
    "gif": saved(noise(20, 9), "GIF"),
    "webp": saved(noise(20, 9), "WEBP"),
    "bmp": saved(noise(20, 9), "BMP"),
    "png16": png16(RAMP, sbit=12),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", VALID)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damage_gives_a_picture_or_an_image_error(kind: str, data: st.DataObject):
    damaged = bytearray(VALID[kind])
    places = st.integers(0, len(damaged) - 1)
    changes = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)
    for place, value in data.draw(changes):
        damaged[place] = value
    if data.draw(st.booleans()):
        del damaged[data.draw(places) :]
    try:
        out = decode_image(bytes(damaged), name="x")
    except ImageError as error:
        assert error.reason
    else:
        assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3 and out.size


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes):
    try:
        decode_image(data, name="x")
    except ImageError as error:
        assert error.reason


@pytest.mark.parametrize("kind", ["group4", "tiff"])
def test_nothing_is_printed(kind: str, capfd: pytest.CaptureFixture[str]):
    damaged = bytearray(VALID[kind])
    damaged[12:30] = b"\xff" * 18
    with pytest.raises(ImageError):
        decode_image(bytes(damaged[:-9]), name="x")
    if sys.platform == "linux":
        assert capfd.readouterr() == ("", "")


def test_warning_filters_come_back_whatever_the_threads_do():
    before = list(warnings.filters)
    files = [VALID["png"], VALID["jpeg"], VALID["palette"], VALID["gif"]] * 10

    def work() -> None:
        for data in files:
            decode_image(data, name="x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_nothing_heavy_is_imported():
    import subprocess

    code = "import sys, core.images, core.sources; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "sklearn", "streamlit", "pandas", "scipy", "skimage", "tifffile"}
    assert not heavy & set(out.stdout.split())


# --- what is done with a picture --------------------------------------------------------------


def test_read_image(tmp_path: Path):
    path = tmp_path / "<img onerror=alert(1)> #1 50%.png"
    path.write_bytes(saved(Image.new("RGB", (5, 4), RED), "PNG"))
    assert read_image(quote_path(path)).shape == (4, 5, 3)
    with pytest.raises(ImageError, match="there is no such file"):
        read_image(str(tmp_path / "none.png"))


def test_background_is_the_median_of_the_border():
    image = np.full((7, 9, 3), 200, np.uint8)
    image[1:-1, 1:-1] = 5
    image[0, :4] = 0  # fewer than half of the border
    assert background(image).tolist() == [200, 200, 200]
    for shape in ((1, 1, 3), (1, 5, 3), (5, 1, 3), (2, 2, 3)):
        assert background(np.full(shape, 7, np.uint8)).tolist() == [7, 7, 7]


def test_pad_to_square():
    image = np.full((4, 9, 3), 30, np.uint8)
    image[1:3, 3:6] = 250
    out = pad_to_square(image)
    assert out.shape == (9, 9, 3)
    assert (out[2:6] == image).all() and (out[:2] == 30).all() and (out[6:] == 30).all()
    tall = pad_to_square(np.ascontiguousarray(image.swapaxes(0, 1)))
    assert (tall == out.swapaxes(0, 1)).all()
    assert pad_to_square(out) is out


def test_thumbnails():
    wide = np.asarray(noise(600, 150))
    small = Image.open(io.BytesIO(thumbnail(wide)))
    assert (small.format, small.size) == ("WEBP", (256, 64))
    assert Image.open(io.BytesIO(thumbnail(wide[:20, :30]))).size == (30, 20)
    assert Image.open(io.BytesIO(thumbnail(np.zeros((1, 3000, 3), np.uint8)))).size == (256, 1)
    flat = np.full((300, 300, 3), RED, np.uint8)
    assert near(decode_image(thumbnail(flat, side=64), name="x")[30, 30], RED)
    for side in (0, 5000):
        with pytest.raises(RangeError, match="expected 1 to 4,096"):
            thumbnail(wide, side=side)


def test_fit_within_never_enlarges():
    image = np.asarray(noise(40, 30))
    assert fit_within(image, 40) is image
    assert fit_within(image, 20).shape == (15, 20, 3)


def test_png_comes_back_as_it_was():
    image = np.asarray(noise())
    assert (decode_image(encode_png(image), name="x") == image).all()


def test_content_hash():
    assert content_hash(b"a") != content_hash(b"b")
    assert len(content_hash(b"a")) == 32


def test_contact_sheet():
    images = [np.full((50, 300, 3), RED, np.uint8), np.full((20, 10, 3), BLUE, np.uint8)] * 4
    captions = [
        "short",
        "a very long caption " * 99,
        "浮游生物 плa עב",
        "\udcff\n\0",
        "",
        "é",
        "7",
        "8",
    ]
    sheet = decode_image(contact_sheet(images, captions, columns=3, tile=100), name="x")
    assert sheet.shape == (3 * 133 + 10, 3 * 110 + 10, 3)
    assert near(sheet[10 + 50, 10 + 50], RED) and near(sheet[10 + 50, 10 + 110 + 50], BLUE)
    beside = sheet[10 + 100 : 10 + 133, 220:230]  # the gap right of the long caption stays empty
    assert (beside == beside[0, 0]).all()
    assert decode_image(contact_sheet([], []), name="x").size
    with pytest.raises(ShapeError, match="1 captions for 0 images"):
        contact_sheet([], ["x"])
    for columns, tile in ((0, 100), (3, 5)):
        with pytest.raises(RangeError, match="columns"):
            contact_sheet([], [], columns=columns, tile=tile)


# --- files that break image readers -----------------------------------------------------------

UNREADABLE = {
    "decompression_bomb.gif": "more than the 64 million",
    "decompression_bomb.ico": "more than the 64 million",
    "20200108 082108  029  000001 1251 0708.png": "damaged",
    "crash-f46f5b2f43c370fe65706c11449f567ecc345e74.tif": "damaged",
    "libtiff_segfault.tif": "bytes unpacked is more than",
    "tiff_overflow_rows_per_strip.tif": "cut off",
    "timeout-6646305047838720": "cut off",
    "truncated_image.png": "cut off",
    "truncated_jpeg.jpg": "cut off",
}


@pytest.mark.skipif(not ODD.exists(), reason="the folder of odd files is not here")
def test_odd_files(capfd: pytest.CaptureFixture[str]):
    read = 0
    for path in sorted(ODD.glob("*/*")):
        if path.name in UNREADABLE:
            with pytest.raises(ImageError, match=UNREADABLE[path.name]):
                read_image(quote_path(path))
        else:
            out = read_image(quote_path(path))
            assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3
            read += 1
    assert read == 37
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not ODD.exists(), reason="the folder of odd files is not here")
def test_odd_files_look_as_they_should():
    def mean(name: str) -> list[int]:
        return [round(v) for v in read_image(str(ODD / name)).mean((0, 1))]

    upright = read_image(str(ODD / "exif_rotated/Landscape_1.jpg")).astype(int)
    for turned in ("Landscape_6", "Landscape_7"):
        out = read_image(str(ODD / f"exif_rotated/{turned}.jpg"))
        assert out.shape == (1200, 1800, 3)
        assert np.abs(out - upright).mean() < 8  # all but the number drawn in the middle
    assert mean("exif_rotated/hopper_orientation_3.jpg") == [90, 80, 95]
    assert read_image(str(ODD / "exif_rotated/g4_orientation_5.tif")).shape == (88, 590, 3)
    red, green, blue = mean("cmyk_lab/pil_sample_cmyk.jpg")
    assert red > 3 * green and red > 3 * blue
    assert mean("cmyk_lab/tiff_strip_cmyk_jpeg.tif") == [red, green, blue]
    assert mean("multipage/multipage.tiff") == [0, 128, 0]  # its first page is green
    assert mean("corrupt/hopper_unknown_pixel_mode.tif") == pytest.approx([90, 80, 95], abs=10)
    twelve = read_image(str(ODD / "gray16_tiff/12bit.cropped.tif"))
    assert twelve.max() == round(30 * 255 / 4095)
