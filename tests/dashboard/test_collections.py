"""Adding images on the Collections page: what is named is recognised before it is indexed."""

from __future__ import annotations

import base64
import os
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import jobs, sources
from core.errors import SourceError
from core.sources.base import ImageRef
from core.sources.preview import Look, Names, look
from dashboard import state
from dashboard.parts import adding, preview
from dashboard.parts.uploader import Uploaded
from tests.core.tiny_models import drawn
from tests.dashboard.conftest import HOSTILE, Open, buttons, said, without_exception

Started = list[list[str]]


@pytest.fixture
def started(clean: pytest.MonkeyPatch) -> Started:
    """The arguments of jobs that the page starts; none runs."""
    commands: Started = []

    def start(_settings: Any, arguments: list[str], *, title: str) -> None:
        commands.append([*arguments, title])

    clean.setattr(jobs, "start", start)
    return commands


@pytest.fixture
def folder(tmp_path: Path, clean: pytest.MonkeyPatch) -> Path:
    """Fourteen pictures in two folders, one file that is none, under the page's roots."""
    root = tmp_path / "mine" / "haul"
    for n, image in enumerate(drawn(14, seed=3)):
        path = root / ("Copepod", "Detritus")[n % 2] / f"{n:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "notes.txt").write_text("words")
    clean.setenv("PLANKTON_ROOTS", str(tmp_path / "mine"))
    return root


def name(at: AppTest, where: Path | str) -> AppTest:
    field = next(i for i in at.text_input if "Folder, zip or table" in i.label)
    return without_exception(field.set_value(str(where)).run())


def index(at: AppTest) -> AppTest:
    return without_exception(next(b for b in at.button if b.label == "Index").click().run())


def labels_of(at: AppTest) -> set[str]:
    return {s.label for s in at.selectbox}


def text(at: AppTest) -> str:
    return said(at).replace("\\", "")


def test_a_folder_is_named_before_it_is_indexed(filled, folder, open_view: Open, started):
    at = open_view("collections")
    assert next(b for b in at.button if b.label == "Index").disabled
    assert "upload files" in text(at)
    name(at, folder)
    assert "Folder, 14 pictures. Index?" in text(at)
    assert "2 folders (Copepod, Detritus)" in text(at)
    assert any("Left aside, and why (1)" in e.label for e in at.expander)
    assert {"Labels", "Samples"} <= labels_of(at)
    field = next(i for i in at.text_input if i.label == "Collection")
    assert field.value == "haul"
    index(at)
    assert started == [
        ["index", str(folder), "--collection", "haul", "--encoder", "descriptors", "--map",
         "--bounded", "--labels", "none", "--samples", "none", "Index haul"]
    ]  # fmt: skip


def test_what_is_chosen_goes_along(filled, folder, open_view: Open, started):
    at = name(open_view("collections"), folder)
    next(s for s in at.selectbox if s.label == "Labels").set_value("folder")
    at = next(n for n in at.number_input if "pixel" in n.label).set_value(0.5).run()
    index(at)
    (arguments,) = started
    assert arguments[arguments.index("--labels") + 1] == "folder"
    assert arguments[arguments.index("--um-per-px") + 1] == "0.5"


def test_a_checkpoint_lies_where_a_page_may_read(folder):
    own = folder / "own.safetensors"
    own.write_bytes(b"")
    adding.check_encoder(f"timm:resnet18@{own}")
    adding.check_encoder("openclip:ViT-B-32/laion2b_s34b_b79k")
    with pytest.raises(SourceError, match="may not be read from the page"):
        adding.check_encoder("timm:resnet18@/etc/hostname")


def test_a_zip_and_a_table_are_sources_too(filled, folder, open_view: Open, started):
    packed = folder.parent / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder).as_posix())
    at = name(open_view("collections"), packed)
    assert "14 pictures. Index?" in text(at)
    table = folder / "table.csv"
    table.write_text("uri,label,sample\nCopepod/00.png,Calanus,a\nDetritus/01.png,,b\n")
    name(at, table)
    assert "Table, 2 images in 2 samples. Index?" in text(at)
    assert "Labels come with it: 1 kind (Calanus)" in text(at)
    assert not {"Labels", "Samples"} & labels_of(at)
    index(at)
    assert started[0][1] == str(table)
    assert "--bounded" in started[0]


