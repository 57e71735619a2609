"""Collections that leave for EcoTaxa, read back as EcoTaxa would and by our own importer."""

from __future__ import annotations

import csv
import io
import json
import math
import resource
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core import analysis, labels
from core.catalogue import Image as Row
from core.ecotaxa_export import export_ecotaxa
from core.errors import CoreError
from core.exporting import export
from core.images import read_image
from core.indexing import index
from core.labels import Decision
from core.library import Library, View
from core.settings import Settings
from core.sources import open_source
from core.sources.base import ImageRef
from tests.core.conftest import Command, Pictures
from tests.core.test_ecotaxa import COLUMNS, ECOTAXA, real, row, written

MANY = COLUMNS | {
    "object_Hu_moment_1": "[f]",
    "object_%area": "[f]",
    "object_annotation_person_email": "[t]",
    "object_annotation_date": "[t]",
    "object_annotation_time": "[t]",
    "object_annotation_category_id": "[t]",
    "sample_volume": "[t]",
    "acq_id": "[t]",
    "acq_sub_part": "[f]",
    "process_id": "[t]",
    "process_particle_pixel_size_mm": "[t]",
}
CRUISE = {
    "object_lat": "-44.725",
    "object_lon": "145.5",
    "object_date": "20140420",
    "object_time": "420",
    "object_Hu_moment_1": "0.19061",
    "object_%area": "1e-05",
    "object_annotation_person_name": "Udale Crank",
    "object_annotation_person_email": "ucrank@example.org",
    "object_annotation_date": "20151111",
    "object_annotation_time": "153120",
    "object_annotation_category_id": "92731",
    "sample_id": "net 1",
    "sample_volume": "007",
    "acq_id": "half",
    "acq_sub_part": "2",
    "process_id": "zooprocess",
    "process_pixel": "10.6",
}
ROWS = [
    row("a", "a.png", img_rank="0", object_area="46", object_code="007", **CRUISE)
    | {"object_annotation_category": "small<egg", "object_annotation_status": "validated"},
    row("a", "more/a.png", img_rank="1", object_area="46.0", **CRUISE),
    row("b", "b.png", object_code='net 5" "x"', **CRUISE | {"process_pixel": "0.0106"})
    | {"object_annotation_category": "égg", "object_annotation_status": "predicted"},
    row("c#2", "c.png", object_area="-3e-07", object_code="=1+1")
    | {"object_annotation_category": "egg", "object_annotation_status": "dubious"},
    row("d", "d #1.png", process_particle_pixel_size_mm="0.0053", process_id="p")
    | {"object_annotation_category": "egg"},
    row("e", "b.png"),
]


def collected(library: Library, where: Path, name: str = "cruise", **said: Any) -> View:
    done = index(library, collection=name, source=str(where), **said)
    assert not done.skipped, done.skipped
    return library.vectors(library.catalogue.collection(name))


def known(library: Library, view: View) -> dict[str, Any]:
    """Everything a collection knows of its images, for comparing."""
    uid = view.collection.uid
    current = labels.current(library.catalogue, uid)
    return {
        image.id: (
            dict(image.metadata),
            {name: type(value) for name, value in image.metadata.items()},
            image.sample,
            image.um_per_px,
            image.content_hash,
            (image.width, image.height),
            (current[image.id].label, current[image.id].status) if image.id in current else None,
        )
        for image in library.catalogue.images(uid)
    }


