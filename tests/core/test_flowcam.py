from __future__ import annotations

import csv
import re
import struct
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn_from
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import CoreError, SourceError
from core.images import read_image
from core.indexing import index
from core.library import Library
from core.sources import ImageRef, Skipped, open_source
from core.sources.archive import ZipTree
from core.sources.base import File, Given, Source, Tree
from core.sources.flowcam import FlowCam, FlowCamSource, tiff_size
from core.sources.folder import FolderTree
from core.sources.lst import ParticleList, Row
from core.sources.naming import date_in, position_in
from core.sources.uri import join
from tests.core.conftest import DATA

FLOWCAM = DATA / "flowcam"
WIDTH, HEIGHT, SIDE, STEP = 120, 60, 16, 20

TYPES = {
    "id": "int32",
    "image_x": "int32",
    "image_y": "int32",
    "image_w": "int32",
    "image_h": "int32",
    "ppc": "int32",
    "cal_const": "double",
    "raw_legendre_major": "double",
    "raw_legendre_minor": "double",
    "abd_area": "double",
    "abd_diameter": "double",
    "length": "double",
    "width": "double",
    "esd_diameter": "double",
    "perimeter": "double",
    "intensity": "double",
    "edge_gradient": "double",
    "circularity_hu": "double",
    "ch1_peak": "double",
    "ch2_peak": "double",
    "timestamp": "timestamp",
    "collage_file": "string",
    "image_id": "guid",
}


def particle(number: int, run: str = "run", **changed: object) -> dict[str, object]:
    """Six of them a row, three rows a collage, each a square of a grey of its own."""
    place = (number - 1) % 18
    return {
        "id": number,
        "image_x": place % 6 * STEP,
        "image_y": place // 6 * STEP,
        "image_w": SIDE,
        "image_h": SIDE - 2,
        "ppc": 1,
        "cal_const": "0.5544",
        "raw_legendre_major": "20.0000",
        "raw_legendre_minor": "5.0000",
        "abd_area": "36.5954",
        "abd_diameter": "6.8260",
        "length": "9.1476",
        "width": "6.3756",
        "esd_diameter": f"{7 + number / 10:.4f}",
        "perimeter": "31.0695",
        "intensity": "127.1667",
        "edge_gradient": "50.9796",
        "circularity_hu": "0.9619",
        "ch1_peak": "0.0000",
        "ch2_peak": "0.0000",
        "timestamp": "2025-04-11T15:53:46.806",
        "collage_file": f"{run}_{(number - 1) // 18 + 1:06d}.tif",
        "image_id": "C60339F4-9D66-4CC9-9EE1-5966639FC33C",
        **changed,
    }


def lst(
    rows: Iterable[dict[str, object]],
    *,
    types: dict[str, str] | None = None,
    end: str = "\n",
    fields: int | None = None,
    version: str | None = "017",
) -> bytes:
    types = TYPES if types is None else types
    lines = [] if version is None else [version]
    lines.append(f"num-fields|{len(types) if fields is None else fields}")
    lines += [f"{name}|{kind}" for name, kind in types.items()]
    lines += ["|".join(str(row[name]) for name in types) for row in rows]
    return "".join(line + end for line in lines).encode()


def grey(number: int) -> int:
    return 20 + number * 5 % 200


