"""IFCB bins of both kinds, whole and damaged, in folders and zips."""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import CoreError, ImageError, SourceError
from core.images import original, read_image
from core.sources import Given, ImageRef, Skipped, Source, open_source, roi
from core.sources.archive import ZipTree
from core.sources.folder import FolderTree
from core.sources.ifcb import HDR_LIMIT, IfcbImporter, parse_header
from core.sources.uri import join, parse
from tests.core.conftest import DATA
from tests.core.remote_servers import Bucket, s3_server

OLD = "IFCB5_2012_028_081515"
NEW = "D20220519T124533_IFCB134"
HDR_NEW = (
    "temperature: 19.7\nhumidity: -8.3\nrunTime: 1003.4\ngpsLatitude: 54.5\ngpsLongitude: -2\n"
)
HDR_OLD = '"Temp Humidity BinarizeThresh"\r\n" 11.48"," 32.2"," 30"\r\n'

Shape = tuple[int, int]
"""Width and height; 0, 0 is a trigger without a picture."""


def pixels(line: int, width: int, height: int) -> np.ndarray:
    """No two rows, columns or lines alike, so that a shifted or sheared picture shows."""
    rows, columns = np.mgrid[:height, :width]
    return ((37 * line + 3 * columns + 11 * rows) % 256).astype(np.uint8)


def bin_files(
    name: str, shapes: Sequence[Shape], *, hdr: str | None = None, newline: str = "\n"
) -> dict[str, bytes]:
    """What an instrument would write; old ones begin each .roi with a byte of its own."""
    old = name.startswith("IFCB")
    data = b"\0" if old else b""
    lines = []
    for line, (width, height) in enumerate(shapes, 1):
        where = [200 + line, 600, width, height, len(data)]
        before = [line, line / 4, -0.25, -6.6, 0.5] + [0.125] * 4 if old else [line, line / 4, 0.5]
        before = before if old else [*before, 0.07] + [0.25] * 9
        lines.append(",".join(map(str, [*before, *where, -0.5, ""])))
        data += pixels(line, width, height).tobytes()
    files = {
        f"{name}.adc": "".join(line + newline for line in lines).encode(),
        f"{name}.roi": data + (b"\0" if old else b""),
    }
    if hdr is not None:
        files[f"{name}.hdr"] = hdr.encode()
    return files


