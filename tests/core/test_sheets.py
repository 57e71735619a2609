"""Contact sheets and tables of what was found or gathered."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import matching, sheets
from core.errors import CoreError, RangeError
from core.images import contact_sheet, decode_image
from core.indexing import index
from core.library import Library, View
from tests.core.conftest import Command, Pictures


@pytest.fixture
def view(library: Library, pictures: Pictures) -> View:
    index(library, collection="run", source=str(pictures(8, folders=("Copepod", "Detritus"))))
    return library.vectors(library.catalogue.collection("run"))


def test_a_sheet_holds_every_picture(library: Library, view: View, tmp_path: Path):
    uid = view.collection.uid
    images = library.catalogue.images(uid)
    done = sheets.write_sheet(library, uid, images, to=tmp_path / "sheet.png")
    assert done == {"file": str(tmp_path / "sheet.png"), "format": "sheet", "images": 8}
    with Image.open(tmp_path / "sheet.png") as large:
        assert large.format == "PNG" and large.width > 6 * sheets.TILE
    Path(images[0].uri).unlink()  # its thumbnail is there
    again = sheets.selection_sheet(library, uid, images)
    assert again == (tmp_path / "sheet.png").read_bytes()


def test_too_many_images_are_no_sheet(
    library: Library, view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sheets, "MOST", 7)
    images = library.catalogue.images(view.collection.uid)
    with pytest.raises(RangeError, match="8 images are too many for one sheet"):
        sheets.write_sheet(library, view.collection.uid, images, to=tmp_path / "sheet.png")
    with pytest.raises(CoreError, match="choose another -o"):
        to = tmp_path / "nowhere" / "sheet.png"
        sheets.write_sheet(library, view.collection.uid, images[:2], to=to)


def test_matches_as_a_table_and_a_sheet(library: Library, view: View):
    result = matching.similar_to_id(library, view, "run/Copepod/00000.png", k=3)
    text = sheets.matches_csv(result).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == [match.image.id for match in result.matches]
    assert float(rows[0]["distance"]) == 0
    picture = sheets.matches_sheet(library, view.collection.uid, result)
    assert decode_image(picture, name="sheet").shape[1] > sheets.TILE


@pytest.mark.slow
def test_the_command_line_exports_what_a_file_names(
    library: Library, view: View, command: Command, tmp_path: Path
):
    ids = ["run/Detritus/00003.png", "run/Copepod/00000.png"]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    chosen = ("--ids-from", str(tmp_path / "ids.txt"), "--json")
    for kind in ("csv", "zip", "sheet"):
        to = ("--format", kind, "-o", str(tmp_path / f"out.{kind}"))
        ran = command("export", "--collection", "run", *to, *chosen)
        assert json.loads(ran.stdout)["images"] == 2, ran.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text("utf-8"))))
    assert [row["id"] for row in rows] == ids
    refused = command("export", "--collection", "run", *to, "--vectors")
    assert refused.returncode == 2 and "--vectors is for tables" in refused.stderr
    (tmp_path / "ids.txt").write_text("run/none.png\n")
    refused = command("export", "--collection", "run", *to, *chosen)
    assert refused.returncode == 2 and "the collection has not" in refused.stderr


def test_names_that_begin_alike_are_told_apart_by_their_ends():
    picture = np.full((20, 20, 3), 90, np.uint8)
    begin = "D20220519T124533_IFCB134_of_a_long_cruise_"
    one, other = (contact_sheet([picture], [f"{begin}{i}"], tile=60) for i in ("00001", "00847"))
    assert one != other