def write_run(
    folder: Path,
    numbers: Sequence[int] = (1, 2, 3),
    *,
    run: str = "run",
    listed: bytes | None = None,
    **changed: object,
) -> Path:
    """A run as a FlowCam writes it: list, collages with their masks, a background."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [particle(number, run, **changed) for number in numbers]
    (folder / f"{run}.lst").write_bytes(lst(rows) if listed is None else listed)
    for collage in sorted({(number - 1) // 18 for number in numbers}):
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for number in range(collage * 18 + 1, collage * 18 + 19):
            here = particle(number)
            x, y = int(str(here["image_x"])), int(str(here["image_y"]))
            pixels[y : y + SIDE - 2, x : x + SIDE] = grey(number)
        name = f"{run}_{collage + 1:06d}"
        Image.fromarray(pixels).save(folder / f"{name}.tif", compression="tiff_lzw")
        Image.fromarray(pixels[:, :, 0]).save(folder / f"{name}_bin.tif")
    Image.fromarray(pixels[:, :, 0]).save(folder / "cal_image_000001.tif")
    (folder / f"{run}.ctx").write_text("[Software]\n")
    return folder


def zipped(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def images(source: Source) -> list[ImageRef]:
    return [found for found in source.refs() if isinstance(found, ImageRef)]


def reasons(source: Source) -> list[str]:
    return [found.reason for found in source.refs() if isinstance(found, Skipped)]


def opened(path: Path, **said: Any) -> FlowCamSource:
    source = open_source(str(path), **said)
    assert isinstance(source, FlowCamSource)
    return source


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_every_particle_is_cut_from_its_collage(tmp_path: Path, packed: bool):
    folder = write_run(tmp_path / "run", range(1, 26))
    before = sorted(folder.iterdir())
    source = opened(zipped(folder) if packed else folder)
    found = images(source)
    assert (source.kind, source.noun, source.name) == ("FlowCam run", "particles", "run")
    assert [ref.id for ref in found] == [f"run/{number}" for number in range(1, 26)]
    assert found[24].inner == "run_000002.tif#xywh=0,20,16,14"
    for number, ref in enumerate(found, 1):
        pixels = read_image(join(source.root, ref.inner))
        assert pixels.shape == (14, 16, 3) and (pixels == grey(number)).all()
    assert reasons(source) == [] and list(source.notes) == []
    assert list(source.refs()) == found  # the same again
    assert sorted(folder.iterdir()) == before


def test_what_is_known_of_a_particle(tmp_path: Path):
    source = opened(write_run(tmp_path / "run", [4]))
    (ref,) = images(source)
    assert ref.um_per_px == 0.5544 and ref.sample == "run" and ref.label is None
    assert ref.metadata == {
        "instrument": "FlowCam",
        "run": "run",
        "date": "2025-04-11",
        "imaged_at": "2025-04-11T15:53:46.806",
        "esd_um": 7.4,
        "abd_um": 6.826,
        "length_um": 9.1476,
        "width_um": 6.3756,
        "perimeter_um": 31.0695,
        "area_um2": 36.5954,
        "aspect_ratio": 0.25,
        "circularity_hu": 0.9619,
        "mean_intensity": 127.1667,
        "edge_gradient": 50.9796,
        "particles_per_chain": 1,
    }
    assert isinstance(ref.metadata["particles_per_chain"], int)
    size, _, rest = ref.stamp.partition(":")
    assert int(size) == (tmp_path / "run" / "run_000001.tif").stat().st_size
    assert rest.endswith("#xywh=60,0,16,14")


def test_columns_are_found_by_name(tmp_path: Path):
    few = ("collage_file", "image_h", "image_w", "image_y", "image_x", "length", "width", "id")
    types = {name: TYPES[name] for name in few} | {"new_measure": "double"}
    rows = [particle(number, new_measure="1.0") for number in (1, 2)]
    listed = lst(rows, types=types, end="\r\n")
    source = opened(write_run(tmp_path / "run", listed=b"\xef\xbb\xbf" + listed))
    first, second = images(source)
    assert first.metadata == {
        "instrument": "FlowCam",
        "run": "run",
        "length_um": 9.1476,
        "width_um": 6.3756,
        "aspect_ratio": 0.697,
    }
    assert first.um_per_px is None and second.inner == "run_000001.tif#xywh=20,0,16,14"
    assert list(source.notes) == ["The list has no cal_const, so sizes are known in pixels only"]
    assert images(opened(tmp_path / "run", um_per_px=2))[0].um_per_px == 2


def test_types_come_from_the_header(tmp_path: Path):
    types = TYPES | {"id": "string", "image_x": "double", "ppc": "string"}
    rows = [particle(1, id="A 7", image_x="20.0"), particle(2, id="a/b"), particle(3, id=" ")]
    source = open_run(tmp_path, rows, types=types)
    assert reasons(source)[0].startswith("line 26, column ppc: '1'; expected a column of numbers")
    del types["ppc"]
    source = open_run(tmp_path, rows, types=types)
    (ref,) = images(source)
    assert (ref.id, ref.inner) == ("run/A 7", "run_000001.tif#xywh=20,0,16,14")
    assert reasons(source) == [
        "line 26, column id: 'a/b'; expected a word without '/'",
        "line 27, column id: ' '; expected a word without '/'",
    ]


class Anything(FlowCamSource):
    """A source of which nothing is asked when it is opened."""

    def _check(self) -> None:
        pass


def open_run(folder: Path, rows: Iterable[dict[str, object]], **how: Any) -> FlowCamSource:
    run = write_run(folder / "run", listed=lst(rows, **how))
    return Anything(FolderTree(run), Given())


def test_folders_of_runs_are_samples(tmp_path: Path):
    write_run(tmp_path / "cruise" / "day 1" / "a", [1, 2], run="a")
    write_run(tmp_path / "cruise" / "day 2" / "b#1", [1], run="b#1")
    source = opened(tmp_path / "cruise")
    assert source.kind == "FlowCam runs"
    found = images(source)
    assert [ref.id for ref in found] == [
        "cruise/day 1/a/1",
        "cruise/day 1/a/2",
        "cruise/day 2/b#1/1",
    ]
    assert [ref.sample for ref in found] == ["a", "a", "b#1"]
    assert found[2].inner == "day 2/b%231/b%231_000001.tif#xywh=0,0,16,14"
    assert (read_image(join(source.root, found[2].inner)) == grey(1)).all()
    by_folder = opened(tmp_path / "cruise", samples="folder", name="c")
    assert [ref.sample for ref in images(by_folder)] == ["a", "a", "b#1"]
    both = opened(tmp_path / "cruise", samples="folder", labels="folder")
    assert [ref.sample for ref in images(both)] == ["day 1", "day 1", "day 2"]
    assert all(ref.label is None for ref in images(both))
    assert "carry no labels" in both.notes[0]


def test_several_lists_in_one_folder(tmp_path: Path):
    folder = write_run(tmp_path / "flat", [1], run="a")
    write_run(folder, [1], run="b")
    write_run(folder / "a", [1], run="x")
    assert [(ref.id, ref.sample) for ref in images(opened(folder))] == [
        ("flat/a/1", "x"),
        ("flat/a.lst/1", "a"),
        ("flat/b/1", "b"),
    ]
    only = opened(folder / "b.lst")
    assert [ref.id for ref in images(only)] == ["flat/b/1"] and only.kind == "FlowCam run"
    write_run(tmp_path / "two" / "1", [1], run="same")
    write_run(tmp_path / "two" / "2", [1], run="same")
    assert [ref.sample for ref in images(opened(tmp_path / "two"))] == ["1/same", "2/same"]


def test_a_list_of_another_name_than_its_collages(tmp_path: Path):
    name = "Tank10_54.0143_-2.7770_04052023_1_images"
    folder = write_run(tmp_path / "tank ten", [1], run=name)
    (folder / f"{name}.lst").rename(folder / "metadata.lst")
    source = opened(folder)
    (ref,) = images(source)
    assert ref.id == "tank ten/1" and ref.sample == ref.metadata["run"] == "tank ten"
    assert (ref.metadata["latitude"], ref.metadata["longitude"]) == (54.0143, -2.777)
    assert ref.metadata["date"] == "2023-05-04"
    assert source.notes[0] == (
        "The name may mean 2023-05-04 or 2023-04-05: its day was taken to come first"
    )


def test_one_list_may_be_named(tmp_path: Path):
    folder = write_run(tmp_path / "run")
    source = opened(folder / "run.lst", name="mine")
    assert [ref.id for ref in images(source)] == ["mine/1", "mine/2", "mine/3"]
    with pytest.raises(SourceError, match=r"run_000001.tif is no list of particles; expected the"):
        FlowCam().open(FolderTree(folder), Given(only="run_000001.tif"))


def test_position_and_date_from_the_name(tmp_path: Path):
    name = "lake_54.0143_-2.7770_14052023_1"
    folder = write_run(tmp_path / name, run=name, timestamp="2023-06-01T10:00:00")
    source = opened(folder)
    ref = images(source)[0]
    assert (ref.metadata["latitude"], ref.metadata["longitude"]) == (54.0143, -2.777)
    assert ref.metadata["date"] == "2023-05-14"
    assert ref.metadata["imaged_at"] == "2023-06-01T10:00:00.000"
    assert list(source.notes) == [
        "Date is 2023-05-14, as the name says; the instrument's own clock said 2023-06-01 "
        "(imaged_at)"
    ]


def test_an_impossible_position_is_left_out(tmp_path: Path):
    for name in ("lake_-122.3000_47.6000_1", "pond_95.10_12.20"):
        write_run(tmp_path / "runs" / name, [1], run=name)
    source = opened(tmp_path / "runs")
    assert all("latitude" not in ref.metadata for ref in images(source))
    assert list(source.notes) == [
        "lake_-122.3000_47.6000_1: the name says latitude -122.3000 and longitude 47.6000; "
        "expected -90 to 90 and -180 to 180: both were left out; is the longitude written first?",
        "pond_95.10_12.20: the name says latitude 95.10 and longitude 12.20; expected -90 to 90 "
        "and -180 to 180: both were left out; is the longitude written first?",
    ]


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("a_-54.01_-2.77", (-54.01, -2.77)),
        ("a_90.00_180.00_b", (90, 180)),
        ("a_90.01_180.00_b", None),
        ("a_54.01_180.01", None),
        ("a_54.01", None),
        ("a_54.01_x_2.77", None),
        ("a_0.5_1.5", None),  # a magnification, a volume
        ("a_1.25_54.01_-2.77", None),
        ("a_54.01-2.77", None),
    ],
)
def test_positions(name: str, position: tuple[float, float] | None):
    found, why = position_in(name)
    assert found == position
    assert bool(why) == (name in {"a_90.01_180.00_b", "a_54.01_180.01", "a_1.25_54.01_-2.77"})


@pytest.mark.parametrize(
    ("name", "day", "doubt"),
    [
        ("DY086_20171118_MSC", date(2017, 11, 18), False),
        ("a_2017-11-18", date(2017, 11, 18), False),
        ("a_2017_11_18", date(2017, 11, 18), False),
        ("a-3Feb2020", date(2020, 2, 3), False),
        ("a 03-february-2020", date(2020, 2, 3), False),
        ("a_18112017", date(2017, 11, 18), False),
        ("a_11182017", date(2017, 11, 18), False),
        ("a_05052023", date(2023, 5, 5), False),
        ("a_04052023", date(2023, 5, 4), True),
        ("a_04072023", date(2023, 4, 7), False),  # a sample is not imaged before it is taken
        ("a_06012023", date(2023, 6, 1), False),  # most are imaged on their day
        ("a_01062023", date(2023, 6, 1), False),
        ("a_31Feb2020", None, False),
        ("a_20171318", None, False),
        ("a_18990101", None, False),
        ("a_54.20171118", None, False),
        ("a_120171118", None, False),
        ("day7", None, False),
    ],
)
def test_dates(name: str, day: date | None, doubt: bool):
    found, why = date_in(name, before=date(2023, 6, 1))
    assert (found, bool(why)) == (day, doubt)


def test_rows_that_cannot_be_used(tmp_path: Path):
    rows = [
        particle(1),
        particle(2, collage_file="gone_000009.tif"),
        particle(3, collage_file="run_000001_bin.tif"),
        particle(4, collage_file="cal_image_000001.tif"),
        particle(5, collage_file=""),
        particle(6, image_x=105),
        particle(7, image_y=47),
        particle(8, image_w="wide"),
        particle(9, image_h=0),
        particle(10, image_x=-1),
        particle(11, image_w=99999999999),
        particle(1),
        particle(12, id="12.5"),
        particle(13, length="9,14"),
        particle(14, cal_const="0.55x"),
        particle(15, esd_diameter="1e999"),
        particle(16),
    ]
    folder = write_run(tmp_path / "run", listed=lst(rows) + b"17|0|0\n18" + b"|0" * 30 + b"\n")
    source = opened(folder)
    assert [ref.id for ref in images(source)] == ["run/1", "run/16"]
    uris = {found.uri for found in source.refs() if isinstance(found, Skipped)}
    assert uris == {str(folder / "run.lst")}
    assert reasons(source) == [
        "line 27, column collage_file: 'gone_000009.tif'; expected a file that lies beside the "
        ".lst; there is none",
        "line 28, column collage_file: 'run_000001_bin.tif'; expected a collage; this is a mask or "
        "a background",
        "line 29, column collage_file: 'cal_image_000001.tif'; expected a collage; this is a mask "
        "or a background",
        "line 30, column collage_file: ''; expected the name of a collage",
        "line 31, column image_x: '105'; expected at most 104, for 16 x 14 pixels in a collage of "
        "120 x 60",
        "line 32, column image_y: '47'; expected at most 46, for 16 x 14 pixels in a collage of "
        "120 x 60",
        "line 33, column image_w: 'wide'; expected a whole number",
        "line 34, column image_h: '0'; expected 1 or more pixels",
        "line 35, column image_x: '-1'; expected 0 or more pixels",
        "line 36, column image_w: '99999999999'; expected 1 or more pixels",
        "line 37, column id: '1'; expected one not in line 26 already",
        "line 38, column id: '12.5'; expected a whole number",
        "line 39, column length: '9,14'; expected a number such as 12.5",
        "line 40, column cal_const: '0.55x'; expected a number such as 12.5",
        "line 41, column esd_diameter: '1e999'; expected a number such as 12.5",
        "line 43 has 3 fields; expected 23; it ends in column image_y",
        "line 44 has 31 fields; expected 23",
    ]


def test_measures_that_are_no_number(tmp_path: Path):
    odd = {"length": "-nan(ind)", "width": "", "raw_legendre_major": "0.0", "timestamp": "later"}
    rows = [particle(1, **odd), particle(2)]
    source = opened(write_run(tmp_path / "run", listed=lst(rows)))
    first, second = images(source)
    assert {"length_um", "width_um", "aspect_ratio", "date"}.isdisjoint(first.metadata)
    assert second.metadata["length_um"] == 9.1476
    assert list(source.notes) == [
        "The column length holds no number for some particles: left out there",
        "The column width holds no number for some particles: left out there",
        "A timestamp cannot be read: imaged_at was left out there",
    ]


@pytest.mark.parametrize("said", ["0.0000", "5544", "-0.55", "nan", "0.049", "200.1"])
def test_an_absurd_pixel_size_is_refused(tmp_path: Path, said: str):
    folder = write_run(tmp_path / "run", cal_const=said)
    source = opened(folder)
    ref = images(source)[0]
    assert ref.um_per_px is None
    assert "esd_um" not in ref.metadata and "area_um2" not in ref.metadata
    assert ref.metadata["aspect_ratio"] == 0.25 and ref.metadata["circularity_hu"] == 0.9619
    (note,) = source.notes
    assert (
        note.startswith("The pixel size (cal_const) is ")
        and "expected 0.05 to 200: it was not used" in note
    )
    assert images(opened(folder, um_per_px=0.6))[0].um_per_px == 0.6


def test_the_pixel_size_given_wins(tmp_path: Path):
    folder = write_run(tmp_path / "run")
    source = opened(folder, um_per_px=1.2)
    assert {ref.um_per_px for ref in images(source)} == {1.2}
    assert list(source.notes) == [
        "The pixel size given is 1.2 micrometres and cal_const 0.5544: the instrument's measures "
        "stand on cal_const"
    ]
    assert list(opened(folder, um_per_px=0.5544).notes) == []
    write_run(folder, cal_const="?")
    assert len(images(opened(folder, um_per_px=1.2))) == 3
    with pytest.raises(SourceError, match=r"run.lst: line 26, column cal_const: '\?'; expected a"):
        opened(folder)


def test_fluorescence_where_anything_shone(tmp_path: Path):
    rows = [particle(1), particle(2, ch2_peak="310.5000")]
    source = opened(write_run(tmp_path / "run", listed=lst(rows)))
    assert [ref.metadata["ch2_peak"] for ref in images(source)] == [0.0, 310.5]
    assert all("ch1_peak" not in ref.metadata for ref in images(source))


def test_other_pictures_are_left_aside(tmp_path: Path):
    folder = write_run(tmp_path / "run")
    for name in ("rawfile_000001.tif", "notes.txt", "b.png"):
        (folder / name).write_bytes(b"")
    (folder / "link.png").symlink_to("nowhere")
    source = opened(folder)
    assert len(images(source)) == 3
    assert reasons(source) == ["a link to nothing"]
    assert source.notes == ["Of b.png and 1 more no .lst names a particle: left aside"]
    assert list(opened(folder / "run.lst").notes) == []


def test_names_as_windows_writes_them(tmp_path: Path):
    rows = [
        particle(1, collage_file=r"C:\FlowCam\run\run_000001.tif"),
        particle(2, collage_file="RUN_000001.TIF"),
        particle(3, collage_file="../../etc/passwd.tif"),
    ]
    source = opened(write_run(tmp_path / "run", listed=lst(rows)))
    assert [ref.inner for ref in images(source)] == [
        "run_000001.tif#xywh=0,0,16,14",
        "run_000001.tif#xywh=20,0,16,14",
    ]
    assert "there is none" in reasons(source)[0]
    folder = write_run(tmp_path / "Kähler", run="Kähler")
    rows = [particle(1, "Kähler")]
    (folder / "Kähler.lst").write_bytes(lst(rows).decode().encode("cp1252"))
    assert images(opened(folder))[0].inner == "Kähler_000001.tif#xywh=0,0,16,14"


HEADER = lst([]).decode().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty; expected a FlowCam .lst"),
        ("017\nnum-fields|23\0\n", "it is no text; expected a FlowCam .lst"),
        (HEADER[1:], "line 1: 'num-fields|23'; expected a version such as 017"),
        (["017\n", *HEADER[2:]], r"line 2: 'id\|int32'; expected num-fields\|N"),
        (["017\n"], r"line 2: ''; expected num-fields\|N"),
        (["017\n", "num-fields|0\n"], "line 2: num-fields is 0; expected 1 to 1,000"),
        (["017\n", "num-fields|999999\n"], "line 2: num-fields is 999999; expected 1 to"),
        (["017\n", "num-fields|many\n"], r"line 2: 'num-fields\|many'; expected num-fields\|N"),
        (HEADER[:9], r"line 10: the header ends after 7 of the 23 fields that line 2 states"),
        (
            ["017\n", "num-fields|24\n", *HEADER[2:], "1|2|3\n"],
            r"line 26: '1\|2\|3' after 23 of the 24 fields that line 2 states; expected name\|type",
        ),
        (
            ["017\n", "num-fields|22\n", *HEADER[2:]],
            r"line 25: 'image_id\|guid' is one field more than the 22 that line 2 states",
        ),
        ([*HEADER[:5], "id|int32\n", *HEADER[6:]], "line 6: the column 'id' was named before"),
        (
            "".join(HEADER).replace("image_w|", "w|").replace("collage_file|", "file|"),
            "lines 3 to 25 name no column image_w, collage_file; expected id, image_x",
        ),
        (
            "".join(HEADER).replace("image_h|int32", "image_h|string"),
            "line 7, column image_h: its type is string; expected int32",
        ),
        (HEADER, "its header is followed by no particle"),
    ],
)
def test_damaged_lists(tmp_path: Path, text: str | list[str], reason: str):
    listed = "".join(text).encode()
    folder = write_run(tmp_path / "runs" / "a", run="a", listed=listed)
    with pytest.raises(SourceError, match=f"^a.lst: {reason}"):
        opened(folder)
    write_run(tmp_path / "runs" / "b", run="b")
    source = opened(tmp_path / "runs")
    assert [ref.id for ref in images(source)] == ["runs/b/1", "runs/b/2", "runs/b/3"]
    (why,) = reasons(source)
    assert re.match(reason, why)


def test_more_lines_than_any_run_has(monkeypatch: pytest.MonkeyPatch):
    """A few bytes a line cost twenty times as much once they are lines."""
    monkeypatch.setattr("core.sources.lst.MAX_LINES", 10)
    with pytest.raises(SourceError, match="it has 23 lines; expected at most 10"):
        ParticleList(b"017\n" + b"ab\n" * 22)


def test_when_nothing_can_be_used(tmp_path: Path):
    folder = write_run(tmp_path / "run", collage_file="gone.tif")
    expected = "^run.lst: line 26, column collage_file: 'gone.tif'.*; 2 more cannot be used either$"
    with pytest.raises(SourceError, match=expected):
        opened(folder)
    write_run(tmp_path / "other", run="other", listed=b"017\n")
    with pytest.raises(SourceError, match=r"other/other.lst: line 2: .*; 3 more cannot be used"):
        opened(tmp_path)


def test_what_is_recognised(tmp_path: Path):
    write_run(tmp_path / "run")
    recognises = FlowCam().recognises
    assert recognises(FolderTree(tmp_path)) and recognises(ZipTree(zipped(tmp_path / "run")))
    plain = tmp_path / "plain"
    plain.mkdir()
    Image.new("L", (4, 4)).save(plain / "a_000001.tif")
    assert not recognises(FolderTree(plain))
    (plain / "listing.lst").write_text("1 int main()\n")
    assert not recognises(FolderTree(plain))
    (plain / "listing.lst").write_text("num-fields|9\n")
    assert recognises(FolderTree(plain))
    (plain / "listing.lst").rename(plain / "a.lst")
    (plain / "a.lst").write_bytes(b"")  # its collage gives it away, and opening says it is empty
    with pytest.raises(SourceError, match=r"^a.lst: it is empty"):
        open_source(str(plain))
    (plain / "a.lst").rename(plain / "b.lst")
    assert not isinstance(open_source(str(plain)), FlowCamSource)
    (plain / "b.lst").unlink()
    (plain / "c.lst").mkdir()
    assert not recognises(FolderTree(plain))


class Bucket:
    """A tree far away, which tells what was fetched."""

    name = "bucket"

    def __init__(self, folder: Path, root: str) -> None:
        self.root = root
        self._near = FolderTree(folder)
        self.fetched: list[tuple[str, int | None]] = []

    def files(self) -> Sequence[File | Skipped]:
        return self._near.files()

    def read(self, path: str, *, limit: int = 2**28, first: int | None = None) -> bytes:
        self.fetched.append((path, first))
        return self._near.read(path, limit=limit, first=first)


def test_no_collage_is_fetched_whole_to_list_a_bucket(tmp_path: Path):
    folder = write_run(tmp_path / "run", [1])
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, 4 * WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(folder / "run_000001.tif", compression="tiff_lzw")
    (folder / "run.lst").write_bytes(lst([particle(1), particle(2, image_x=4 * WIDTH)]))
    assert (folder / "run_000001.tif").stat().st_size > 65_536
    far = Bucket(folder, "s3://bucket/run#via=anonymous")
    source = FlowCam().open(far, Given())
    far.fetched.clear()
    assert [join(source.root, ref.inner) for ref in images(source)] == [
        "s3://bucket/run/run_000001.tif#xywh=0,0,16,14#via=anonymous",
        "s3://bucket/run/run_000001.tif#xywh=480,0,16,14#via=anonymous",
    ]
    assert {read for read in far.fetched if read[0].endswith(".tif")} == {("run_000001.tif", 65536)}
    near = FlowCam().open(FolderTree(folder), Given())
    assert [ref.id for ref in images(near)] == ["run/1"]
    assert "in a collage of 480 x 60" in reasons(near)[0]


def test_a_collage_that_is_none_is_said_when_it_is_read(tmp_path: Path):
    folder = write_run(tmp_path / "run", [1])
    for content in (
        b"",
        b"II*\0",
        b"no picture",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\xff\xff\xff\xff",
    ):
        (folder / "run_000001.tif").write_bytes(content)
        (ref,) = images(opened(folder))
        with pytest.raises(CoreError):
            read_image(join(str(folder), ref.inner))


def test_the_size_of_a_collage_is_read_from_its_header():
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        entries = [(256, 3, 500), (257, 4, 70_000), (305, 2, 9)]
        body = struct.pack(f"{order}H", len(entries))
        for tag, kind, value in entries:
            body += struct.pack(f"{order}HHI", tag, kind, 1)
            body += struct.pack(f"{order}{'HH' if kind == 3 else 'I'}", value, *[0][: kind == 3])
        data = mark + struct.pack(f"{order}I", 8) + body
        assert tiff_size(data, 8) == (500, 70_000)
        assert tiff_size(data[:-20], 8) is None and tiff_size(data, len(data)) is None
        turned = data.replace(
            struct.pack(f"{order}HHI", 305, 2, 1), struct.pack(f"{order}HHI", 274, 3, 1)
        )
        turned = turned[:-4] + struct.pack(f"{order}HH", 6, 0)
        assert tiff_size(turned, 8) is None


@pytest.mark.slow
def test_a_run_is_indexed(tmp_path: Path, library: Library):
    rows = [particle(number) for number in range(1, 13)]
    rows.append(particle(13, collage_file="gone.tif"))
    folder = write_run(tmp_path / "run", range(1, 13), listed=lst(rows))
    done = index(library, collection="fc", source=str(folder))
    assert (done.indexed, done.skipped_count) == (12, 1)
    assert "line 38, column collage_file" in done.skipped[0].reason
    again = index(library, collection="fc", source=str(folder))
    assert (again.indexed, again.updated, again.already) == (0, 0, 12)
    rows[0] |= {"image_w": 12}
    (folder / "run.lst").write_bytes(lst(rows))
    assert index(library, collection="fc", source=str(folder)).updated == 1


# fuzzing: whatever a list holds, a CoreError or particles come out

GOOD = lst([particle(1), particle(2)])
PIECES = st.sampled_from(
    [
        b"|",
        b"\n",
        b"\r",
        b"\0",
        b"-1",
        b"nan",
        b"1e999",
        b"num-fields|",
        b"\xff",
        b"\x1c",
        b"",
        b"9" * 20,
    ]
)


def all_of(data: bytes) -> list[Row]:
    try:
        return list(ParticleList(data).good_rows())
    except SourceError:
        return []


@settings(max_examples=150, deadline=None)
@drawn_from(
    data=st.binary(max_size=300) | st.text("017|num-fieldsx\n ", max_size=99).map(str.encode)
)
def test_any_bytes_are_a_list_or_an_error(data: bytes):
    all_of(data)
    all_of(b"017\n" + data)
    all_of(b"".join(line.encode() for line in HEADER) + data)


class InMemory(Bucket):
    def __init__(self, near: Tree, listed: bytes) -> None:
        self.root, self.listed, self._near = "/nowhere/run", listed, near  # type: ignore[assignment]
        self.fetched = []

    def read(self, path: str, *, limit: int = 2**28, first: int | None = None) -> bytes:
        if path.endswith(".lst"):
            return self.listed[:first]
        return super().read(path, limit=limit, first=first)


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> FolderTree:
    return FolderTree(write_run(tmp_path_factory.mktemp("fuzz") / "run", [1, 2]))


@settings(max_examples=150, deadline=None)
@drawn_from(
    cuts=st.lists(
        st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), PIECES), min_size=1, max_size=4
    )
)
def test_a_damaged_list_gives_particles_or_reasons(
    near: FolderTree, cuts: list[tuple[int, int, bytes]]
):
    listed = GOOD
    for at, length, piece in cuts:
        listed = listed[:at] + piece + listed[at + length :]
    source = Anything(InMemory(near, listed), Given())
    found = list(source.refs())
    assert found and all(isinstance(text, str) for text in source.notes)
    ids = [ref.id for ref in found if isinstance(ref, ImageRef)]
    assert len(ids) == len(set(ids))
    for ref in found:
        if isinstance(ref, Skipped):
            assert ref.reason and "\n" not in ref.reason and len(ref.reason) < 400
            continue
        x, y, w, h = map(int, ref.inner.rpartition("=")[2].split(","))
        assert w > 0 and h > 0 and x + w <= WIDTH and y + h <= HEIGHT
        assert ref.um_per_px is None or 0.05 <= ref.um_per_px <= 200
        numbers = [each for each in ref.metadata.values() if isinstance(each, float)]
        assert np.isfinite(numbers).all()


@settings(max_examples=150)
@drawn_from(name=st.text("0123456789._- aprAPR", max_size=40))
def test_any_name_gives_a_possible_place_and_day(name: str):
    place, _ = position_in(name)
    assert place is None or (abs(place[0]) <= 90 and abs(place[1]) <= 180)
    day, _ = date_in(name)
    assert day is None or 1990 <= day.year < 2100


# the instrument's own

real = pytest.mark.skipif(not FLOWCAM.is_dir(), reason="the shared data is not here")
RUNS = {
    "7-Pygsuia-3LB-SFSW-Terasakiella-sample2-replicate1-day7-11Apr2025": (1_000, 0.5544),
    "COMICS_DY086_20171118_MSC019": (506, 1.813),
}


@real
@pytest.mark.parametrize("name", RUNS)
def test_real_runs(name: str):
    count, um_per_px = RUNS[name]
    source = opened(FLOWCAM / name)
    found = images(source)
    assert len(found) == count and reasons(source) == []
    assert {ref.um_per_px for ref in found} == {um_per_px}
    assert {ref.metadata["date"] for ref in found} == {
        "2017-11-18" if name.startswith("COMICS") else "2025-04-11"
    }
    for ref in found[:: count // 25]:
        pixels = read_image(join(source.root, ref.inner))
        assert pixels.shape[:2] == tuple(map(int, ref.inner.split(",")[-1:-3:-1]))
        assert 20 < pixels.mean() < 250 and len(np.unique(pixels)) > 10  # no mask, no gap


@real
def test_real_runs_are_samples_of_one_folder():
    source = opened(FLOWCAM)
    found = images(source)
    assert len(found) == 1_506 and len({ref.id for ref in found}) == 1_506
    assert source.kind == "FlowCam runs" and len({ref.sample for ref in found}) == 2


@real
def test_measures_are_those_the_software_exports():
    (table,) = FLOWCAM.glob("7-*/*day7-11Apr2025.csv")
    ours = {ref.id.rpartition("/")[2]: ref.metadata for ref in images(opened(table.parent))}
    columns = {
        "Diameter (ESD)": "esd_um",
        "Diameter (ABD)": "abd_um",
        "Length": "length_um",
        "Width": "width_um",
        "Perimeter": "perimeter_um",
        "Area (ABD)": "area_um2",
        "Aspect Ratio": "aspect_ratio",
        "Circularity (Hu)": "circularity_hu",
        "Intensity": "mean_intensity",
        "Edge Gradient": "edge_gradient",
        "Particles Per Chain": "particles_per_chain",
    }
    with table.open(encoding="utf-8") as lines:
        theirs = {row["Particle ID"]: row for row in csv.DictReader(lines)}
    assert theirs.keys() == ours.keys()
    for number, row in theirs.items():
        for their_name, our_name in columns.items():
            expected = float(row[their_name])
            assert ours[number][our_name] == pytest.approx(expected, abs=2e-4), (number, our_name)
