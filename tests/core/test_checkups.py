"""Checking a collection: what is kept, what still stands after people decided, the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import checkups, labels
from core.__main__ import main
from core.indexing import index
from core.labels import CHECK, Decision
from core.library import Library, View
from core.settings import Settings
from tests.core.prepared import answer
from tests.mistaken import Mistaken, mistaken


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mistaken]:
    base = tmp_path_factory.mktemp("checkups")
    found = mistaken(base)
    library = Library.open(Settings(workspace=base / "workspace"))
    index(library, collection="run", source=str(found.folder), labels_from="folder")
    library.close()
    return base / "workspace", found


@pytest.fixture
def library(made, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(made[0], tmp_path / "workspace")
    opened = Library.open(Settings(workspace=tmp_path / "workspace"))
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


def test_what_lies_in_a_wrong_folder_is_found_and_kept(library: Library, view: View, made):
    assert checkups.kept(library, view) is None
    checkup = checkups.check(library, view, seed=0)
    found = {each.id: (each.label, each.likelier) for each in checkup.checked.mistakes}
    wrong, pair = made[1].wrong, made[1].pair
    assert set(wrong) <= {each.id for each in checkup.checked.mistakes[:6]}
    assert found["run/copepod/002.png"] == wrong["run/copepod/002.png"]
    assert [group.ids for group in checkup.checked.duplicates] == [pair]
    assert checkups.kept(library, view) == checkup
    assert checkups.is_current(library, view, checkup)
    assert checkups.is_quick(library, view)


def test_what_people_decide_since_stands_no_more(library: Library, view: View, made):
    checkup = checkups.check(library, view, seed=0)
    catalogue, uid = library.catalogue, view.collection.uid
    (first, second), pair = sorted(made[1].wrong), made[1].pair
    labels.record(catalogue, uid, [Decision(first, "chaetoceros")], by="ann", how=CHECK)
    label = made[1].wrong[second][0]
    kept = labels.record(catalogue, uid, [Decision(second, label)], by="ann", how=CHECK)
    labels.record(catalogue, uid, [Decision(pair[1], "ciliate", "dubious")], by="ann", how=CHECK)
    assert not checkups.is_current(library, view, checkup)
    now = checkups.standing(library, view, checkup)
    left = {each.id for each in now.mistakes}
    assert not left & {first, second, pair[1]}
    assert left
    assert now.duplicates == []
    assert all(pair[1] not in each.between for each in now.overlaps)
    again = checkups.check(library, view, seed=0).checked
    assert second not in {each.id for each in again.mistakes}  # confirmed: not asked again
    labels.undo(catalogue, uid, kept, by="ann")
    assert second in {each.id for each in checkups.standing(library, view, checkup).mistakes}
    assert second in {each.id for each in checkups.check(library, view, seed=0).checked.mistakes}


def test_only_validated_labels_count(library: Library, view: View):
    catalogue, uid = library.catalogue, view.collection.uid
    every = labels.current(catalogue, uid)
    open_ = [Decision(id, each.label, "predicted") for id, each in list(every.items())[:100]]
    labels.record(catalogue, uid, open_, by="ann")
    checked = checkups.check(library, view, seed=0).checked
    assert checked.labelled == len(every) - 100
    assert "needs 60 labels" in checked.why["mistakes"]


@pytest.mark.parametrize("damage", ["{", '{"format": 99}', '{"format": 1}', "[]"])
def test_a_check_that_cannot_be_read_is_none(library: Library, view: View, damage: str):
    checkups.check(library, view, seed=0)
    (path,) = library.workspace.root.rglob("check.json")
    path.write_text(damage)
    assert checkups.kept(library, view) is None


def test_on_the_command_line(library: Library, made, capsys: pytest.CaptureFixture[str]):
    where = ["--collection", "run", "--json", "--workspace", str(library.workspace.root)]
    capsys.readouterr()
    found = answer(capsys, main(["labels", "check", *where]))
    id = "run/copepod/002.png"
    first = next(each for each in found["mistakes"] if each["id"] == id)
    assert (first["label"], first["likelier"]) == made[1].wrong[id]
    assert 0 <= first["share"] < first["probability"] <= 1
    assert found["duplicates"][0]["ids"] == list(made[1].pair)
    assert found["newest_event"] > 0
    assert main(["labels", "check", "--within", "3", *where]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "within is 3.0; expected a distance of 0 to 2" in err.splitlines()[-1]
    json.dumps(found, allow_nan=False)
