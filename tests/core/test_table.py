"""Tables of images: found by a column ``uri``, their values as they were meant."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import labels
from core.errors import CoreError, ImageError, SourceError
from core.exporting import export
from core.indexing import index
from core.library import Library
from core.managing import relocate
from core.sources import open_source
from core.sources.archive import ZipTree
from core.sources.base import Given, ImageRef, Skipped, Source
from core.sources.folder import FolderTree
from core.sources.places import Places
from core.sources.table import STATUSES, Tables
from core.sources.uri import join, parse
from tests.core.conftest import Command, Pictures


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def opened(path: Path, **said: Any) -> Source:
    tree = FolderTree(path.parent, deep=False)
    return Tables().open(tree, Given(only=path.name, **said))


def read(source: Source) -> tuple[list[ImageRef], list[Skipped]]:
    found = list(source.refs())
    images = [each for each in found if isinstance(each, ImageRef)]
    return images, [each for each in found if isinstance(each, Skipped)]


def reasons(source: Source) -> list[str]:
    return [each.reason for each in read(source)[1]]


def columns(tmp_path: Path, header: str, *rows: str, **said: Any) -> list[dict[str, Any]]:
    """The metadata of these rows, whose first cell names a picture."""
    lines = [f"uri,{header}", *(f"{n}.png,{row}" for n, row in enumerate(rows))]
    images, skipped = read(opened(write(tmp_path / "t.csv", "\n".join(lines)), **said))
    assert skipped == []
    return [dict(image.metadata) for image in images]


# what is known of an image


def test_columns_with_a_meaning_and_all_others(tmp_path: Path):
    text = (
        "ID,Uri,Label,label_status,sample,UM_PER_PX,depth,station\n"
        "7,a/1.png,Copepod,predicted,net 1,2.5,10,North\n"
        "007,a/2.png,,,,,12.5,\n"
    )
    source = opened(write(tmp_path / "run.csv", text))
    assert (source.name, source.root, source.kind) == ("run", str(tmp_path), "Table")
    assert read(source) == (
        [
            ImageRef(
                id="7",
                inner="a/1.png",
                metadata={"depth": 10.0, "station": "North"},
                label="Copepod",
                label_status="predicted",
                sample="net 1",
                um_per_px=2.5,
            ),
            ImageRef(id="007", inner="a/2.png", metadata={"depth": 12.5}),
        ],
        [],
    )
    assert source.notes == []


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["true", "FALSE", "True"], [True, False, True]),
        (["007", "5"], ["007", "5"]),  # a name that begins with 0 makes all names
        (["5", "true"], ["5", "true"]),
        (["20240501123456789012", "1"], ["20240501123456789012", "1"]),
        (["1e999", "1"], ["1e999", "1"]),
        (["NA", "3"], [None, 3]),  # as R writes no value
        (["NA", "North"], ["NA", "North"]),
        (["١٢", "1"], ["١٢", "1"]),  # digits of another script are text here
        ([" 5 ", "6"], [5, 6]),
    ],
)
def test_a_column_of_a_csv_is_of_one_type(
    tmp_path: Path, cells: Sequence[str], values: Sequence[Any]
):
    found = columns(tmp_path, "x,other", *(f"{cell},o" for cell in cells))
    assert [row.get("x") for row in found] == values
    assert [type(row.get("x")) for row in found] == [type(value) for value in values]


def test_what_stands_for_no_value_is_noted(tmp_path: Path):
    source = opened(write(tmp_path / "t.csv", "uri,depth,\na.png,NA,\nb.png,5,\nc.png,NA,\n"))
    assert [dict(image.metadata) for image in read(source)[0]] == [{}, {"depth": 5}, {}]
    assert source.notes == ["t.csv, column depth: 'NA' (line 2) taken as no value"]


def test_unnamed_columns_are_left_aside(tmp_path: Path):
    source = opened(write(tmp_path / "t.csv", ",uri,x\n0,a.png,1\n"))
    assert read(source)[0][0].metadata == {"x": 1}
    assert source.notes == ["t.csv: column 1 has no name, left aside"]


def test_names_of_several_lines_are_one(tmp_path: Path):
    path = write(tmp_path / "t.csv", 'uri,"depth\n(m)"\na.png,5\n')
    (found,) = open_source(str(path)).refs()
    assert isinstance(found, ImageRef) and found.metadata == {"depth (m)": 5}
    write(path, '"uri\nuri",x\na.png,5\n')
    with pytest.raises(SourceError, match=r"has the columns uri uri, x; expected one called uri"):
        open_source(str(path))


def test_names_that_differ_in_case_only(tmp_path: Path):
    assert columns(tmp_path, "T,t", "20.5,7") == [{"T": 20.5, "t": 7}]


def test_pixel_sizes_are_checked_row_by_row(tmp_path: Path):
    text = "uri,um_per_px\n1.png,0.55\n2.png,0.00055\n3.png,2000\n4.png,wide\n5.png,\n"
    source = opened(write(tmp_path / "t.csv", text))
    assert [image.um_per_px for image in read(source)[0]] == [0.55, None, None, None, None]
    assert source.notes == [
        "t.csv, line 3, column um_per_px: '0.00055' is no likely pixel size (0.05 to 200 "
        "micrometres), so it was not used (and 2 more like it)"
    ]
    images, _ = read(opened(tmp_path / "t.csv", um_per_px=3.0))
    assert {image.um_per_px for image in images} == {3.0}


def test_standings_of_labels(tmp_path: Path):
    text = "uri,label,label_status\n1.png,A,V\n2.png,B,dubious\n3.png,C,perhaps\n4.png,,rejected\n"
    source = opened(write(tmp_path / "t.csv", text))
    found = [(image.label, image.label_status) for image in read(source)[0]]
    assert found[:2] == [("A", "validated"), ("B", "dubious")]
    assert [label for label, _ in found[2:]] == [None, None]
    assert source.notes == [
        "t.csv, line 4, column label_status: 'perhaps' is no standing of a label (validated, "
        "dubious, rejected, predicted), so the label was left aside"
    ]
    assert set(STATUSES.values()) == set(labels.STATUSES)


def test_folders_as_labels_and_samples(tmp_path: Path):
    rows = "uri\nnet1/Copepod/1.png\nhttps://e.org/net2/Ciliate/2.png?x=a/b\n3.png\n"
    path = write(tmp_path / "t.csv", rows)
    images, _ = read(opened(path, labels="folder", samples="folder"))
    assert [(i.label, i.sample) for i in images] == [
        ("Copepod", "net1"),
        ("Ciliate", "net2"),
        (None, None),
    ]


# where an image lies


def test_uris(tmp_path: Path):
    write(tmp_path / "50%25.png", "")
    rows = {
        "a/b.png": "a/b.png",
        "./a//c.png": "a/c.png",
        "../d.png": "../d.png",
        "a\\e.png": "a/e.png",
        "station #3/50%.png": "station %233/50%25.png",
        "50%25.png": "50%2525.png",  # there is a file of that very name
        "60%25.png": "60%25.png",  # written as our own uris are
        "/data/x.png": "/data/x.png",
        "/data/c.zip#in/x.png": "/data/c.zip#in/x.png",
        "/data/a.tif#xywh=1,2,3,4": "/data/a.tif#xywh=1,2,3,4",
        "/data/b.roi#00012": "/data/b.roi#00012",
        "/data/b.png#00012": "/data/b.png%2300012",
        "file:///data/a%20b%23.png": "/data/a b%23.png",
        "s3://bucket/50%.png": "s3://bucket/50%25.png",
        "https://e.org/50%20a.png?v=1": "https://e.org/50%20a.png?v=1",
    }
    images, skipped = read(opened(write(tmp_path / "t.csv", "\n".join(["uri", *map(_cell, rows)]))))
    assert skipped == []
    assert {image.id: image.inner for image in images} == rows


def _cell(text: str) -> str:
    return f'"{text}"'


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("data:image/png;base64,AAAA", "data: is no kind of address"),
        ("gs://bucket/x.png", "gs: is no kind of address"),
        ("C:\\run\\x.png", "a path of a Windows drive"),
        ("file://elsewhere/x.png", "a file of another machine"),
        ("a\0b.png", "no path or address"),
        ("x" * 5000, "no path or address"),
        ("a/..", "names no file"),
        ("", "it is empty"),
    ],
)
def test_uris_of_no_use(tmp_path: Path, uri: str, reason: str):
    path = write(tmp_path / "t.csv", f'uri,x\nfine.png,1\n"{uri}",1\n')
    images, skipped = read(opened(path))
    assert len(images) == 1
    assert (
        skipped[0].reason.startswith("t.csv, line 3, column uri: ") and reason in skipped[0].reason
    )


def test_ids_begin_with_a_source_that_was_given(tmp_path: Path):
    path = write(tmp_path / "t.csv", "uri\na.png\n/data/a.png\ns3://bucket/a.png\n")
    images, _ = read(opened(path, name="north"))
    assert [i.id for i in images] == ["north/a.png", "/data/a.png", "s3://bucket/a.png"]
    path = write(tmp_path / "t.csv", "uri,id\na.png,1\n/data/a.png,2\n")
    assert [i.id for i in read(opened(path, name="north"))[0]] == ["north/1", "north/2"]


def test_a_page_reads_only_beside_the_table_and_public_addresses(tmp_path: Path):
    inside = tmp_path / "upload"
    write(inside / "a.png", "")
    write(tmp_path / "secret.png", "")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    rows = ["a.png", "link.png", "../secret.png", "/etc/passwd", f"{inside}/a.png"]
    rows += ["file:///etc/passwd", "s3://bucket/x.png", "https://e.org/x.png"]
    rows += ["https://e.org/y.png#via=anonymous", "s3://b/z.png#via=http://10.0.0.1#via=anonymous"]
    path = write(inside / "t.csv", "\n".join(["uri", *rows]))
    images, skipped = read(opened(path, bounded=True))
    assert [image.inner for image in images] == [
        "a.png",
        f"{inside}/a.png",
        "s3://bucket/x.png#via=public",
        "https://e.org/x.png#via=public",
        "https://e.org/y.png#via=public",
        "s3://b/z.png#via=public",
    ]
    assert [each.uri for each in skipped] == [
        "link.png",
        "../secret.png",
        "/etc/passwd",
        "file:///etc/passwd",
    ]
    assert all("outside the table's folder" in each.reason for each in skipped)


PIECES = (
    *("..", "/", "\\", "#", "~", "://", "%23", "%25", "a", "d", "etc", "link", "x.png", "c.zip"),
    *("file://", "https://", "s3://", "http:", "#via=", "#xywh=0,0,1,1", ".roi#1"),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
@pytest.mark.parametrize("folder", ["up", "up.zip"])
def test_no_text_leads_a_page_outside(tmp_path: Path, folder: str, text: str):
    inside = tmp_path / folder
    if not inside.exists():
        (inside / "c.zip" / "d").mkdir(parents=True)
        (inside / "link").symlink_to("/etc")
        (inside / "d").symlink_to("c.zip")
    places = Places(FolderTree(inside), Given(bounded=True))
    try:
        inner = places.inner(text)
    except ImageError:
        return
    uri = join(str(inside), inner)
    found = parse(uri)
    if found.scheme:
        assert found.via == ("public",)
        return
    path = Path(found.place)
    if found.member and path.is_dir():  # as it is read
        path /= found.member
    assert path.resolve().is_relative_to(inside)


def test_ways_of_reading_objects(tmp_path: Path):
    path = write(
        tmp_path / "t.csv", "uri\ns3://b/x.png\nhttps://e.org/x.png\ns3://b/y#via=public\n"
    )
    images, _ = read(opened(path, anonymous=True, endpoint_url="http://127.0.0.1:9"))
    assert [image.inner for image in images] == [
        "s3://b/x.png#via=anonymous,http://127.0.0.1:9",
        "https://e.org/x.png",
        "s3://b/y#via=public",
    ]


def test_stamps(tmp_path: Path):
    picture = write(tmp_path / "a.png", "12345")
    path = write(tmp_path / "t.csv", "uri\na.png\nmissing.png\nhttps://e.org/x.png\n")
    stamps = [image.stamp for image in read(opened(path))[0]]
    assert stamps == [f"5:{picture.stat().st_mtime_ns}", "", ""]


def test_in_a_zip(tmp_path: Path):
    path = tmp_path / "run.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("in/a.png", b"123")
        archive.writestr("t.tsv", "uri\tx\nin/a.png\t1\n../out.png\t2\n/data/b.png\t3\n")
    tree = ZipTree(path)
    assert Tables().recognises(tree)
    source = Tables().open(tree, Given())
    images, skipped = read(source)
    assert [(join(source.root, i.inner), i.metadata["x"]) for i in images] == [
        (f"{path}#in/a.png", 1),
        ("/data/b.png", 3),
    ]
    assert images[0].stamp.endswith(":3") and "outside of where" in skipped[0].reason
    images, _ = read(Tables().open(tree, Given(bounded=True)))
    assert [image.inner for image in images] == ["in/a.png"]


def test_a_table_of_a_bucket_names_no_files_of_this_machine(tmp_path: Path):
    tree = _Bucket(tmp_path)
    assert join(tree.root, Places(tree, Given()).inner("a b.png")) == "s3://bucket/run/a b.png"
    for uri in ("/etc/passwd", "../x.png"):
        with pytest.raises(ImageError, match=r"names no files of here|leads outside"):
            Places(tree, Given()).inner(uri)


class _Bucket(FolderTree):
    """What a tree of object storage says of itself."""

    @property
    def root(self) -> str:
        return "s3://bucket/run"


# how a table is recognised


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "T.CSV"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path: Path, name: str, delimiter: str):
    lines = [["\ufeffid", "URI", "x", "note"], ["1", "a.png", "2.5", f'"a{delimiter}b"']]
    path = write(tmp_path / name, "\r\n".join(delimiter.join(cells) for cells in lines))
    images, _ = read(opened(path))
    said = {"x": 2.5, "note": f"a{delimiter}b"}
    assert images == [ImageRef(id="1", inner="a.png", metadata=said)]


def test_decimal_commas_beside_semicolons(tmp_path: Path):
    path = write(tmp_path / "t.csv", "uri;um_per_px;depth\na.png;0,55;12,5\nb.png;0,6;3\n")
    images, _ = read(opened(path))
    assert [(i.um_per_px, i.metadata["depth"]) for i in images] == [(0.55, 12.5), (0.6, 3.0)]


def test_a_folder_with_one_table_is_that_table(tmp_path: Path, pictures: Pictures):
    root = pictures(4)
    write(root / "notes.csv", "a,b\n1,2\n")
    assert not Tables().recognises(FolderTree(root))
    assert open_source(str(root)).kind == "Folder"
    write(root / "images.tsv", "uri\tdepth\n00001.png\t5\n00003.png\t6\n")
    source = open_source(str(root))
    assert (source.kind, source.name) == ("Table", "run")
    assert [image.id for image in read(source)[0]] == ["00001.png", "00003.png"]
    assert source.notes == ["2 pictures beside images.tsv that it does not name were left aside"]
    write(root / "more.csv", "uri\n00002.png\n")
    with pytest.raises(SourceError, match=r"2 tables with a column uri \(images.tsv, more.csv\)"):
        open_source(str(root))
    assert len(read(open_source(str(root / "more.csv")))[0]) == 1
    with pytest.raises(SourceError, match=r"notes\.csv has the columns a, b; expected one called"):
        open_source(str(root / "notes.csv"))
    with pytest.raises(SourceError, match=r"00001\.png is a file that cannot be read as images"):
        open_source(str(root / "00001.png"))


def test_an_export_among_pictures_is_not_what_they_are_read_by(tmp_path: Path, pictures: Pictures):
    root = pictures(3)
    write(root / "ours.csv", "id,uri,label,label_status,cluster,x,y\na,00001.png,,,,,\n")
    assert open_source(str(root)).kind == "Folder"
    assert len(read(open_source(str(root / "ours.csv")))[0]) == 1


# what is wrong with a table


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("uri,x\na.png,1\n".encode("utf-16"), r"not UTF-8 but UTF-16.*save it as UTF-8"),
        ("uri,x\na.png,1\n".encode("utf-16-be"), r"not UTF-8 but UTF-16"),
        ("uri,x\na.png,1\nb.png,Müll\n".encode("latin-1"), r"t.csv, line 3: .*not UTF-8; save it"),
        (b"uri,x\n", r"names of columns and no row"),
        (b"", r"t.csv is empty"),
        (b"\n\n", r"t.csv is empty"),
        (b"path,x\na.png,1\n", r"no column uri; its columns are: path, x; name"),
        (b"uri,x,x\na.png,1,2\n", r"columns 2 and 3 are both called 'x'; rename one"),
        (b"uri,x,URI\na.png,1,2\n", r"columns 1 and 3 are both called 'URI'; rename one"),
        (b'uri,x\na.png,1\nb.png,"2\nc.png,3\n', r"t.csv, line 3: unexpected end of data"),
        (b'uri,x\na.png,"1"2\n', r"t.csv, line 2: .*check the quotes"),
        (
            b"uri,x\na.png," + b"1" * 200_000,
            r"t.csv, line 2: (a cell has more|field larger)",
        ),
        (b"uri" + b",x" * 3000, r"has 3,001 columns"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, data: bytes, message: str):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message):
        read(opened(path))


def test_rows_that_cannot_be_read_name_their_line(tmp_path: Path):
    text = (
        'id,uri,note\n1,a.png,"two\nlines"\n2,b.png\n3,c,d.png,x\n1,e.png,x\n,f.png,x\n4,,x\n'
        "\n;;\n5,g.png,x,,\n"
    )
    images, skipped = read(opened(write(tmp_path / "t.csv", text)))
    assert [image.id for image in images] == ["1", "5"]
    assert images[0].metadata == {"note": "two\nlines"}
    assert [each.reason for each in skipped] == [
        "t.csv, line 4: it has 2 cells, the header 3; expected one for every column",
        "t.csv, line 5: it has 4 cells, the header 3; expected cells that hold ',' in quotes",
        "t.csv, line 6, column id: '1' is in line 2 already",
        "t.csv, line 7, column id: it is empty; expected a name that no other row has",
        "t.csv, line 8, column uri: it is empty; expected an address",
        "t.csv, line 10: it has 1 cells, the header 3; expected one for every column",
    ]


def test_damaged_parquet(tmp_path: Path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(SourceError, match=r"t.parquet cannot be read as parquet"):
        open_source(str(path))
    write(tmp_path / "t.csv", "uri\na.png\n")
    assert open_source(str(tmp_path)).notes == []


# parquet


def test_parquets_own_types(tmp_path: Path):
    day = datetime.date(2024, 5, 1)
    moment = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "uri": pa.array(["a.png", "b.png"]).dictionary_encode(),
            "id": pa.array([7.0, 8.0]),
            "whole": pa.array([1, None], pa.int32()),
            "number": pa.array([1.5, float("nan")], pa.float32()),
            "yes": [True, False],
            "day": [day, None],
            "moment": pa.array([moment, None], pa.timestamp("ns", "Europe/Paris")),
            "naive": pa.array([datetime.datetime(2024, 5, 1), None], pa.timestamp("s")),
            "at": [datetime.time(1, 2), None],
            "code": ["007", ""],
            "money": pa.array([decimal.Decimal("1.00"), None]),
            "list": [[1.0], [2.0]],
            "raw": [b"1", b"2"],
            "void": pa.nulls(2),
            "__index_level_0__": [1, 2],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    assert Tables().recognises(FolderTree(tmp_path))
    source = opened(tmp_path / "t.parquet")
    images, _ = read(source)
    assert [image.id for image in images] == ["7", "8"]
    assert images[0].metadata == {
        "whole": 1,
        "number": 1.5,
        "yes": True,
        "day": "2024-05-01",
        "moment": "2024-05-01T12:30:00+00:00",
        "naive": "2024-05-01T00:00:00",
        "at": "01:02:00",
        "code": "007",
        "money": 1.0,
    }
    assert images[1].metadata == {"yes": False}
    assert [note.split(" was")[0] for note in source.notes] == [
        "t.parquet: column 'list' (list<element: double>)",
        "t.parquet: column 'raw' (binary)",
    ]


def test_rows_of_parquet_are_named_by_rank(tmp_path: Path):
    table = pa.table({"uri": ["a.png", None, "a.png"], "um_per_px": [500.0, 1.0, 1.0]})
    parquet.write_table(table, tmp_path / "t.parquet")
    source = opened(tmp_path / "t.parquet")
    assert reasons(source) == [
        "t.parquet, row 2, column uri: it is empty; expected an address",
        "t.parquet, row 3, column uri: 'a.png' is in row 1 already",
    ]
    assert source.notes[0].startswith("t.parquet, row 1, column um_per_px: '500' is no likely")


# whatever a file holds

BITS = st.sampled_from([b"uri", b"id", b"label", b"um_per_px", b"x", b"a.png", b"1", b"2.5", b"NA"])
MARKS = st.sampled_from([b",", b";", b"\t", b"\n", b"\r", b'"', b"\xff", b"\0", b"\xef\xbb\xbf"])


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.one_of(BITS, MARKS, st.binary(max_size=6)), max_size=40))
def test_any_text_gives_images_or_a_reason(parts: list[bytes]):
    _try(b"uri,x\n" + b"".join(parts), "t.csv")
    _try(b"".join(parts), "t.tsv")


def _whole() -> bytes:
    table = pa.table({"uri": [f"{n}.png" for n in range(50)], "x": range(50), "d": [1.5] * 50})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


WHOLE = _whole()


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.one_of(st.none(), st.integers(0, len(WHOLE))),
)
def test_any_parquet_gives_images_or_a_reason(changes: list[tuple[int, int]], cut: int | None):
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    _try(bytes(data[:cut]), "t.parquet")


def _try(data: bytes, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    tree = _Held(name, data)
    Tables().recognises(tree)
    try:
        source = Tables().open(tree, Given(only=name))
        images, _ = read(source)
        json.dumps([dict(image.metadata) for image in images], allow_nan=False)
        " ".join([*source.notes, *(image.id for image in images)]).encode()
    except CoreError as error:
        assert "\n" not in str(error)


class _Held:
    """A tree of one file, as a bucket gives it."""

    name = "held"
    root = "s3://held"

    def __init__(self, name: str, data: bytes) -> None:
        from core.sources.base import File

        self._file = File(name, len(data), "")
        self._data = data

    def files(self) -> Sequence[Any]:
        return [self._file]

    def read(self, path: str, *, limit: int = 2**30, first: int | None = None) -> bytes:
        assert path == self._file.path
        return self._data[:first]


# into a collection


def test_a_collection_of_a_table(library: Library, pictures: Pictures):
    root = pictures(4)
    text = "id,uri,label,depth\n1,00000.png,A,5\n2,00001.png,B,6\n3,gone.png,,7\n"
    path = write(root / "t.csv", text)
    report = index(library, collection="c", source=str(path))
    assert (report.indexed, report.skipped_count) == (2, 1)
    assert "no such file" in report.skipped[0].reason
    uid = library.catalogue.collection("c").uid
    assert library.catalogue.image(uid, "2").metadata == {"depth": 6}
    assert labels.current(library.catalogue, uid)["1"].label == "A"
    write(path, text.replace(",6", ",9").replace(",A,", ",C,"))
    again = index(library, collection="c", source=str(path))
    assert (again.indexed, again.updated, again.already) == (0, 0, 2)
    assert library.catalogue.image(uid, "2").metadata == {"depth": 9}
    now = {id: label.label for id, label in labels.current(library.catalogue, uid).items()}
    assert now == {"1": "C", "2": "B"}
    assert len(labels.history(library.catalogue, uid, "2")) == 1


def test_a_table_and_its_images_may_move(library: Library, pictures: Pictures):
    root = pictures(3)
    path = write(root / "t.csv", "uri\n00000.png\n00001.png\n")
    index(library, collection="c", source=str(path))
    moved = root.rename(root.with_name("moved"))
    relocate(library, "c", "t", str(moved))
    uid = library.catalogue.collection("c").uid
    assert library.catalogue.image(uid, "00001.png").uri == str(moved / "00001.png")
    assert index(library, collection="c", source=str(moved / "t.csv")).already == 2


def test_an_id_may_be_given_to_another_file(library: Library, pictures: Pictures):
    """Renaming keeps size and time, and of an address neither is known."""
    root = pictures(3)
    path = write(root / "t.csv", "id,uri\na,00000.png\nb,00001.png\n")
    index(library, collection="c", source=str(path))
    (root / "00001.png").rename(root / "new.png")
    write(path, "id,uri\na,00000.png\nb,new.png\n")
    again = index(library, collection="c", source=str(path))
    assert (again.indexed, again.updated, again.already) == (0, 1, 1)
    uid = library.catalogue.collection("c").uid
    assert library.catalogue.image(uid, "b").uri == str(root / "new.png")


def test_a_table_and_the_folder_it_is_found_in_are_one(library: Library, pictures: Pictures):
    root = pictures(3)
    path = write(root / "t.csv", "uri,depth\n00000.png,5\n00001.png,6\n")
    assert index(library, collection="c", source=str(root)).indexed == 2
    write(path, "uri,depth\n00000.png,5\n00001.png,7\n")
    again = index(library, collection="c", source=str(path))
    assert (again.indexed, again.already, again.skipped_count) == (0, 2, 0)
    uid = library.catalogue.collection("c").uid
    assert library.catalogue.image(uid, "00001.png").metadata == {"depth": 7}
    assert {row.source for row in library.catalogue.image_rows(uid)} == {root.name}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_comes_back(library: Library, pictures: Pictures, tmp_path: Path, kind: str):
    root = pictures(3, folders=("net #1", "50%"))
    first = index(library, collection="c", source=str(root), labels_from="folder", um_per_px=2.0)
    assert first.indexed == 3
    uid = library.catalogue.collection("c").uid
    rows = library.catalogue.image_rows(uid)
    said = {"depth": 5, "note": "-5 deep", "ratio": 0.5, "ok": True}
    library.catalogue.put_images(uid, [replace(row, metadata=said) for row in rows])
    out = tmp_path / f"out.{kind}"
    export(library, library.vectors(library.catalogue.collection("c")), to=out, format=kind)
    source = open_source(str(out))
    assert index(library, collection="d", source=source).indexed == 3
    ours = library.catalogue.collection("d").uid
    before = {image.id: image for image in library.catalogue.images(uid)}
    after = {image.id: image for image in library.catalogue.images(ours)}
    assert after == {id: replace(image, stamp=after[id].stamp) for id, image in before.items()}
    texts = {id: label.label for id, label in labels.current(library.catalogue, ours).items()}
    assert texts == {id: id.split("/")[1] for id in before}
    assert any("is an export" in note for note in source.notes)


def test_texts_of_an_export_are_freed_of_what_spreadsheets_need(tmp_path: Path):
    import pandas as pd

    texts = {"id": "-a-", "uri": "a.png", "label": "=copepod?", "label_status": "predicted"}
    row = {**texts, "cluster": None, "x": None, "y": None, "sample": "+1 net", "note": "@ 5 m"}
    write(
        tmp_path / "t.csv",
        "id,uri,label,label_status,cluster,x,y,sample,note\n"
        "'-a-,a.png,'=copepod?,predicted,,,,'+1 net,'@ 5 m\n",
    )
    pd.DataFrame([row]).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        (found,) = open_source(str(tmp_path / name)).refs()
        assert isinstance(found, ImageRef)
        assert (found.id, found.label, found.sample) == ("-a-", "=copepod?", "+1 net")
        assert found.metadata == {"note": "@ 5 m"}
    pd.DataFrame([row | {"note": "'=1"}]).to_parquet(tmp_path / "t.parquet")
    (found,) = open_source(str(tmp_path / "t.parquet")).refs()
    assert isinstance(found, ImageRef) and found.metadata == {
        "note": "'=1"
    }  # nothing was put there


@pytest.mark.slow
def test_on_the_command_line(command: Command, pictures: Pictures):
    root = pictures(3)
    path = write(root / "t.csv", "uri,depth\n00000.png,5\nnone.png,6\n\n/etc/hosts,7\n")
    done = command("index", str(path), "--collection", "c", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["indexed"], result["skipped_count"]) == (1, 2)
    bounded = command("index", str(path), "--collection", "d", "--bounded", "--json")
    assert bounded.returncode == 0, bounded.stderr
    assert "outside the table's folder" in bounded.stdout
    (root / "t.csv").write_bytes("uri\n00000.png\n".encode("utf-16"))
    wrong = command("index", str(path), "--collection", "e", "--json")
    assert wrong.returncode == 2 and wrong.stdout == ""
    assert "save it as UTF-8" in wrong.stderr