def packed(place: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, or a zip when the place is called so."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        return place
    for path, data in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
    return place


def images(source: Source) -> dict[str, ImageRef]:
    return {ref.id: ref for ref in source.refs() if isinstance(ref, ImageRef)}


def skipped(source: Source) -> list[tuple[str, str, int]]:
    """Name of the file, reason and count of each."""
    found = [each for each in source.refs() if isinstance(each, Skipped)]
    return [
        (re.split("[/#]", each.uri.partition("#via=")[0])[-1], each.reason, each.count)
        for each in found
    ]


def nested(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}/{path}": data for path, data in files.items()}


@pytest.fixture(params=["bins", "bins.zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


SHAPES = [(9, 5), (0, 0), (4, 7), (1, 1), (0, 0)]


def test_bins_of_both_kinds_however_nested(place: Path):
    files = {
        **nested("2012/IFCB5_2012_028", bin_files(OLD, SHAPES, hdr=HDR_OLD, newline="\r\n")),
        **nested("D2022/a #1 50%", bin_files(NEW, SHAPES, hdr=HDR_NEW)),
    }
    source = open_source(str(packed(place, files)))
    assert (source.kind, source.noun, source.name) == ("IFCB bins", "images", "bins")
    found = images(source)
    ids = [f"{name}_0000{line}" for name in (OLD, NEW) for line in (1, 3, 4)]
    assert list(found) == ids
    for name in (OLD, NEW):
        for line, (width, height) in enumerate(SHAPES, 1):
            if width:
                ref = found[f"{name}_{line:05d}"]
                seen = read_image(join(source.root, ref.inner))
                np.testing.assert_array_equal(seen[:, :, 0], pixels(line, width, height))
    why = "2 triggers without a picture"
    assert skipped(source) == [(f"{name}.adc", why, 2) for name in (OLD, NEW)]
    assert list(images(source)) == ids, "a second reading gives the same"


def test_what_is_known_of_a_picture(tmp_path: Path):
    files = {**bin_files(OLD, SHAPES, hdr=HDR_OLD), **bin_files(NEW, SHAPES, hdr=HDR_NEW)}
    source = open_source(str(packed(tmp_path, files)))
    found = images(source)
    old, new = found[f"{OLD}_00003"], found[f"{NEW}_00003"]
    assert new.metadata == {
        "date": "2022-05-19T12:45:33Z",
        "instrument": "IFCB134",
        "housing_temperature_c": 19.7,
        "run_time_s": 1003.4,
        "latitude": 54.5,
        "longitude": -2.0,
        "trigger": 3,
        "trigger_time_s": 0.75,
        "pmt_a": 0.5,
        "pmt_b": 0.07,
        "roi_x_px": 203,
        "roi_y_px": 600,
    }
    assert old.metadata == {
        "date": "2012-01-28T08:15:15Z",
        "instrument": "IFCB5",
        "housing_temperature_c": 11.48,
        "housing_humidity_percent": 32.2,
        "trigger": 3,
        "trigger_time_s": 0.75,
        "fluorescence_low": -0.25,
        "scattering_low": 0.5,
        "roi_x_px": 203,
        "roi_y_px": 600,
    }
    assert (old.sample, new.sample) == (OLD, NEW)
    assert old.um_per_px == pytest.approx(0.361, abs=5e-4)
    assert "2.77 pixels a micrometre" in source.notes[0]
    assert source.notes[1] == (
        "The housing_humidity_percent of a .hdr where it is not from 0 to 100: 1 left out."
    )
    stats = [(tmp_path / f"{NEW}.{suffix}").stat() for suffix in ("adc", "roi")]
    assert new.stamp == "+".join(f"{each.st_size}:{each.st_mtime_ns}" for each in stats)
    notes = list(source.notes)
    assert (len(images(source)), source.notes) == (6, notes), "counted anew at each reading"


def test_what_the_instrument_did_not_measure_is_left_out(tmp_path: Path):
    files = bin_files(NEW, [(9, 5)])
    files[f"{NEW}.adc"] = files[f"{NEW}.adc"].replace(b"1,0.25,0.5", b"1e300,-999.0,?")
    source = open_source(str(packed(tmp_path, files)))
    (ref,) = images(source).values()
    assert ref.metadata.keys() == {"date", "instrument", "roi_x_px", "roi_y_px", "pmt_b"}
    assert source.notes[1:] == [
        "Bins without a .hdr, so without temperature, humidity and run time: 1.",
        "The pmt_a of an .adc where it is no number: 1 left out.",
    ]
    assert len(images(source)) == 1
    assert source.notes[1].endswith(": 1."), "counted anew at each reading"


def test_what_a_person_says_wins(tmp_path: Path):
    root = packed(tmp_path / "r", nested("station 7", bin_files(NEW, SHAPES)))
    source = open_source(str(root), name="cruise", um_per_px=0.29, samples="folder")
    ref = images(source)[f"cruise/{NEW}_00001"]
    assert (source.name, source.kind) == ("cruise", "IFCB bin")
    assert (ref.um_per_px, ref.sample, ref.metadata["bin"]) == (0.29, "station 7", NEW)
    assert source.notes == [
        "Bins without a .hdr, so without temperature, humidity and run time: 1."
    ]
    both = open_source(str(root), labels="folder", samples="folder")
    assert images(both)[f"{NEW}_00001"].label == "station 7"
    deeper = packed(tmp_path / "d", nested("cruise 4/diatoms", bin_files(NEW, SHAPES)))
    ref = images(open_source(str(deeper), labels="folder", samples="folder"))[f"{NEW}_00001"]
    assert (ref.label, ref.sample) == ("diatoms", "cruise 4")


@pytest.mark.parametrize("suffix", ["adc", "roi", "hdr"])
def test_one_file_of_a_bin_is_the_bin(tmp_path: Path, suffix: str):
    files = {**bin_files(OLD, SHAPES), **bin_files(NEW, SHAPES, hdr=HDR_NEW), "x.txt": b"x"}
    packed(tmp_path, files)
    source = open_source(str(tmp_path / f"{NEW}.{suffix}"))
    assert source.kind == "IFCB bin"
    assert [id[:-6] for id in images(source)] == [NEW] * 3
    assert [name for name, _, _ in skipped(source)] == [f"{NEW}.adc"]
    with pytest.raises(SourceError, match=r"x.txt is no file of an IFCB bin; expected an .adc"):
        IfcbImporter().open(FolderTree(tmp_path, deep=False), Given(only="x.txt"))


def test_damaged_bins_are_reported_and_the_rest_is_read(place: Path):
    def name(day: int) -> str:
        return f"D202205{day:02d}T120000_IFCB134"

    whole = {day: bin_files(name(day), SHAPES) for day in range(1, 12)}
    del whole[1][f"{name(1)}.roi"]
    del whole[2][f"{name(2)}.adc"]
    whole[3][f"{name(3)}.roi"] = b""
    whole[4][f"{name(4)}.roi"] = whole[4][f"{name(4)}.roi"][:-1]
    whole[5][f"{name(5)}.adc"] = b""
    whole[6] = {f"{name(6)}.{suffix}": b"" for suffix in ("adc", "hdr", "roi")}
    whole[7][f"{name(7)}.adc"] = whole[7][f"{name(7)}.adc"].replace(b",9,5,", b",9,-5,")
    whole[8][f"{name(8)}.adc"] = b"\n1,2,3\n" + b"\xff\0,,;\n" * 30
    whole[9][f"{name(9)}.adc"] = whole[9][f"{name(9)}.adc"].replace(b",45,", b",4x5,")
    whole[10] = {f"{name(10)}.hdr": HDR_NEW.encode()}
    whole[11][f"{name(11)}.ADC"] = whole[11].pop(f"{name(11)}.adc")
    files = {path: data for each in whole.values() for path, data in each.items()}
    files |= {
        "D20221301T120000_IFCB134.adc": b"1",
        "decoy.roi": b"1",
        "IFCB5_2013_366_081515.adc": b"1",
        "features.csv": b"a,b",
        "mosaic.png": b"",
        f"{OLD}.adc": bin_files(OLD, [(3, 3)])[f"{OLD}.adc"],
        f"{OLD}.roi": bin_files(OLD, [(3, 3)])[f"{OLD}.roi"],
    }
    source = open_source(str(packed(place, files)))
    counts = Counter(ref.sample for ref in images(source).values())
    assert counts == {OLD: 1, name(4): 2, name(7): 2, name(9): 2}
    expected = "expected DYYYYMMDDThhmmss_IFCBnnn or IFCBn_YYYY_DDD_hhmmss"
    nothing = "triggers without a picture"
    number = "expected a whole number from"
    told = {(file, count): reason for file, reason, count in skipped(source)}
    assert told[(f"{name(1)}.adc", 3)] == "the .roi is missing, which holds the pictures"
    assert told[(f"{name(2)}.roi", 1)].startswith("the .adc is missing")
    assert told[(f"{name(3)}.roi", 3)] == "the .roi is empty"
    assert told[(f"{name(4)}.roi", 1)] == (
        "the .roi is cut off: it has 73 bytes, of which line 4 of the .adc needs more"
    )
    assert told[(f"{name(5)}.adc", 1)] == (
        "the .adc is empty: a bin without triggers, though its .roi has 74 bytes"
    )
    assert told[(f"{name(6)}.adc", 1)] == "all its files are empty"
    assert told[(f"{name(7)}.adc", 1)] == (
        f"line 1: column 17 (height) is '-5'; {number} 0 to 8,000"
    )
    assert told[(f"{name(8)}.adc", 11)] == "11 more lines cannot be read"
    assert told[(f"{name(9)}.adc", 1)] == (
        f"line 3: column 18 (start byte) is '4x5'; {number} 0 to 1,000,000,000,000"
    )
    assert told[(f"{name(10)}.hdr", 1)].startswith("the .adc is missing")
    assert told[(f"{name(11)}.roi", 3)].startswith(f"its .adc is {name(11)}.ADC; write both")
    assert told[("decoy.roi", 1)] == f"'decoy' is no name of an IFCB bin; {expected}"
    assert told[("D20221301T120000_IFCB134.adc", 1)].endswith(expected)
    assert told[("IFCB5_2013_366_081515.adc", 1)].endswith(expected), "no leap year"
    assert told[("features.csv", 1)] == "not part of an IFCB bin"
    assert "pictures beside bins" in told[("mosaic.png", 1)]
    lines = [reason for file, reason, _ in skipped(source) if file == f"{name(8)}.adc"]
    assert lines[0] == "line 2: it has 3 columns; expected at least 18"
    assert len(lines) == 21
    assert told[(f"{name(4)}.adc", 2)] == f"2 {nothing}"


def test_nothing_that_is_reported_can_be_read(tmp_path: Path):
    files = bin_files(NEW, SHAPES)
    files[f"{NEW}.roi"] = files[f"{NEW}.roi"][:-1]
    packed(tmp_path, files)
    uri = f"{tmp_path}/{NEW}.roi"
    for part, why in {
        "2": "line 2 of its .adc is a trigger without a picture",
        "4": "the .roi is cut off: the picture has 1 bytes from 73 on, of which 0 are there",
        "0": "the bin has 5 triggers, and line 0 was asked",
        "00006": "the bin has 5 triggers, and line 6 was asked",
    }.items():
        with pytest.raises(ImageError) as error:
            read_image(f"{uri}#{part}")
        assert error.value.reason == why
    data, extension = original(f"{uri}#00001")
    assert (data[:4], extension) == (b"\x89PNG", ".png")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.tif", "'#00001' names a trigger; only the .roi of a bin has any"),
        ("decoy.roi", "decoy is no name of an IFCB bin; expected"),
        (f"{OLD}.roi", "the .adc beside it: there is no such file"),
        (f"{NEW}.roi", "line 1 of its .adc: column 16 (width) is '1e9'; expected a whole number"),
    ],
)
def test_a_uri_that_names_no_trigger(tmp_path: Path, name: str, why: str):
    adc = ",".join(["1"] * 15 + ["1e9", "1", "0"])
    packed(tmp_path, {name: b"1", f"{NEW}.adc": adc.encode()})
    with pytest.raises(ImageError) as error:
        read_image(f"{tmp_path}/{name}#00001")
    assert error.value.reason.startswith(why)


def test_extensions_in_capitals(place: Path):
    files = {path[:-3] + path[-3:].upper(): data for path, data in bin_files(NEW, SHAPES).items()}
    source = open_source(str(packed(place, files)))
    ref = images(source)[f"{NEW}_00003"]
    assert ref.inner == f"{NEW}.ROI#00003"
    np.testing.assert_array_equal(
        read_image(join(source.root, ref.inner))[:, :, 0], pixels(3, 4, 7)
    )


def test_of_two_copies_of_a_bin_the_more_complete_is_taken(place: Path):
    whole = bin_files(NEW, SHAPES, hdr=HDR_NEW)
    files = {
        f"a/{NEW}.adc": whole[f"{NEW}.adc"],
        **nested("b", {**whole, f"{NEW}.roi": whole[f"{NEW}.roi"][:40]}),
        **nested("c", whole),
        **nested("d", whole),
    }
    source = open_source(str(packed(place, files)))
    assert [ref.inner for ref in images(source).values()] == [
        f"c/{NEW}.roi#0000{line}" for line in (1, 3, 4)
    ]
    taken = "the same bin is in c, and is taken from there"
    told = [reason for _, reason, _ in skipped(source)]
    assert told == [f"the .roi is missing; {taken}", taken, "2 triggers without a picture", taken]


def test_files_that_differ_in_capitals_only(tmp_path: Path):
    packed(tmp_path, {**bin_files(NEW, SHAPES), f"{NEW}.HDR": b"", f"{NEW}.hdr": b""})
    if len(list(tmp_path.iterdir())) < 4:
        pytest.skip("this file system does not tell capitals from small letters")
    why = f"{NEW}.HDR beside it differs in capitals only"
    assert (f"{NEW}.hdr", why, 1) in skipped(open_source(str(tmp_path)))


def test_pictures_alone_are_no_bins(tmp_path: Path):
    importer = IfcbImporter()
    packed(tmp_path, {"decoy.adc": b"1", f"{NEW}.hdr": b"", "a.png": b"1"})
    assert not importer.recognises(FolderTree(tmp_path))
    with pytest.raises(SourceError, match=r"holds no IFCB bin; expected .adc, .roi and .hdr named"):
        importer.open(FolderTree(packed(tmp_path / "no", {"a.png": b""})), Given())


def test_a_zip_is_not_unpacked_for_every_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = packed(tmp_path / "a.zip", bin_files(NEW, SHAPES))
    second = packed(tmp_path / "b.zip", bin_files(NEW, SHAPES))
    address = parse(f"{first}#{NEW}.roi")
    kept = roi._unpacked("x", address)
    assert roi._unpacked("x", address) is kept
    monkeypatch.setattr(roi, "ROIS_KEPT", 100)
    roi._unpacked("x", parse(f"{second}#{NEW}.roi"))
    assert roi._unpacked("x", address) is not kept, "two were more than may be kept"
    monkeypatch.setattr(roi, "ROI_LIMIT", 50)
    monkeypatch.setattr("core.sources.ifcb.ROI_LIMIT", 50)
    source = IfcbImporter().open(ZipTree(first), Given())
    assert skipped(source)[0][1:] == (
        "74 bytes is more than the 50 that are unpacked from a zip; unpack it yourself and give "
        "the folder",
        3,
    )
    roi._rois.clear()
    with pytest.raises(ImageError, match="74 bytes is more than the 50 allowed"):
        read_image(f"{first}#{NEW}.roi#00001")


@pytest.mark.slow
def test_a_bin_in_object_storage(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "*")
    with s3_server() as url:
        bucket = Bucket(url, public=True)
        for path, data in nested("run #1", bin_files(NEW, SHAPES, hdr=HDR_NEW)).items():
            bucket.put(path, data)
        source = open_source(f"{bucket.uri()}", endpoint_url=url, anonymous=True)
        found = images(source)
        assert found.keys() == {f"{NEW}_0000{line}" for line in (1, 3, 4)}
        assert skipped(source) == [(f"{NEW}.adc", "2 triggers without a picture", 2)]
        uri = join(source.root, found[f"{NEW}_00003"].inner)
        np.testing.assert_array_equal(read_image(uri)[:, :, 0], pixels(3, 4, 7))


def test_a_bin_that_changed_is_read_anew(place: Path):
    for shift, height in enumerate((5, 3)):
        files = bin_files(NEW, [(9, height), (0, 0)])
        source = open_source(str(packed(place, files)))
        os.utime(place, ns=(0, shift * 10**9))
        for path in place.glob("*"):
            os.utime(path, ns=(0, shift * 10**9))
        assert read_image(join(source.root, f"{NEW}.roi#00001")).shape == (height, 9, 3)


def test_a_few_bins_are_kept(tmp_path: Path):
    names = [f"D2022050{day}T120000_IFCB1" for day in range(1, 9)]
    for name in names:
        packed(tmp_path, bin_files(name, [(2, 2)]))
        read_image(f"{tmp_path}/{name}.roi#00001")
    assert len(roi._adcs) == roi.ADCS


@pytest.mark.parametrize(
    ("text", "found", "left_out"),
    [
        ("temperature: nan\nrunType: NORMAL\nno colon", {}, 1),
        ("humidity: -999\ninhibitTime: \nsyringeSampleVolume: 5.0\t", {"syringe_volume_ml": 5}, 0),
        ("latitude: 0\nlongitude: 0.0\ndepth: 4", {"depth_m": 4}, 1),
        ("gpsLatitude: 91\ngpsLongitude: 10", {}, 2),
        ("gpsLongitude: 10", {}, 1),
        ('"Temp Humidity"\n" 1"," 2"," 3"\n', {}, 0),
        ("\ufefftemperature: 5", {"housing_temperature_c": 5}, 0),
    ],
)
def test_headers(text: str, found: dict[str, float], left_out: int):
    said, left = parse_header(text.encode())
    assert (said, len(left)) == (found, left_out)


def test_more_lines_than_any_bin_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A few bytes a line cost ten times as much once they are lines."""
    source = open_source(str(packed(tmp_path, bin_files(NEW, SHAPES))))
    uri = join(source.root, images(source)[f"{NEW}_00001"].inner)
    monkeypatch.setattr(roi, "ADC_LINES", 2)
    assert next(iter(source.refs())) == Skipped(
        f"{uri.partition('#')[0][:-4]}.adc", "it has more than 2 lines, which no bin has"
    )
    with pytest.raises(ImageError, match=r"the \.adc beside it: it has more than 2 lines"):
        read_image(uri)


def test_a_header_too_large_to_be_one(tmp_path: Path):
    files = {**bin_files(NEW, SHAPES), f"{NEW}.hdr": b"x" * (HDR_LIMIT + 1)}
    source = open_source(str(packed(tmp_path, files)))
    assert len(images(source)) == 3
    assert source.notes[-1] == "A .hdr that cannot be read: 1 left out."


numbers = st.one_of(
    st.integers(-5, 90).map(str), st.floats().map(str), st.text(",;. \t\0é-e9_", max_size=9)
)
rows = st.lists(numbers, max_size=26).map(",".join)
garbage = st.one_of(
    st.binary(max_size=200), st.lists(rows, max_size=9).map(lambda each: "\n".join(each).encode())
)


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from([OLD, NEW]), adc=garbage, hdr=garbage, data=st.binary(max_size=300))
def test_whatever_the_files_hold(
    tmp_path_factory: pytest.TempPathFactory, name: str, adc: bytes, hdr: bytes, data: bytes
):
    files = {f"{name}.adc": adc, f"{name}.hdr": hdr, f"{name}.roi": data}
    root = packed(tmp_path_factory.getbasetemp() / "fuzzed", files)
    source = open_source(str(root))
    for ref in source.refs():
        if isinstance(ref, ImageRef):
            image = read_image(join(source.root, ref.inner))
            assert image.size <= 3 * len(data)
    assert all("\n" not in note for note in source.notes)
    for line in range(12):
        try:
            read_image(f"{root}/{name}.roi#{line:05d}")
        except CoreError as error:
            assert "\n" not in str(error)


@settings(max_examples=150, deadline=None)
@given(garbage | st.text(max_size=80).map(lambda text: f"latitude: {text}\nTemp: 1".encode()))
def test_whatever_a_header_holds(data: bytes):
    said, _ = parse_header(data)
    assert all(isinstance(value, float) and abs(value) <= 1e6 for value in said.values())


real = pytest.mark.skipif(not (DATA / "ifcb").is_dir(), reason="no real bins are here")


@real
def test_real_bins_have_the_pictures_their_files_say():
    source = open_source(str(DATA / "ifcb"))
    found = images(source)
    assert Counter(ref.sample for ref in found.values()) == {
        OLD: 6,
        "D20130526T095207_IFCB013": 19,
        NEW: 17,  # as its .hdr says: roiCount
    }
    counts = {file: count for file, reason, count in skipped(source) if "trigger" in reason}
    assert counts == {
        f"{OLD}.adc": 1,
        "IFCB5_2017_001_033645.adc": 1,
        "D20150411T205456_IFCB012.adc": 1,
        "D20130526T095207_IFCB013.adc": 99,
        f"{NEW}.adc": 1,
    }
    told = " ".join(reason for _, reason, _ in skipped(source))
    assert told.count("all its files are empty") == 2
    assert told.count("the .roi is missing; the same bin is in") == 1
    assert told.count("'decoy' is no name of an IFCB bin") == 1


@real
def test_real_pictures_are_not_sheared():
    """Background is even along a row: were the start off, the edges would lie inside."""
    source = open_source(str(DATA / "ifcb"))
    for ref in images(source).values():
        grey = read_image(join(source.root, ref.inner))[:, :, 0].astype(float)
        inside = np.abs(np.diff(grey, axis=1)).mean(axis=0)
        assert inside[0] < 3 * np.median(inside) + 2, ref.id
        assert inside[-1] < 3 * np.median(inside) + 2, ref.id
