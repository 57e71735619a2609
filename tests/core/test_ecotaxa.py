"""EcoTaxa tables as EcoTaxa, instruments and spreadsheets write them, and the wrong ones."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import CoreError, SourceError
from core.sources import open_source
from core.sources.archive import ZipTree
from core.sources.base import File, Given, ImageRef, Skipped
from core.sources.ecotaxa import EcoTaxaImporter, EcoTaxaSource
from core.sources.folder import FolderTree
from tests.core.conftest import DATA

ECOTAXA = DATA / "ecotaxa"
real = pytest.mark.skipif(not ECOTAXA.is_dir(), reason="the EcoTaxa files are not here")

COLUMNS = {
    "object_id": "[t]",
    "img_file_name": "[t]",
    "img_rank": "[f]",
    "object_lat": "[f]",
    "object_lon": "[f]",
    "object_date": "[t]",
    "object_time": "[t]",
    "object_annotation_category": "[t]",
    "object_annotation_status": "[t]",
    "object_annotation_person_name": "[t]",
    "object_area": "[f]",
    "object_code": "[t]",
    "sample_id": "[t]",
    "process_pixel": "[t]",
}
Rows = Sequence[dict[str, str]]


def written(
    folder: Path,
    rows: Rows,
    *,
    columns: dict[str, str] | None = None,
    name: str = "ecotaxa_run.tsv",
    types: bool = True,
    images: bool = True,
    encoding: str = "utf-8",
) -> Path:
    """A folder with a table of these rows and the images they name."""
    columns = COLUMNS if columns is None else columns
    lines = ["\t".join(columns), *(["\t".join(columns.values())] if types else [])]
    lines += ["\t".join(row.get(column, "") for column in columns) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(("\n".join(lines) + "\n").encode(encoding))
    for n, row in enumerate(rows):
        path = folder / row.get("img_file_name", "none.png")
        if images and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (12, 9), 10 * n).save(path)
    return folder


def row(id: str, image: str | None = None, **cells: str) -> dict[str, str]:
    return {"object_id": id, "img_file_name": f"{id}.png" if image is None else image, **cells}


def opened(folder: Path, **said: Any) -> EcoTaxaSource:
    tree = FolderTree(folder)
    assert EcoTaxaImporter().recognises(tree)
    return EcoTaxaImporter().open(tree, Given(**said))


def images(source: EcoTaxaSource) -> list[ImageRef]:
    return [found for found in source.refs() if isinstance(found, ImageRef)]


def skipped(source: EcoTaxaSource) -> list[str]:
    return [found.reason for found in source.refs() if isinstance(found, Skipped)]


def test_what_a_row_says(tmp_path: Path):
    cells = {
        "object_lat": "-44.725",
        "object_lon": "145.5",
        "object_date": "20140420",
        "object_time": "042000",
        "object_annotation_category": "small<egg",
        "object_annotation_status": "validated",
        "object_annotation_person_name": "Udale Crank",
        "object_area": "46",
        "object_code": "007",
        "sample_id": "net 3",
        "process_pixel": "10.6",
    }
    source = opened(written(tmp_path / "cruise", [row("a#1", "pics/a #1.png", **cells)]))
    assert (source.kind, source.noun, source.name) == ("EcoTaxa export", "images", "cruise")
    (found,) = images(source)
    assert (found.id, found.inner) == ("a#1", "pics/a %231.png")
    assert (found.label, found.label_status) == ("small<egg", "validated")
    assert (found.sample, found.um_per_px) == ("net 3", 10.6)
    numbers = {"object_lat": -44.725, "object_lon": 145.5, "object_area": 46}
    assert found.metadata == cells | numbers | {
        "object_id": "a#1",
        "img_file_name": "pics/a #1.png",
        "date": "2014-04-20",
    }
    assert isinstance(found.metadata["object_area"], int)
    by_path = {f.path: f.stamp for f in FolderTree(source.root).files() if isinstance(f, File)}
    assert found.stamp == by_path["pics/a #1.png"]
    assert list(source.notes) == []


def test_it_is_found_by_opening_a_folder_a_zip_or_the_table(tmp_path: Path):
    folder = written(tmp_path / "run", [row("a", "pics/a.png")])
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as packed:
        for path in folder.rglob("*.*"):
            packed.write(path, path.relative_to(tmp_path))
    for where in (folder, tmp_path / "run.zip", folder / "ecotaxa_run.tsv"):
        source = open_source(str(where))
        assert isinstance(source, EcoTaxaSource)
        assert [found.id for found in images(source)] == ["a"]
    assert (
        images(EcoTaxaSource(ZipTree(tmp_path / "run.zip"), Given()))[0].inner == "run/pics/a.png"
    )


def test_other_folders_are_left_to_others(tmp_path: Path):
    Image.new("L", (9, 9)).save(tmp_path / "ecotaxa.png")
    (tmp_path / "ecotaxa_notes.txt").write_text("upload these to EcoTaxa\n")
    (tmp_path / "table.tsv").write_text("uri\nx.png\n")
    assert not EcoTaxaImporter().recognises(FolderTree(tmp_path))
    (tmp_path / "ecotaxa_notes.txt").write_text("img_file_name\tobject_id\nx.png\tx\n")
    assert EcoTaxaImporter().recognises(FolderTree(tmp_path))


def test_one_table_of_several(tmp_path: Path):
    written(tmp_path, [row("a")], name="ecotaxa_1.tsv")
    written(tmp_path, [row("b")], name="Ecotaxa_2.TXT")
    assert {found.id for found in images(opened(tmp_path))} == {"a", "b"}
    assert [found.id for found in images(opened(tmp_path, only="Ecotaxa_2.TXT"))] == ["b"]
    with pytest.raises(SourceError, match=r"x\.tsv is not an EcoTaxa table; expected ecotaxa"):
        opened(tmp_path, only="x.tsv")


def test_several_images_of_an_object_are_in_the_order_of_their_ranks(tmp_path: Path):
    rows = [
        row("a", "a2.png", img_rank="2"),
        row("b", "b.png"),
        row("a", "a0.png", img_rank="0"),
        row("a", "a.png"),
        row("a", "a1.png", img_rank="1.0"),
    ]
    found = images(opened(written(tmp_path / "run", rows)))
    assert [(ref.id, ref.inner) for ref in found] == [
        ("a#3", "a2.png"),
        ("b", "b.png"),
        ("a", "a0.png"),
        ("a#4", "a.png"),
        ("a#2", "a1.png"),
    ]
    named = images(opened(tmp_path / "run", name="cruise 7"))
    assert [ref.id for ref in named][:2] == ["cruise 7/a#3", "cruise 7/b"]
    assert named[0].metadata["object_id"] == "a"


def test_an_image_that_cannot_be_used_keeps_its_place(tmp_path: Path):
    """Or the others would have other ids, and its labels, once it can be."""
    rows = [row("a", f"{n}.png", img_rank=str(n)) for n in range(3)]
    folder = written(tmp_path / "run", rows)
    whole = {ref.id: ref.inner for ref in images(opened(folder))}
    assert whole == {"a": "0.png", "a#2": "1.png", "a#3": "2.png"}
    for missing in whole.values():
        (folder / missing).rename(tmp_path / "away.png")
        left = {ref.id: ref.inner for ref in images(opened(folder))}
        assert left == {id: inner for id, inner in whole.items() if inner != missing}
        (tmp_path / "away.png").rename(folder / missing)


def test_one_image_may_be_of_several_objects_but_not_twice_of_one(tmp_path: Path):
    rows = [row("a", "x.png"), row("b", "x.png"), row("a", "./x.png"), row("a#2", "y.png")]
    rows.append(row("a", "z.png"))
    source = opened(written(tmp_path / "run", rows))
    assert [(ref.id, ref.inner) for ref in images(source)] == [
        ("a", "x.png"),
        ("b", "x.png"),
        ("a#2", "y.png"),
    ]
    assert skipped(source) == [
        "line 5, column img_file_name: this image of the object came before",
        "line 7, column object_id: the id 'a#2' came before",
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("validated", "validated"),
        ("Dubious", "dubious"),
        ("predicted", "predicted"),
        ("discarded", "rejected"),
        ("noid", "predicted"),
        ("", "predicted"),
    ],
)
def test_status_is_kept_apart(tmp_path: Path, status: str, expected: str):
    cells = {"object_annotation_category": "egg", "object_annotation_status": status}
    source = opened(written(tmp_path / "run", [row("a", **cells), row("b")]))
    first, second = images(source)
    assert (first.label, first.label_status) == ("egg", expected)
    assert second.label is None
    said = "1 images have a category without a status; it is taken as predicted, "
    assert [note.startswith(said) for note in source.notes] == [True] * (status in ("", "noid"))


def test_a_category_that_is_only_numbered(tmp_path: Path):
    columns = COLUMNS | {"object_annotation_category_id": "[f]"}
    cells = {"object_annotation_category_id": "85012", "object_annotation_status": "validated"}
    source = opened(written(tmp_path, [row("a", **cells)], columns=columns))
    assert [ref.label for ref in images(source)] == ["taxon 85012"]
    assert "1 images have an object_annotation_category_id without its name" in source.notes[0]


@pytest.mark.parametrize(
    ("cells", "expected", "doubt"),
    [
        ({"process_pixel": "10.6"}, 10.6, None),
        ({"process_pixel": "0.36101083032490977"}, 0.36101083032490977, None),
        ({"process_pixel": "0.05"}, 0.05, None),
        ({"process_pixel": "0.0106"}, None, "process_pixel is 0.0106"),
        ({"process_pixel": "10600"}, None, "process_pixel is 10600"),
        ({"process_pixel": "0"}, None, "process_pixel is 0"),
        ({"process_pixel": "-1"}, None, "process_pixel is -1"),
        ({"process_pixel": "wide"}, None, "process_pixel is wide"),
        ({"process_pixel": "NaN"}, None, None),
        ({"process_particle_pixel_size_mm": "0.0053"}, 5.3, None),
        ({"process_particle_pixel_size_mm": "5.3"}, None, "process_particle_pixel_size_mm is 5.3"),
        (
            {"process_pixel": "0.0053", "process_particle_pixel_size_mm": "0.0053"},
            5.3,
            "process_pixel is 0.0053",
        ),
    ],
)
def test_pixel_size(tmp_path: Path, cells: dict[str, str], expected: float, doubt: str | None):
    columns = COLUMNS | {"process_particle_pixel_size_mm": "[t]"}
    folder = written(tmp_path, [row("a", **cells)], columns=columns)
    source = opened(folder)
    (found,) = images(source)
    assert found.um_per_px == expected
    assert found.metadata.items() >= cells.items()
    if doubt is None:
        assert not source.notes
    else:
        (note,) = source.notes
        assert note.startswith(f"The pixel size of 1 images is doubtful and not used: {doubt};")
    assert images(opened(folder, um_per_px=2.5))[0].um_per_px == 2.5


def test_what_a_person_says_of_folders_wins(tmp_path: Path):
    cells = {"object_annotation_category": "egg", "sample_id": "net"}
    folder = written(tmp_path, [row("a", "s1/Copepod/a.png", **cells), row("b", **cells)])
    (first, second) = images(opened(folder, labels="folder", samples="folder"))
    assert (first.label, first.label_status, first.sample) == ("Copepod", "validated", "s1")
    assert (second.label, second.sample) == (None, None)
    assert images(opened(folder, samples="folder"))[0].sample == "Copepod"


def test_an_export_without_types_with_a_mark_quotes_and_iso_dates(tmp_path: Path):
    text = (
        '"object_id"\t"object_date"\t"object_time"\t"object_area"\t"object_code"\t"object_mixed"\t'
        '"sample_tot_vol"\t"img_file_name"\t"img_rank"\n'
        '"a"\t"2014-04-20"\t"04:20:00"\t12.5\t"007"\t1\t3.5\t"a.png"\t0\n'
        '"b ""x"" é"\t""\t""\tNaN\t"12"\t"one"\t""\t"b.png"\t0\n'
    )
    for name in "ab":
        Image.new("L", (9, 9)).save(tmp_path / f"{name}.png")
    (tmp_path / "ecotaxa_export.tsv").write_text(text, "utf-8-sig")
    source = opened(tmp_path)
    assert [dict(ref.metadata) for ref in images(source)] == [
        {
            "object_id": "a",
            "object_date": "2014-04-20",
            "object_time": "04:20:00",
            "object_area": 12.5,
            "object_code": "007",
            "object_mixed": "1",
            "sample_tot_vol": "3.5",
            "img_file_name": "a.png",
            "img_rank": 0,
            "date": "2014-04-20",
        },
        {
            "object_id": 'b "x" é',
            "object_code": "12",
            "object_mixed": "one",
            "img_file_name": "b.png",
            "img_rank": 0,
        },
    ]
    assert "has no types in line 2" in source.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_letters_of_any_common_encoding(tmp_path: Path, encoding: str):
    folder = written(tmp_path, [row("é", "a.png")], encoding=encoding)
    source = opened(folder)
    assert [ref.id for ref in images(source)] == ["é"]
    assert ["Latin-1" in note for note in source.notes] == [True] * (encoding == "latin-1")


def test_types_decide_and_are_only_asked_where_ecotaxa_asks(tmp_path: Path):
    columns = COLUMNS | {"sample_vol": "[f]", "sample_note": "[f]", "acq_x": "", "object_y": "[H]"}
    cells = {"sample_vol": "3", "sample_note": "2?", "acq_x": "1", "object_y": "5"}
    source = opened(written(tmp_path, [row("a", **cells)], columns=columns))
    (found,) = images(source)
    assert found.metadata.items() >= {"sample_vol": 3, "sample_note": "2?", "acq_x": "1"}.items()
    assert found.metadata["object_y"] == "5"
    assert list(source.notes) == [
        "ecotaxa_run.tsv, line 2, column 18 (object_y): the type is '[H]'; expected [f] or [t], it "
        "is taken for text."
    ]


def test_numbers_of_other_places(tmp_path: Path):
    cells = {"object_area": "10,6", "object_lat": "12°30 00", "object_lon": "na"}
    source = opened(written(tmp_path, [row("a", **cells), row("b", object_area="inf")]))
    first, second = images(source)
    assert (first.metadata["object_area"], first.metadata["object_lat"]) == (10.6, "12°30 00")
    assert "object_area" not in second.metadata
    assert list(source.notes) == ["1 rows write decimals with a comma, and are read so."]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"object_id": ""}, "column object_id: it is empty; expected the object's name"),
        ({"object_id": "a\x07"}, r"column object_id: 'a\x07' holds a control character"),
        ({"object_lat": "90.5"}, "column object_lat: '90.5' is out of range; expected degrees"),
        ({"object_lon": "east"}, "column object_lon: 'east' is out of range; expected degrees"),
        ({"object_date": "20140433"}, "column object_date: '20140433' is no date; expected YYYY"),
        ({"object_date": "20/04/14"}, "column object_date: '20/04/14' is no date"),
        ({"object_time": "9920"}, "column object_time: '9920' is no time; expected HHMMSS"),
        ({"object_area": "a"}, "column object_area: 'a' is no number; line 2 says [f]"),
        ({"object_annotation_status": "sure"}, "column object_annotation_status: 'sure' is no"),
        ({"img_file_name": ""}, "column img_file_name: it is empty; expected the image's file"),
        ({"img_file_name": "c.png"}, "column img_file_name: there is no file 'c.png' beside"),
        ({"img_file_name": "a.txt"}, "column img_file_name: 'a.txt' is not a picture (.txt)"),
        ({"img_file_name": "../run/b.png"}, "column img_file_name: '../run/b.png' leads elsewh"),
        ({"img_file_name": "."}, "column img_file_name: '.' leads elsewhere"),
        ({"object_area": "٣"}, "column object_area: '٣' is no number; line 2 says [f]"),
        ({"img_file_name": "/etc/passwd"}, "column img_file_name: '/etc/passwd' leads elsewhere"),
        ({"img_file_name": "C:\\b.png"}, r"column img_file_name: 'C:\\b.png' leads elsewhere"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, cells: dict[str, str], reason: str):
    folder = written(tmp_path / "run", [row("b")])
    (folder / "a.txt").write_text("x")
    rows = [row("b"), row("a", "b.png") | cells]
    source = opened(written(folder, rows, images=False))
    assert [ref.id for ref in images(source)] == ["b"]
    (why,) = (found for found in source.refs() if isinstance(found, Skipped))
    assert why.reason.startswith(f"line 4, {reason}")
    assert why.uri == str(folder / "ecotaxa_run.tsv")
    with pytest.raises(SourceError) as caught:
        opened(written(folder, rows[1:], images=False))
    assert f"holds no image that can be used: ecotaxa_run.tsv, line 3, {reason}" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ", line 1: there is no column 'img_file_name'; expected the names of the columns"),
        ("img_file_name\n", ", line 1: there is no column 'object_id'"),
        ("object_id\timg_file_name\n", ": it holds no rows after line 1"),
        (
            "object_id\timg_file_name\n[t]\t[t]\n\n",
            ": it holds no rows after the names (line 1) an",
        ),
        ('"object_id\timg_file_name\n', ', line 1: a quote (") is opened and never closed'),
        ("object_id\timg_file_name\na\ta.png\t1\n", ", line 2, column 3: '1' has no name above it"),
        ("object_id\timg_file_name\na\n", ", line 2, column img_file_name: it is empty"),
        ('object_id\timg_file_name\n"a\ta.png\n', ', line 2, a quote (") is opened and never clos'),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, reason: str):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "ecotaxa_x.tsv").write_text(text)
    with pytest.raises(SourceError) as caught:
        opened(tmp_path)
    assert f"holds no image that can be used: ecotaxa_x.tsv{reason}" in str(caught.value)
    written(tmp_path / "sub", [row("b")])
    source = opened(tmp_path)
    assert [ref.id for ref in images(source)] == ["b"]
    assert len(skipped(source)) == 1
    assert skipped(source)[0].startswith(reason.lstrip(":, "))


def test_what_is_left_aside_is_said(tmp_path: Path):
    columns = COLUMNS | {"Loose": "", "": "[t]", "OBJECT_ID": "[t]"}
    folder = written(tmp_path, [row("a", Loose="1")], columns=columns)
    Image.new("L", (9, 9)).save(folder / "other.png")
    (folder / "b_da_19_Images.zip").write_bytes(b"")
    source = opened(folder)
    assert [ref.id for ref in images(source)] == ["a"]
    assert [note.partition("; ")[0] for note in source.notes] == [
        "ecotaxa_run.tsv, line 1, column 15: 'Loose' does not begin with img_, object_, process_, "
        "acq_, sample_",
        "ecotaxa_run.tsv, line 1, column 16 has no name",
        "ecotaxa_run.tsv, line 1, column 17: 'OBJECT_ID' came before",
        "1 files beside the tables are named in none of their usable rows.",
        "1 zips of a UVP6 (*Images.zip) are not looked into",
    ]


def test_an_acquisition_of_two_samples_is_said(tmp_path: Path):
    columns = COLUMNS | {"acq_id": "[t]"}
    rows = [row("a", acq_id="q", sample_id="s1"), row("b", acq_id="q", sample_id="s2")]
    source = opened(written(tmp_path, rows, columns=columns))
    assert len(images(source)) == 2
    assert list(source.notes) == [
        "ecotaxa_run.tsv, line 4, column acq_id: acquisition 'q' is of sample 's2' here and of "
        "'s1' in ecotaxa_run.tsv, line 3; EcoTaxa would refuse this."
    ]


CELL = st.text(
    st.one_of(st.sampled_from('ab01.-,"\t\n\r[]ft\\/:#%é\x00\ufeff'), st.characters()), max_size=12
)
NAME = st.one_of(st.sampled_from([*COLUMNS, "object_", "acq_x", "x", ""]), CELL)
TABLE = st.one_of(
    st.binary(max_size=300),
    st.tuples(
        st.lists(NAME, max_size=5),
        st.lists(
            st.lists(st.one_of(CELL, st.sampled_from(["a.png", "[f]", "[t]", "7"]))), max_size=5
        ),
    ).map(
        lambda t: "\n".join(
            "\t".join(line) for line in [["object_id", "img_file_name", *t[0]], *t[1]]
        ).encode("utf-8", "replace")
    ),
)


@given(TABLE)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_images_or_reasons(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        Image.new("L", (2, 2)).save(Path(folder) / "a.png")
        (Path(folder) / "ecotaxa.tsv").write_bytes(data)
        try:
            source = opened(Path(folder))
        except CoreError as error:
            assert "\n" not in str(error)
            return
        found = list(source.refs())
        assert found
        assert all(ref.inner == "a.png" for ref in found if isinstance(ref, ImageRef))


@real
@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("import_test", 11),
        ("import_mixed_states", 1),
        ("import_just_predicted", 1),
        ("import_issues/breaking_hierarchy", 1),
        ("import_issues/corrupted_img", 3),
        ("import_issues/tsv_issues", 3),
    ],
)
def test_real_folders(folder: str, count: int):
    source = open_source(str(ECOTAXA / folder))
    assert isinstance(source, EcoTaxaSource)
    found = images(source)
    assert len(found) == count
    if folder != "import_issues/corrupted_img":
        assert {ref.um_per_px for ref in found} == {10.6}
        assert all(ref.sample and ref.label and ref.metadata["date"] for ref in found)
    statuses = {ref.label_status for ref in found}
    assert statuses == {"validated" if folder == "import_mixed_states" else "predicted"}


@real
@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (
            "empty_tsv",
            "ecotaxa_m106_mn01_n365_sml.tsv: it holds no rows after the names (line 1) and types "
            "(line 2); expected a row an image",
        ),
        (
            "extra_data_without_header",
            "ecotaxa_m106_mn04_n1_sml.tsv, line 3, column 89: 'Extra' has no name above it (90 "
            "cells under 88 names)",
        ),
    ],
)
def test_real_folders_of_which_nothing_can_be_used(folder: str, reason: str):
    with pytest.raises(SourceError) as caught:
        open_source(str(ECOTAXA / "import_issues" / folder))
    assert reason in str(caught.value)


@real
def test_real_rows_that_cannot_be_used():
    source = opened(ECOTAXA / "import_issues" / "tsv_issues")
    assert [why.partition(";")[0] for why in skipped(source)] == [
        "line 3, column object_buggy_float: 'a' is no number",
        "line 6, column img_file_name: there is no file 'm106_mn01_n3_sml_1081.jpg2' beside "
        "the table",
        "line 8, column object_id: it is empty",
    ]
    for column in ("object_lat", "object_lon", "object_date", "object_time"):
        assert f"column {column}: " in skipped(source)[0]
    assert "'predit' is no status" in skipped(source)[0]
    assert [note.partition(";")[0] for note in source.notes][2:3] == [
        "ecotaxa_m106_mn01_n3_sml.tsv, line 2, column 3 (object_wrongtype): the type is '[H]'"
    ]
    (why,) = skipped(opened(ECOTAXA / "import_issues" / "corrupted_img"))
    assert why.startswith("line 5, column img_file_name: there is no file '20200108 082115")


@real
def test_a_real_acquisition_of_two_samples(tmp_path: Path):
    for part in ("import_test", "import_issues/breaking_hierarchy"):
        shutil.copytree(ECOTAXA / part, tmp_path / part)
    (note,) = opened(tmp_path).notes
    assert "column acq_id: acquisition 'generic_m106_mn01_n1_sml' is of sample" in note