def test_a_table_on_the_page_names_files_of_its_own_folder_only(filled, folder, open_view: Open):
    secret = folder.parent / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    for uri in (str(secret), "../secret.png", "Copepod/../../secret.png"):
        table = folder / "table.csv"
        table.write_text(f"uri\nCopepod/00.png\n{uri}\n")
        at = name(open_view("collections"), table)
        assert "Table, 1 image. Index?" in text(at)
        assert any("Left aside, and why (1)" in e.label for e in at.expander)


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/x/", "ftp://example.org/x", "s3://"])
def test_an_address_that_may_not_be_read_is_one_sentence(filled, open_view: Open, where):
    at = name(open_view("collections"), where)
    assert len(at.error) == 1
    assert "\n" not in at.error[0].value
    assert next(b for b in at.button if b.label == "Index").disabled
    assert "Look again" in buttons(at)


def test_an_empty_folder_is_one_sentence_until_it_is_looked_at_again(
    filled, folder, open_view: Open
):
    empty = folder.parent / "later"
    empty.mkdir()
    (empty / "inside").mkdir()
    at = name(open_view("collections"), empty)
    assert "it is empty" in at.error[0].value.replace("\\", "")
    Image.new("RGB", (9, 9)).save(empty / "inside" / "a.png")
    without_exception(next(b for b in at.button if b.label == "Look again").click().run())
    assert not at.error
    assert "Folder, 1 picture. Index?" in text(at)


def test_a_name_taken_in_the_collection_asks_for_another(filled, folder, open_view, started):
    other = folder.parent / "other" / "run"  # the collection "run" has its images from "run"
    other.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(other / "a.png")
    at = name(open_view("collections"), other)
    field = next(i for i in at.text_input if i.label == "Name of these images")
    assert field.value == "run-2"
    index(at)
    assert started[0][-3:-1] == ["--source-name", "run-2"]


def test_a_picture_that_cannot_be_read_is_an_empty_tile(filled, folder):
    (folder / "Copepod" / "00.png").write_bytes(b"no picture")
    (folder / "Copepod" / HOSTILE).write_bytes(b"")
    found = look(sources.open_source(str(folder)))
    tiles = preview._tiles(found)
    assert len(tiles) == 12
    broken = [tile for tile in tiles if not tile.thumb]
    assert {tile.title for tile in broken} == {"00.png", HOSTILE}
    assert all(tile.lines[0] for tile in broken)
    whole = next(tile for tile in tiles if tile.thumb)
    assert whole.thumb.startswith("data:image/webp;base64,")
    assert whole.width and whole.height
    assert len(whole.thumb) < 40_000


def test_a_folder_is_looked_at_once(filled, folder, open_view: Open, clean):
    opened: list[str] = []
    real = sources.open_source

    def counting(where: str, **how: Any) -> Any:
        assert how["bounded"] is True
        opened.append(where)
        return real(where, **how)

    clean.setattr(sources, "open_source", counting)
    at = name(open_view("collections"), folder)
    next(i for i in at.text_input if i.label == "Collection").set_value("a").run()
    next(n for n in at.number_input if "pixel" in n.label).set_value(2.0).run()
    assert opened == [str(folder)]


def test_a_look_that_takes_long_says_so(filled, folder, open_view: Open, clean):
    real = sources.open_source

    def slow(where: str, **how: Any) -> Any:
        time.sleep(1.5)
        return real(where, **how)

    clean.setattr(sources, "open_source", slow)
    at = name(open_view("collections"), folder)
    assert "14 pictures" in text(at)


def test_a_fault_of_ours_is_not_passed_over(filled, folder, open_view: Open, clean):
    def broken(_where: str, **_how: Any) -> Any:
        raise KeyError("our fault")

    clean.setattr(sources, "open_source", broken)
    at = open_view("collections")
    field = next(i for i in at.text_input if "Folder, zip or table" in i.label)
    at = field.set_value(str(folder)).run()
    assert at.exception


def made_look(**more: Any) -> Look:
    told: dict[str, Any] = {
        "kind": "Folder", "noun": "pictures", "name": "x", "root": "/x", "count": 3,
        "um_per_px": None, "sized": 0, "samples": Names(), "labels": Names(), "folders": Names(),
        "labelled": 0, "validated": 0, "dates": None, "skipped": (), "skipped_count": 0,
        "notes": (), "first": (ImageRef("x/a", "a"),),
    }  # fmt: skip
    return Look(**{**told, **more})


def test_what_comes_along_is_told():
    found = made_look(
        labels=Names(12, ("Copepod", "Detritus")), labelled=3, validated=2,
        samples=Names(1, ("a",)), dates=("2020-01-01", "2020-02-01"),
    )  # fmt: skip
    assert preview._facts(found) == [
        "Labels come with it: 12 kinds (Copepod, Detritus, ...), 2 of 3 validated",
        "1 sample (a)",
        "2020-01-01 to 2020-02-01",
    ]
    assert preview._facts(made_look(samples=Names(9, ("a",), more=True))) == [
        "more than 9 samples (a, ...)"
    ]


