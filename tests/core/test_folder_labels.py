"""Names of folders as labels, after images were brought in without them."""

from __future__ import annotations

from core import labels
from core.folder_labels import folder_labels
from core.indexing import index
from core.labels import Decision
from core.library import Library
from tests.core.conftest import Pictures

FOLDERS = ("Copepod", "day 1/Detritus")


def test_each_image_without_a_label_gets_its_folder(library: Library, pictures: Pictures):
    folder = pictures(7, folders=FOLDERS)
    assert index(library, collection="run", source=str(folder)).indexed == 7
    uid = library.catalogue.collection("run").uid
    said = folder_labels(library, uid)
    assert len(said) == 7 and {each.status for each in said} == {"validated"}
    for each in said:
        assert each.label == each.image.split("/")[-2]
    labels.record(library.catalogue, uid, [Decision(said[0].image, "Acartia")], by="Ada")
    left = folder_labels(library, uid)
    assert [each.image for each in left] == [each.image for each in said[1:]]
    labels.record(library.catalogue, uid, left, by="Ada")
    assert folder_labels(library, uid) == []
    known = labels.current(library.catalogue, uid)
    assert known[said[0].image].label == "Acartia" and len(known) == 7


def test_as_when_they_are_asked_for_at_once(library: Library, pictures: Pictures):
    folder = pictures(6, folders=FOLDERS)
    index(library, collection="plain", source=str(folder))
    index(library, collection="asked", source=str(folder), labels_from="folder")
    plain, asked = (library.catalogue.collection(name).uid for name in ("plain", "asked"))
    assert {each.image: each.label for each in folder_labels(library, plain)} == {
        id: label.label for id, label in labels.current(library.catalogue, asked).items()
    }


def test_one_folder_tells_nothing_apart(library: Library, pictures: Pictures):
    index(library, collection="one", source=str(pictures(3, folders=("all",))))
    index(library, collection="none", source=str(pictures(3, name="flat")))
    for name in ("one", "none"):
        assert folder_labels(library, library.catalogue.collection(name).uid) == []
