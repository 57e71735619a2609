"""Vectors of other programs: files of them become a collection, or one more encoder of one."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import encoders, labels
from core.adopting import adopt_file
from core.arrays import unit_rows
from core.errors import CoreError, EncoderError, SourceError
from core.exporting import export
from core.images import read_image
from core.indexing import IndexReport, index
from core.library import Library
from core.matching import similar_to_id
from core.sources import open_source
from core.sources.base import File, Given, ImageRef, Skipped
from core.sources.vectors import VectorFiles, VectorSource
from tests.core.conftest import Command, Pictures

TIMM = "timm:test_resnet/random"
ROWS = np.random.default_rng(5).normal(size=(6, 8)).astype(np.float32) * 3
IDS = [f"net/{n}" for n in range(6)]


def npz(path: Path, *, packed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def lists(path: Path, **columns: Any) -> Path:
    columns["vector"] = columns.get("vector", [row.tolist() for row in ROWS])
    parquet.write_table(pa.table(columns), path)
    return path


def opened(path: Path, **said: Any) -> VectorSource:
    source = open_source(str(path), **said)
    assert isinstance(source, VectorSource)
    return source


def adopted(library: Library, path: Path, collection: str = "c", **said: Any) -> IndexReport:
    return adopt_file(library, opened(path), collection=collection, **said)


def blocks(source: VectorSource) -> tuple[list[ImageRef], list[list[float]], list[Skipped]]:
    refs: list[ImageRef] = []
    rows: list[list[float]] = []
    skipped: list[Skipped] = []
    for block in source.blocks():
        if isinstance(block, Skipped):
            skipped.append(block)
        else:
            refs += block[0]
            rows += block[1].tolist()
    return refs, rows, skipped


def stored(library: Library, collection: str = "c", encoder: str | None = None) -> dict[str, Any]:
    view = library.vectors(library.catalogue.collection(collection), encoder)
    return dict(zip(view.snapshot.ids, np.asarray(view.snapshot.vectors), strict=True))


def check_stored(found: dict[str, Any], ids: Sequence[str], rows: Any) -> None:
    assert list(found) == list(ids)
    np.testing.assert_allclose(np.stack(list(found.values())), unit_rows(rows), atol=1e-6)


# files


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.astype(np.float64),
        ROWS.astype(">f4"),
        np.asfortranarray(ROWS),
        ROWS.astype(np.float16).astype(np.float32),
        (ROWS * 10).astype(np.int16).astype(np.float32),
    ],
)
def test_npz(tmp_path: Path, packed: bool, rows: Any):
    path = npz(
        tmp_path / "clip.npz",
        packed=packed,
        ids=np.array(IDS),
        vectors=rows,
        uris=np.array([f"{n}.png" for n in range(6)]),
        labels=np.array(["A", "", "B", "B", "", ""]),
        depth=np.array([1.5, np.nan, 3, 4, 5, 6]),
        day=np.array(["2024-05-01"] * 6, "datetime64[D]"),
        matrix=np.zeros((6, 2)),
    )
    source = opened(path)
    assert (source.encoder, source.name, source.count, source.dimension) == (
        "precomputed:clip",
        "clip",
        6,
        8,
    )
    refs, found, skipped = blocks(source)
    assert skipped == [] and found == rows.tolist()
    assert [ref.id for ref in refs] == IDS
    assert refs[0].inner == "0.png" and refs[0].label == "A" and refs[1].label is None
    assert refs[0].metadata == {"depth": 1.5, "day": "2024-05-01"}
    assert refs[1].metadata == {"day": "2024-05-01"}
    assert source.notes[0].startswith("clip.npz: matrix (float64 (6, 2)) left aside")
    assert list(source.refs()) == refs


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float32(), 8),
        pa.large_list(pa.float64()),
        pa.list_(pa.float16()),
    ],
)
def test_parquet(tmp_path: Path, kind: Any):
    rows = ROWS.astype(np.float16).astype(np.float32)
    vector = pa.array([row.astype(np.float64).tolist() for row in rows], pa.list_(pa.float64()))
    path = lists(tmp_path / "v.parquet", id=IDS, vector=vector.cast(kind), depth=range(6))
    source = opened(path)
    refs, found, skipped = blocks(source)
    assert skipped == [] and found == rows.tolist()
    assert [(ref.id, ref.metadata) for ref in refs] == [
        (id, {"depth": n}) for n, id in enumerate(IDS)
    ]


def test_rows_of_no_use(tmp_path: Path):
    vector = [[1.0, 2.0], None, [1.0], [3.0, None], [float("inf"), 0.0], [0.0, 0.0], [5.0, 6.0]]
    ids = ["a", "b", "c", "d", "e", "f", "a"]
    refs, found, skipped = blocks(opened(lists(tmp_path / "v.parquet", id=ids, vector=vector)))
    assert [ref.id for ref in refs] == ["a", "d", "e", "f"]  # what is finite is asked later
    assert found[0] == [1.0, 2.0] and np.isnan(found[1][1])
    assert [each.reason for each in skipped] == [
        "v.parquet, row 2: its vector is missing",
        "v.parquet, row 3: its vector has 1 numbers; expected 2",
        "v.parquet, row 7, column id: 'a' is in row 1 already",
    ]


def test_fixed_lists_with_gaps(tmp_path: Path):
    vector = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    refs, found, skipped = blocks(
        opened(lists(tmp_path / "v.parquet", id=["a", "b", "c"], vector=vector))
    )
    assert [ref.id for ref in refs] == ["a", "c"] and found == [[1.0, 2.0], [3.0, 4.0]]
    assert [each.reason for each in skipped] == ["v.parquet, row 2: its vector is missing"]


def test_what_is_wrong_with_a_file(tmp_path: Path):
    ids = np.array(IDS)
    for arrays, message in [
        ({"ids": ids}, r"has no array vectors; its arrays are: ids"),
        ({"vectors": ROWS}, r"does not say what its vectors are of"),
        ({"ids": ids[:3], "vectors": ROWS}, r"array ids is \(3,\); expected \(6,\)"),
        (
            {"ids": ids, "vectors": ROWS[0]},
            r"vectors are float32 \(8,\); expected numbers \(n, d\)",
        ),
        ({"ids": ids, "vectors": ROWS.astype(str)}, r"expected numbers \(n, d\)"),
        ({"ids": ids, "vectors": ROWS * 1j}, r"expected numbers \(n, d\)"),
        ({"ids": ids[:0], "vectors": ROWS[:0]}, r"holds no vectors"),
        ({"ids": ids, "vectors": ROWS[:, :0]}, r"have 0 numbers"),
        ({"ids": ids.astype(object), "vectors": ROWS}, r"holds Python objects, which are not"),
        ({"ids": ids, "id": ids, "vectors": ROWS}, r"clash; rename one"),
    ]:
        with pytest.raises(SourceError, match=message):
            opened(npz(tmp_path / "v.npz", **arrays))
    (tmp_path / "v.npz").write_bytes(b"PK no zip")
    with pytest.raises(SourceError, match=r"v.npz cannot be read .*write it again with np.savez"):
        opened(tmp_path / "v.npz")
    with pytest.raises(SourceError, match=r"there is no folder .*none.npz"):
        open_source(str(tmp_path / "none.npz"))


def test_a_table_without_vectors_is_none(tmp_path: Path):
    lists(tmp_path / "t.parquet", uri=["a.png"], vector=["text"])
    assert open_source(str(tmp_path / "t.parquet")).kind == "Table"


BITS = np.array(IDS), ROWS


def _whole(packed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, ids=BITS[0], vectors=BITS[1])
    return buffer.getvalue()


def _whole_parquet() -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"id": IDS, "vector": [row.tolist() for row in ROWS]}), buffer)
    return buffer.getvalue()


FILES = {
    "v.npz": _whole(False),
    "w.npz": _whole(True),
    "v.parquet": _whole_parquet(),
}


class _Held:
    """A tree of one file, as a bucket gives it."""

    name = "held"
    root = "s3://held"

    def __init__(self, name: str, data: bytes) -> None:
        self._file = File(name, len(data), "")
        self._data = data

    def files(self) -> Sequence[Any]:
        return [self._file]

    def read(self, path: str, *, limit: int = 2**30, first: int | None = None) -> bytes:
        assert path == self._file.path
        return self._data[:first]


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(FILES)),
    changes=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5
    ),
    cut=st.one_of(st.none(), st.integers(0, 10_000)),
)
def test_any_file_gives_vectors_or_a_reason(
    name: str, changes: list[tuple[int, int]], cut: int | None
):
    data = bytearray(FILES[name])
    for at, byte in changes:
        data[at % len(data)] = byte
    tree = _Held(name, bytes(data[:cut]))
    try:
        VectorFiles().recognises(tree)
        source = VectorFiles().open(tree, Given(only=name))
        assert isinstance(source, VectorSource)
        refs, rows, _ = blocks(source)
        assert len(refs) == len(rows)
        json.dumps([[ref.id, dict(ref.metadata)] for ref in refs], ensure_ascii=False).encode()
    except CoreError as error:
        assert "\n" not in str(error)


# into a collection


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_collection_of_vectors(library: Library, pictures: Pictures, kind: str):
    root = pictures(6)
    uris = [f"{n:05d}.png" for n in range(6)]
    if kind == "npz":
        said = {"labels": np.array(["A"] * 6), "depth": np.arange(6)}
        path = npz(root / "clip.npz", ids=np.array(IDS), uris=np.array(uris), vectors=ROWS, **said)
    else:
        path = lists(root / "clip.parquet", id=IDS, uri=uris, label=["A"] * 6, depth=range(6))
    report = adopted(library, path)
    assert (report.indexed, report.skipped_count) == (6, 0)
    collection = library.catalogue.collection("c")
    assert collection.encoder == "precomputed:clip"
    check_stored(stored(library), IDS, ROWS)
    image = library.catalogue.image(collection.uid, "net/3")
    assert read_image(image.uri).shape[2] == 3 and image.metadata == {"depth": 3}
    assert labels.current(library.catalogue, collection.uid)["net/3"].label == "A"
    view = library.vectors(collection)
    assert similar_to_id(library, view, "net/3", k=2).matches[0].distance == 0
    before = library.catalogue.revision(collection.uid)
    again = adopted(library, path)
    assert (again.indexed, again.updated, again.already) == (0, 0, 6)
    assert library.catalogue.revision(collection.uid) == before  # so pages keep what they drew
    assert len(labels.history(library.catalogue, collection.uid, "net/3")) == 1
    assert index(library, collection="c", encoder="descriptors").indexed == 6


def test_vectors_that_changed_are_updated(library: Library, tmp_path: Path):
    adopted(library, npz(tmp_path / "v.npz", ids=np.array(IDS), vectors=ROWS))
    other = ROWS.copy()
    other[2] = -other[2]
    again = adopted(library, npz(tmp_path / "v.npz", ids=np.array(IDS), vectors=other))
    assert (again.indexed, again.updated, again.already) == (0, 1, 5)
    found = stored(library)
    check_stored({id: found[id] for id in IDS}, IDS, other)


def test_nan_zero_and_names_that_are_no_paths(library: Library, tmp_path: Path):
    rows = np.array([[np.nan, 1], [0, 0], [3, 4], [1e39, 1]])
    ids = np.array(["a", "https://e.org/b.png", "data:x", "d"])
    report = adopted(library, npz(tmp_path / "v.npz", ids=ids, vectors=rows))
    assert (report.indexed, report.skipped_count) == (2, 2)
    assert [(each.uri, each.reason) for each in report.skipped] == [
        ("a", "its vector has NaN or infinity"),
        ("d", "its vector has NaN or infinity"),
    ]
    assert [row.tolist() for row in stored(library).values()] == [
        [1.0, 0.0],
        pytest.approx([0.6, 0.8]),
    ]
    images = library.catalogue.images(library.catalogue.collection("c").uid)
    assert images[0].uri == "https://e.org/b.png"


def test_nothing_of_use_makes_no_collection(library: Library, tmp_path: Path):
    path = npz(tmp_path / "v.npz", ids=np.array(["a"]), vectors=np.array([[np.nan]]))
    with pytest.raises(SourceError, match=r"none of the vectors of v.npz can be used: its vector"):
        adopted(library, path)
    assert library.catalogue.collections() == []


def test_names_of_the_encoder(library: Library, tmp_path: Path):
    path = npz(tmp_path / "v.npz", ids=np.array(IDS), vectors=ROWS)
    adopted(library, path, encoder="precomputed:mine")
    assert library.catalogue.collection("c").encoder == "precomputed:mine"
    for name in ("descriptors", "precomputed:"):
        with pytest.raises(EncoderError, match=r"did not make the vectors of v.npz.*precomputed:v"):
            adopted(library, path, encoder=name)
    with pytest.raises(EncoderError, match=r"vectors of 8 numbers, these have 2"):
        few = npz(tmp_path / "w.npz", ids=np.array(IDS), vectors=ROWS[:, :2])
        adopted(library, few, encoder="precomputed:mine")


def test_one_more_encoder_of_a_collection(library: Library, pictures: Pictures, tmp_path: Path):
    index(library, collection="c", source=str(pictures(5)))
    ids = [f"run/{n:05d}.png" for n in (3, 1, 0)] + ["elsewhere/1.png", "elsewhere/2.png"]
    path = npz(tmp_path / "clip.npz", ids=np.array(ids), vectors=ROWS[:5])
    report = adopted(library, path)
    assert (report.indexed, report.skipped_count) == (3, 2)
    assert [(each.reason, each.count) for each in report.skipped] == [
        ("2 vectors are of no image of collection 'c'", 2)
    ]
    assert report.notes == [
        "3 vectors are of images of collection 'c'; 2 of its images have none; labels and metadata "
        "beside the vectors were not read"
    ]
    check_stored(stored(library, encoder="precomputed:clip"), ids[:3], ROWS[:3])
    collection = library.catalogue.collection("c")
    assert collection.encoder == "descriptors" and library.catalogue.count(collection.uid) == 5
    again = adopted(library, path)
    assert (again.indexed, again.updated, again.already) == (0, 0, 3)
    with pytest.raises(SourceError, match=r"--um-per-px: collection 'c' has its images already"):
        adopt_file(library, opened(path, um_per_px=2.0), collection="c")
    none = npz(tmp_path / "none.npz", ids=np.array(IDS), vectors=ROWS)
    with pytest.raises(
        SourceError,
        match=r"exists and holds descriptors, .*'net/0', its own such as 'run/00000.png",
    ):
        adopted(library, none)


def test_our_own_export_comes_back(library: Library, pictures: Pictures, tmp_path: Path):
    root = pictures(5, folders=("A #1", "B"))
    index(library, collection="c", source=str(root), labels_from="folder", um_per_px=2.0)
    view = library.vectors(library.catalogue.collection("c"))
    out = tmp_path / "out.parquet"
    export(library, view, to=out, format="parquet", vectors=True)
    report = adopted(library, out, "d")
    assert report.indexed == 5 and report.skipped_count == 0
    before, after = stored(library), stored(library, "d")
    assert before.keys() == after.keys()
    for id in before:
        np.testing.assert_allclose(after[id], before[id], atol=1e-6)
    ours = library.catalogue.collection("d").uid
    theirs = {image.id: image for image in library.catalogue.images(view.collection.uid)}
    for image in library.catalogue.images(ours):
        known = theirs[image.id]
        assert (image.uri, image.um_per_px) == (known.uri, known.um_per_px)
        assert image.metadata == known.metadata
    said = labels.current(library.catalogue, ours).values()
    assert {label.label for label in said} == {"A #1", "B"}
    beside = adopted(library, out, "c")  # and is one more encoder of the collection it is of
    assert beside.indexed == 5
    check_stored(
        stored(library, encoder="precomputed:out"), list(before), np.stack(list(before.values()))
    )


def test_two_sources_of_one_id(library: Library, tmp_path: Path):
    adopted(library, npz(tmp_path / "v.npz", ids=np.array(IDS), vectors=ROWS))
    source = opened(npz(tmp_path / "w.npz", ids=np.array([*IDS, "new"]), vectors=ROWS[[0] * 7]))
    report = adopt_file(library, source, collection="c", encoder="precomputed:v")
    assert (report.indexed, report.skipped_count) == (1, 6)
    assert "source 'v' has an image of the id 'net/0'" in report.skipped[0].reason


def test_what_a_page_may_name(tmp_path: Path):
    uris = np.array(["a.png", "/etc/passwd", "s3://b/x.png"])
    path = npz(tmp_path / "v.npz", ids=np.array(["1", "2", "3"]), uris=uris, vectors=ROWS[:3])
    refs, _, skipped = blocks(opened(path, bounded=True))
    assert [ref.inner for ref in refs] == ["a.png", "s3://b/x.png#via=public"]
    assert "outside the table's folder" in skipped[0].reason
    path = npz(tmp_path / "w.npz", ids=uris, vectors=ROWS[:3])
    refs, _, _ = blocks(opened(path, bounded=True))
    assert [ref.inner for ref in refs] == ["a.png", "", "s3://b/x.png#via=public"]


@pytest.mark.slow
def test_made_by(library: Library, pictures: Pictures):
    root = pictures(6)
    paths = sorted(root.iterdir())
    encoder = encoders.load(TIMM)
    rows = encoder.encode([encoder.prepare(read_image(str(path))) for path in paths])
    uris = np.array([path.name for path in paths])
    right = npz(root / "right.npz", ids=np.array(IDS), uris=uris, vectors=rows * 3)
    adopted(library, right, made_by=TIMM)
    assert library.vectors(library.catalogue.collection("c")).encoding.made_by == TIMM
    wrong = npz(root / "wrong.npz", ids=np.array(IDS), uris=uris, vectors=rows[::-1])
    with pytest.raises(EncoderError, match=r"did not make these vectors"):
        adopted(library, wrong, "d", made_by=TIMM)
    for path in (right, wrong):
        path.rename(root.parent / path.name)
    index(library, collection="e", source=str(root))
    ids = np.array([f"run/{path.name}" for path in paths])
    beside = npz(root.parent / "beside.npz", ids=ids, vectors=rows)
    assert adopted(library, beside, "e", made_by=TIMM).indexed == 6
    assert {c.name for c in library.catalogue.collections()} == {"c", "e"}


@pytest.mark.slow
def test_on_the_command_line(command: Command, pictures: Pictures):
    root = pictures(6)
    uris = np.array([f"{n:05d}.png" for n in range(6)])
    path = npz(root / "clip.npz", ids=np.array(IDS), uris=uris, vectors=ROWS)
    done = command("index", str(path), "--collection", "c", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["indexed"] == 6
    found = command("similar", "--collection", "c", "--id", "net/2", "-k", "2", "--json")
    first = json.loads(found.stdout)["matches"][0]
    assert (first["id"], first["uri"]) == ("net/2", str(root / "00002.png"))
    assert first["distance"] == 0
    pictured = command(
        "index", str(path), "--collection", "d", "--encoder", "descriptors", "--json"
    )
    assert json.loads(pictured.stdout)["indexed"] == 6, pictured.stderr
    for extra, message in [
        (("--again",), "--again: not for vectors made elsewhere"),
        (("--encoder", "precomputed:"), "did not make the vectors of clip.npz"),
    ]:
        wrong = command("index", str(path), "--collection", "x", *extra, "--json")
        assert wrong.returncode == 2 and wrong.stdout == ""
        assert message in wrong.stderr
