"""What a source is, said before it is indexed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sources import open_source, preview
from core.sources.base import ImageRef, Skipped
from core.sources.preview import look
from tests.core.conftest import DATA, Pictures


class Listed:
    """A source of what a test says."""

    name, root, kind, noun = "run", "/data/run", "FlowCam run", "particles"

    def __init__(self, found: Sequence[ImageRef | Skipped], notes: Sequence[str] = ()) -> None:
        self.found, self._notes = found, notes
        self.passes = 0
        self.notes: Sequence[str] = ()

    def refs(self) -> Iterator[ImageRef | Skipped]:
        self.passes += 1
        yield from self.found
        self.notes = self._notes  # complete once refs has been read


def image(n: int, **more: Any) -> ImageRef:
    return ImageRef(f"run/{n}", f"{n}.png", **more)


def test_everything_is_counted_in_one_pass():
    source = Listed(
        [
            image(0, sample="a", label="Copepod", um_per_px=0.5, metadata={"date": "2020-03-04"}),
            Skipped("/data/run/x", "cut off", count=3),
            image(1, sample="b", label="Detritus", label_status="predicted", um_per_px=1.25),
            image(2, sample="b", metadata={"date": "20200301", "folder": "x"}),
            Skipped("/data/run/y", "empty"),
        ],
        notes=["the pixel size is assumed"],
    )
    seen = look(source)
    assert source.passes == 1
    assert (seen.kind, seen.noun, seen.name, seen.count) == ("FlowCam run", "particles", "run", 3)
    assert (seen.um_per_px, seen.sized) == ((0.5, 1.25), 2)
    assert (seen.samples.count, seen.samples.first) == (2, ("a", "b"))
    assert (seen.labelled, seen.validated, seen.labels.first) == (2, 1, ("Copepod", "Detritus"))
    assert seen.folders.first == ("x",)
    assert seen.dates == ("2020-03-01", "2020-03-04")
    assert (seen.skipped_count, [s.reason for s in seen.skipped]) == (4, ["cut off", "empty"])
    assert seen.notes == ("the pixel size is assumed",)
    assert [seen.uri(ref) for ref in seen.first] == [f"/data/run/{n}.png" for n in range(3)]
    assert seen.sentence() == (
        "FlowCam run, 3 particles in 2 samples, 0.5 to 1.25 µm/px (2 of them)"
    )


@pytest.mark.parametrize(
    "found, expected",
    [
        ([image(n, um_per_px=0.5544) for n in range(1000)], ", 1,000 particles, 0.55 µm/px"),
        ([image(0)], ", 1 particle"),
        ([Skipped("x", "empty")], ", no particles"),
        ([image(n, sample=str(n)) for n in range(2)], ", 2 particles in 2 samples"),
        ([image(0, um_per_px=1.0), image(1, um_per_px=1.0001)], ", 2 particles, 1 µm/px"),
        ([image(0, um_per_px=10.6)], ", 1 particle, 10.6 µm/px"),
        ([image(0, um_per_px=0.0566)], ", 1 particle, 0.057 µm/px"),
        ([image(0, um_per_px=100)], ", 1 particle, 100 µm/px"),
    ],
)
def test_the_sentence(found, expected):
    assert look(Listed(found)).sentence() == "FlowCam run" + expected


def test_only_the_first_pictures_and_reasons_are_kept():
    found = [image(n, sample=f"{n}", label="a") for n in range(300)]
    seen = look(Listed([*found, *[Skipped(f"{n}", "no") for n in range(200)]]))
    assert [ref.id for ref in seen.first] == [f"run/{n}" for n in range(12)]
    assert (len(seen.skipped), seen.skipped_count) == (preview.REASONS, 200)
    assert (seen.samples.count, len(seen.samples.first)) == (300, preview.NAMED)
    assert (seen.labels.count, seen.labelled) == (1, 300)
    assert [ref.id for ref in look(Listed(found), pictures=2).first] == ["run/0", "run/1"]


def test_a_column_in_which_every_image_has_its_own_is_counted_so_far(monkeypatch):
    monkeypatch.setattr(preview, "DISTINCT", 5)
    five = look(Listed([image(n, sample=f"{n % 5}") for n in range(50)]))
    assert (str(five.samples), five.samples.more) == ("5", False)
    many = look(Listed([image(n, sample=f"{n}") for n in range(50)]))
    assert "in more than 5 samples" in many.sentence()


@pytest.mark.parametrize(
    "metadata, expected",
    [
        ({"date": "2017-11-18"}, "2017-11-18"),
        ({"date": "2017-11-18T12:00:05Z"}, "2017-11-18"),
        ({"date": 20171118}, "2017-11-18"),
        ({"date": "11 Apr 2025", "object_date": "20250411"}, "2025-04-11"),
        ({"date": "2017-13-01"}, None),
        ({"date": "201711181"}, None),
        ({"date": True}, None),
        ({"object_annotation_date": "2020-01-01"}, None),
        ({}, None),
    ],
)
def test_a_day_is_read_where_one_is_written(metadata, expected):
    dates = look(Listed([image(0, metadata=metadata)])).dates
    assert dates == (None if expected is None else (expected, expected))


@given(st.text())
def test_any_text_may_stand_for_a_date(text):
    look(Listed([image(0, metadata={"date": text, "object_date": text})]))


def test_progress_is_told_and_may_end_it():
    told: list[int] = []
    look(Listed([image(n) for n in range(1_200)]), progress=told.append)
    assert told == [500, 1_000]

    class EnoughError(Exception):
        pass

    def enough(_n: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        look(Listed([image(n) for n in range(1_200)]), progress=enough)


def test_a_folder_and_a_zip_of_it(pictures: Pictures, tmp_path: Path):
    folder = pictures(15, folders=("Copepod", "Detritus"))
    (folder / "notes.txt").write_text("words")
    packed = tmp_path / "run.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder).as_posix())
    for where in (folder, packed):
        seen = look(open_source(str(where), um_per_px=2.0))
        assert seen.sentence().endswith(", 15 pictures, 2 µm/px")
        assert seen.name == "run"
        assert (seen.labelled, seen.folders.first) == (0, ("Copepod", "Detritus"))
        assert seen.skipped_count == 1
        assert len(seen.first) == 12
    labelled = look(open_source(str(folder), labels="folder"))
    assert (labelled.labelled, labelled.labels.count, labelled.folders.count) == (15, 2, 0)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not on this machine")
def test_real_pictures_by_folder():
    seen = look(open_source(str(DATA / "plankton_camera")))
    assert seen.noun == "pictures"
    assert seen.folders.count == 34
    assert seen.count == sum(1 for _ in (DATA / "plankton_camera").rglob("*.png"))