def table_of(path: Path) -> tuple[str, dict[str, str], list[dict[str, str]]]:
    """A zip's table as EcoTaxa reads it: name, types, rows."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".tsv")]
        data = archive.read(name)
        mark = data.startswith(b"\xef\xbb\xbf")
        text = data.decode("utf-8-sig" if mark else "latin-1")
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quotechar='"'))
        for found in rows[1:]:
            assert found["img_file_name"] in archive.namelist()
    return name, rows[0], rows[1:]


def decide(library: Library, view: View, *said: Decision, by: str = "Ann Clerk") -> None:
    labels.record(library.catalogue, view.collection.uid, said, by=by)


def describe(library: Library, view: View, id: str, **what: Any) -> None:
    (found,) = [r for r in library.catalogue.image_rows(view.collection.uid) if r.id == id]
    library.catalogue.put_images(view.collection.uid, [replace(found, **what)])


def test_there_and_back_without_loss(library: Library, tmp_path: Path):
    view = collected(library, written(tmp_path / "cruise", ROWS, columns=MANY))
    done = export(library, view, to=tmp_path / "out.zip", format="ecotaxa")
    assert done == {
        "file": str(tmp_path / "out.zip"),
        "format": "ecotaxa",
        "images": 6,
        "objects": 5,
        "skipped": [],
        "skipped_count": 0,
        "replaced": 0,
        "notes": ["1 objects have images of different labels; EcoTaxa takes the first."],
    }
    again = collected(library, tmp_path / "out.zip", "again")
    assert known(library, again) == known(library, view)
    assert len(known(library, view)) == 6
    name, types, rows = table_of(tmp_path / "out.zip")
    assert name == "ecotaxa_cruise.tsv"
    given = [{k: v for k, v in found.items() if v} for found in rows]
    assert given == [{k: v for k, v in found.items() if v} for found in ROWS]
    assert types.items() <= MANY.items()
    export(library, again, to=tmp_path / "twice.zip", format="ecotaxa")
    assert table_of(tmp_path / "twice.zip")[1:] == (types, rows)
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_images_leave_as_they_were(library: Library, tmp_path: Path):
    folder = written(tmp_path / "cruise", ROWS, columns=MANY)
    export(library, collected(library, folder), to=tmp_path / "out.zip", format="ecotaxa")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        names = sorted(each for each in archive.namelist() if not each.endswith(".tsv"))
        assert names == ["a.png", "b.png", "c.png", "d #1.png", "more/a.png"]
        for each in names:
            assert archive.read(each) == (folder / each).read_bytes()


def test_decisions_leave_with_who_and_when(library: Library, tmp_path: Path):
    view = collected(library, written(tmp_path / "cruise", ROWS, columns=MANY))
    decide(
        library,
        view,
        Decision("a", "small<egg"),
        Decision("b", "Copepoda", "dubious"),
        Decision("c#2", None),
        Decision("d", "egg", "rejected"),
        Decision("e", "Copepoda", "predicted"),
    )
    done = export(library, view, to=tmp_path / "out.zip", format="ecotaxa")
    assert done["notes"][0].startswith("1 rejected labels are left out")
    rows = {
        found["img_file_name"] + found["object_id"]: found
        for found in table_of(tmp_path / "out.zip")[2]
    }
    said = {
        key: {
            k.removeprefix("object_annotation_"): v for k, v in found.items() if v and "annot" in k
        }
        for key, found in rows.items()
    }
    at = labels.history(library.catalogue, view.collection.uid, "a")[-1]["at"]
    when = {"date": at[:10].replace("-", ""), "time": at[11:19].replace(":", "")}
    who = {"person_name": "Ann Clerk", **when}
    assert said == {
        "a.pnga": {"category": "small<egg", "category_id": "92731", "status": "validated", **who},
        "more/a.pnga": {
            k.removeprefix("object_annotation_"): v for k, v in CRUISE.items() if "annot" in k
        },
        "b.pngb": {"category": "Copepoda", "status": "dubious", **who},
        "c.pngc#2": {},
        "d #1.pngd": {},
        "b.pnge": {"category": "Copepoda", "status": "predicted", **when},
    }
    again = collected(library, tmp_path / "out.zip", "again")
    current = labels.current(library.catalogue, again.collection.uid)
    assert {id: (found.label, found.status) for id, found in current.items()} == {
        "a": ("small<egg", "validated"),
        "a#2": ("taxon 92731", "predicted"),
        "b": ("Copepoda", "dubious"),
        "e": ("Copepoda", "predicted"),
    }


def test_any_collection_can_go(library: Library, tmp_path: Path, pictures: Pictures):
    view = collected(
        library,
        pictures(6, name="run #1", folders=("Copepod", "Detritus")),
        labels_from="folder",
        um_per_px=2.5,
    )
    ids = view.snapshot.ids
    told: Mapping[str, Any] = {
        "latitude": 54.5,
        "Longitude": -2.25,
        "date": "2023-05-04T09:03:02+02:00",
        "depth_m": 7,
        "ESD": 12.5,
        "esd": 3,
        "alive": True,
        "Some text": "tab\there\r\n and there ",
        "object_id": "mine",
        "sample_ship": "Meteor",
        "mixed": "x",
        "none": None,
        "%": 1,
        "": "nameless",
    }
    describe(library, view, ids[0], metadata=told, sample="tow 1", um_per_px=5.0)
    describe(library, view, ids[1], metadata={"mixed": 3, "latitude": 91.0, "date": "May"})
    describe(library, view, ids[2], metadata={}, sample="tow 1")
    decide(library, view, Decision(ids[1], "Fibre"))
    done = export(library, view, to=tmp_path / "run.zip", format="ecotaxa")
    assert (done["images"], done["objects"], done["replaced"], done["notes"]) == (6, 6, 1, [])
    _, types, rows = table_of(tmp_path / "run.zip")
    at = labels.history(library.catalogue, view.collection.uid, ids[0])[-1]["at"]
    when = (at[:10].replace("-", ""), at[11:19].replace(":", ""))
    assert {k: v for k, v in rows[0].items() if v} == {
        "object_id": ids[0],
        "img_file_name": "00000.png",
        "img_rank": "0",
        "object_lat": "54.5",
        "object_lon": "-2.25",
        "object_date": "20230504",
        "object_time": "070302",
        "object_depth_min": "7",
        "object_depth_max": "7",
        "object_annotation_category": "Copepod",
        "object_annotation_status": "validated",
        "object_annotation_date": when[0],
        "object_annotation_time": when[1],
        "object_esd": "12.5",
        "object_esd_2": "3",
        "object_alive": "true",
        "object_some_text": "tab here  and there",
        "object_meta_id": "mine",
        "object_mixed": "x",
        "object_%": "1",
        "object_unnamed": "nameless",
        "sample_id": "tow 1",
        "sample_ship": "Meteor",
        "acq_id": "tow 1 5 um",
        "process_id": "tow 1 5 um",
        "process_pixel": "5.0",
    }
    assert {types[k] for k in ("object_lat", "object_esd", "img_rank", "process_pixel")} == {"[f]"}
    assert {types[k] for k in ("object_mixed", "object_date", "object_alive", "object_id")} == {
        "[t]"
    }
    second = rows[1]
    assert (second["object_latitude"], second["object_meta_date"]) == ("91.0", "May")
    assert (second["object_lat"], second["sample_id"], second["acq_id"]) == ("", "", "cruise")
    assert second["object_annotation_person_name"] == "Ann Clerk"
    assert (rows[2]["acq_id"], rows[2]["process_pixel"]) == ("tow 1 2.5 um", "2.5")
    again = collected(library, tmp_path / "run.zip", "again")
    for image in library.catalogue.images(view.collection.uid):
        other = library.catalogue.image(again.collection.uid, image.id)
        assert (other.sample, other.um_per_px) == (image.sample, image.um_per_px)
        assert other.content_hash == image.content_hash
    ours, theirs = (known(library, each) for each in (view, again))
    assert [each[-1] for each in ours.values()] == [theirs[id][-1] for id in ours]


def test_parts_of_collages_become_pictures(library: Library, tmp_path: Path):
    class Particles:
        name, kind, noun, notes = "run", "FlowCam run", "particles", ()
        root = str(tmp_path)

        def refs(self) -> Any:
            for n in range(2):
                yield ImageRef(f"run/{n}", f"collage.tif#xywh={n * 10},0,10,9", metadata={"esd": n})

    pixels = np.random.default_rng(0).integers(0, 256, (9, 20), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "collage.tif")
    index(library, collection="run", source=Particles())
    view = library.vectors(library.catalogue.collection("run"))
    export(library, view, to=tmp_path / "run.zip", format="ecotaxa")
    names = [found["img_file_name"] for found in table_of(tmp_path / "run.zip")[2]]
    assert names == ["0.png", "1.png"]
    read = read_image(f"{tmp_path}/run.zip#1.png")
    assert np.array_equal(read[:, :, 0], pixels[:, 10:])


def test_parts_of_deep_collages_leave_on_the_collections_scale(library: Library, tmp_path: Path):
    """As they are shown: of a camera of 12 bits, by stated depth they would be black."""

    class Particles:
        name, kind, noun, notes = "run", "FlowCam run", "particles", ()
        root = str(tmp_path)

        def refs(self) -> Any:
            yield ImageRef("run/0", "collage.tif#xywh=10,0,10,9")

    pixels = np.random.default_rng(0).integers(0, 4096, (9, 20), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "collage.tif")
    done = index(library, collection="run", source=Particles(), value_range=(0.0, 4095.0))
    assert done.indexed == 1
    view = library.vectors(library.catalogue.collection("run"))
    export(library, view, to=tmp_path / "run.zip", format="ecotaxa")
    read = read_image(f"{tmp_path}/run.zip#0.png")[:, :, 0]
    assert np.abs(read - pixels[:, 10:] / 4095 * 255).max() <= 1


def test_files_of_one_name_are_kept_apart(library: Library, tmp_path: Path, pictures: Pictures):
    collected(library, pictures(4, name="run", folders=("One", "two")))
    for name in ("x", "y"):
        folder = written(tmp_path / name, [row("o", "00000.png"), row("o", "sub/B.png")])
        Image.new("L", (9, 9), 99 if name == "x" else 30).save(folder / "00000.png")
        Image.new("L", (9, 9), 7).save(folder / "same.png")
        with (folder / "ecotaxa_run.tsv").open("a") as table:
            table.write("s\tsame.png\n")
        view = collected(library, folder, source_name=name)
    done = export(library, view, to=tmp_path / "out.zip", format="ecotaxa")
    assert (done["images"], done["objects"]) == (10, 8)
    rows = table_of(tmp_path / "out.zip")[2]
    assert len({found["img_file_name"].lower() for found in rows}) == 8
    found = [(f["object_id"], f["img_rank"], f["img_file_name"]) for f in rows[4:]]
    assert found == [
        ("x/o", "0", "2/00000.png"),
        ("x/o", "1", "sub/B.png"),
        ("x/s", "", "same.png"),
        ("y/o", "0", "3/00000.png"),
        ("y/o", "1", "sub/B.png"),
        ("y/s", "", "same.png"),
    ]
    again = collected(library, tmp_path / "out.zip", "again")
    hashes = library.catalogue.column(view.collection.uid, "content_hash")
    assert library.catalogue.column(again.collection.uid, "content_hash") == hashes


def test_some_images(library: Library, tmp_path: Path):
    view = collected(library, written(tmp_path / "cruise", ROWS, columns=MANY))
    to = tmp_path / "some.zip"
    done = export(library, view, to=to, format="ecotaxa", ids=["b", "a#2", "b", "unknown"])
    assert (done["images"], done["objects"]) == (2, 2)
    assert [found["object_id"] for found in table_of(to)[2]] == ["b", "a"]
    with pytest.raises(CoreError, match="there is no image to export"):
        export(library, view, to=to, format="ecotaxa", ids=[])
    assert len(table_of(to)[2]) == 2


@pytest.mark.slow
def test_clusters_go_along_when_asked_for(library: Library, tmp_path: Path, pictures: Pictures):
    view = collected(library, pictures(12))
    analysis.make_clustering(library, view, method="kmeans", k=2, name="two", seed=0)
    export(library, view, to=tmp_path / "a.zip", format="ecotaxa", clustering="two")
    _, types, rows = table_of(tmp_path / "a.zip")
    assert ({found["object_cluster"] for found in rows}, types["object_cluster"]) == (
        {"0", "1"},
        "[f]",
    )
    export(library, view, to=tmp_path / "b.zip", format="ecotaxa")
    assert "object_cluster" not in table_of(tmp_path / "b.zip")[1]
    with pytest.raises(CoreError, match="vectors do not fit a ecotaxa file"):
        export(library, view, to=tmp_path / "c.zip", format="ecotaxa", vectors=True)


def test_images_that_cannot_be_read_are_listed(
    library: Library, tmp_path: Path, pictures: Pictures
):
    folder = pictures(5)
    view = collected(library, folder)
    (folder / "00002.png").unlink()
    done = export(library, view, to=tmp_path / "a.zip", format="ecotaxa")
    assert (done["images"], done["skipped_count"]) == (4, 1)
    assert done["skipped"] == [{"id": "run/00002.png", "reason": "there is no such file"}]
    assert len(collected(library, tmp_path / "a.zip", "again").snapshot.ids) == 4
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(CoreError, match=r"none of 5 images can be read .there is no such file"):
        export(library, view, to=tmp_path / "b.zip", format="ecotaxa")
    assert sorted(each.name for each in tmp_path.glob("*.*")) == ["a.zip"]


def test_an_older_zip_is_replaced_whole_or_stays(
    library: Library, tmp_path: Path, pictures: Pictures
):
    view = collected(library, pictures(3))
    to = tmp_path / "a.zip"
    to.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # as on a full disk
    try:
        with pytest.raises(CoreError, match=r"cannot be written .*; choose another -o"):
            export(library, view, to=to, format="ecotaxa")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert to.read_text() == "old"
    assert [each.name for each in tmp_path.glob(".*")] == []
    with pytest.raises(CoreError, match=r"a\.tsv is no \.zip; EcoTaxa imports a zip"):
        export(library, view, to=tmp_path / "a.tsv", format="ecotaxa")


def test_what_ecotaxa_would_complain_of(library: Library, tmp_path: Path, pictures: Pictures):
    view = collected(library, pictures(2))
    texts = {f"t{n}": "x" * (251 if n == 0 else 3) for n in range(21)}
    for id, sample in zip(view.snapshot.ids, "ab", strict=True):
        describe(library, view, id, metadata=texts | {"acq_id": "q"}, sample=sample)
    notes = export(library, view, to=tmp_path / "a.zip", format="ecotaxa")["notes"]
    assert notes[0].startswith("21 columns of text describe objects and EcoTaxa takes 20")
    assert notes[1] == "2 texts are longer than the 250 letters EcoTaxa keeps."
    assert notes[2] == "1 acquisitions are of several samples, which EcoTaxa refuses: q."


def test_a_pixel_size_said_later_wins(library: Library, tmp_path: Path):
    folder = written(tmp_path / "cruise", ROWS, columns=MANY)
    view = collected(library, folder, um_per_px=3.25)
    export(library, view, to=tmp_path / "a.zip", format="ecotaxa")
    again = collected(library, tmp_path / "a.zip", "again")
    sizes = library.catalogue.column(again.collection.uid, "um_per_px")
    assert set(sizes.values()) == {3.25}
    rows = table_of(tmp_path / "a.zip")[2]
    assert {found["process_pixel"] for found in rows} == {"3.25"}
    ids = ("sample_id", "acq_id", "process_id")
    assert [[found[id] for id in ids] for found in rows[3:5]] == [
        ["", "cruise", "cruise"],  # EcoTaxa takes no pixel size of a process without a name
        ["", "", "p"],
    ]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["007", "[t]", "nan", "-1", "=1", '"', 'a"b', "'", "1,5", "\ufeffx", "\x85", "é"]
    ),
)
NAMES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["date", "depth", "lat", "object_id", "img_rank", "x", "X", "acq_id", "object_"]
    ),
)


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_metadata_comes_back(rows: Sequence[dict[str, Any]]):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("L", (2, 2)).save(folder / "x.png")
        images = [
            Row(f"run/{n}", f"{folder}/x.png", "", "", 2, 2, None, None, metadata)
            for n, metadata in enumerate(rows)
        ]
        export_ecotaxa(*bare(images), to=folder / "a.zip")  # type: ignore[arg-type]
        found = [r for r in open_source(str(folder / "a.zip")).refs() if isinstance(r, ImageRef)]
    assert [ref.id for ref in found] == [image.id for image in images]
    for ref, metadata in zip(found, rows, strict=True):
        left = [
            plain(v) for n, v in ref.metadata.items() if n not in ("object_id", "img_file_name")
        ]
        for name, value in metadata.items():
            if plain(value) in ("", "nan", "na", "inf", "infinity"):
                continue
            dated = name in ("date", "datetime", "timestamp")
            assert dated or plain(value) in left, (name, value, ref.metadata)


def plain(value: Any) -> str:
    """A value as a cell holds it; numbers by what they are worth."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(float(value))
    text = "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in value)
    text = " ".join(text.encode("utf-8", "replace").decode().split(" "))
    try:
        number = float(text)
    except ValueError:
        return " ".join(text.split()).lower()
    return repr(number) if math.isfinite(number) else text.strip().lower()