def test_nothing_found_is_not_asked_about(filled, folder, open_view: Open):
    table = folder / "table.csv"
    table.write_text("uri\n/etc/hosts\n")
    at = name(open_view("collections"), table)
    assert "Table, no images." in text(at)
    assert "Index?" not in text(at)
    assert next(b for b in at.button if b.label == "Index").disabled


@pytest.mark.parametrize(
    "size, shown",
    [(None, "unknown"), ((0.5544, 0.5544), "0.5544"), ((0.5, 1.0), "0.5 to 1")],
)
def test_the_pixel_size_found_stands_in_the_empty_field(size, shown):
    assert preview.pixel_size(made_look(um_per_px=size)) == shown
    assert preview.pixel_size(None) == "unknown"


def test_what_was_uploaded_is_found_by_the_page(filled, folder, open_view: Open, clean, started):
    batch = "0123456789abcdef"
    home = state.library().workspace.uploads / batch
    home.mkdir(parents=True)
    for n in range(3):
        Image.new("RGB", (9, 9), (n, 0, 0)).save(home / f"cell{n}.png")
    clean.setattr(adding, "uploader", lambda *, key: Uploaded(batch, 3))
    at = open_view("collections")
    at.segmented_control[0].set_value("Upload")
    without_exception(at.run())
    assert "Folder, 3 pictures. Index?" in text(at)
    index(at)
    assert started[0][1] == str(home)
    assert started[0][-3:-1] == ["--source-name", "cell"]
    clean.setattr(adding, "uploader", lambda *, key: Uploaded("f" * 16, 3))
    without_exception(at.run())
    assert "choose the files again" in at.error[0].value


def test_the_page_sweeps_uploads_that_nothing_was_indexed_from(filled, open_view: Open):
    batch = state.library().workspace.uploads / "0123456789abcdef"
    batch.mkdir(parents=True)
    os.utime(batch, (1e9, 1e9))
    open_view("collections")
    assert not batch.exists()


def test_who_only_looks_sweeps_nothing(filled, open_view: Open, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    batch = state.library().workspace.uploads / "0123456789abcdef"
    batch.mkdir(parents=True)
    os.utime(batch, (1e9, 1e9))
    open_view("collections")
    assert batch.exists()


def test_deep_pictures_are_shown_on_one_scale(tmp_path):
    levels = np.linspace(100, 900, 1600).reshape(40, 40).astype(np.uint16)
    for n, part in enumerate((1.0, 1.0, 0.25)):
        Image.fromarray((levels * part).astype(np.uint16)).save(tmp_path / f"{n}.png")
    tiles = preview._tiles(look(sources.open_source(str(tmp_path))))
    shown = []
    for tile in tiles:
        data = base64.b64decode(tile.thumb.partition(",")[2])
        shown.append(np.asarray(Image.open(BytesIO(data)).convert("L")).mean())
    assert shown[0] > 80  # by their stated depth all of them were nearly black
    assert shown[0] == shown[1] > 2 * shown[2]


def test_files_left_aside_for_one_reason_are_one_line(clean):
    def page() -> None:
        from dashboard.parts.aside import left_aside

        many = [(f"/run/a/{n}.tif", "it is damaged", 1) for n in range(5)]
        rows = [(f"/run/{n}.png", f"t.csv, line {n}, column uri: it is missing", 1) for n in (2, 3)]
        left_aside([*many, *rows, ("/run/b.adc", "99 triggers without a picture", 99)])

    at = without_exception(AppTest.from_function(page).run())
    (table,), (every,) = at.table, at.dataframe
    assert table.value.to_dict("list") == {
        "Why": ["99 triggers without a picture", "it is damaged", "it is missing"],
        "Number": ["99", "5", "2"],
        "Files": [
            "b.adc",
            "a/0.tif, a/1.tif, a/2.tif and 2 more",
            "2.png \\(t.csv, line 2, column uri\\), 3.png \\(t.csv, line 3, column uri\\)",
        ],
    }
    assert len(every.value) == 8
    assert "In /run/" in text(at)


@pytest.mark.parametrize(
    "told, said",
    [("{}/notes.txt is no picture", "notes.txt is no picture"),
     ("{} is empty", "what was uploaded is empty"),
     ("/mine/notes.txt is no picture", "/mine/notes.txt is no picture")],
)  # fmt: skip
def test_an_upload_is_not_called_by_its_place_on_the_server(filled, told, said):
    batch = state.library().workspace.uploads / "0123456789abcdef"
    assert str(preview._of_the_sender(SourceError(told.format(batch)))) == said