def bare(images: list[Row]) -> tuple[object, object]:
    """As much of a library and view as an export asks for, without a workspace."""

    class Nothing:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def execute(self, *_: object) -> list[Any]:
            return []

    class Bare:
        catalogue = collection = snapshot = property(lambda self: self)
        uid = name = "run"
        ids = property(lambda self: [image.id for image in images])

        def images(self, _uid: str, _ids: object) -> list[Row]:
            return images

        def options(self, _uid: str) -> dict[str, Any]:
            return {}

        def connect(self) -> Nothing:
            return Nothing()

    return Bare(), Bare()


@pytest.mark.slow
def test_the_command_line(command: Command, settings: Settings, tmp_path: Path):
    written(tmp_path / "cruise", ROWS, columns=MANY)
    done = command("index", str(tmp_path / "cruise"), "--collection", "c", "--json")
    assert json.loads(done.stdout)["indexed"] == 6, done.stderr
    to = tmp_path / "c.zip"
    done = command("export", "--collection", "c", "--format", "ecotaxa", "-o", str(to), "--json")
    assert json.loads(done.stdout)["images"] == 6, done.stderr
    assert len(table_of(to)[2]) == 6


@real
@pytest.mark.parametrize(
    ("folder", "count", "skips"),
    [
        ("import_test", 11, 0),
        ("import_mixed_states", 1, 0),
        ("import_just_predicted", 1, 0),
        ("import_issues/tsv_issues", 2, 4),
        (".", 16, 10),
    ],
)
def test_real_folders_there_and_back(
    library: Library, tmp_path: Path, folder: str, count: int, skips: int
):
    done = index(library, collection="real", source=str(ECOTAXA / folder))
    assert (done.indexed, done.skipped_count) == (count, skips), done.skipped
    view = library.vectors(library.catalogue.collection("real"))
    export(library, view, to=tmp_path / "out.zip", format="ecotaxa")
    again = collected(library, tmp_path / "out.zip", "again")
    there, back = known(library, view), known(library, again)
    # of one object only the second image can be used: alone, it is the first
    alone = "m106_mn04_n1_sml_409#2"
    assert (alone in there) == (folder == ".")
    assert back == {alone.removesuffix("#2") if id == alone else id: there[id] for id in there}
