"""Names of labels: which are in use, other names for them, likely typos."""

from __future__ import annotations

import pytest

from core import labels, vocabulary
from core.errors import NotFoundError, RangeError
from core.labels import Decision
from core.library import Library
from core.vocabulary import Name, close_to

UID = "u"


@pytest.fixture
def named(library: Library) -> Library:
    said = [
        Decision("a", "Copepod", "predicted", 0.7),
        Decision("b", "copepods"),
        Decision("c", "Salp"),
        Decision("d", "Copepod"),
    ]
    labels.record(library.catalogue, UID, said, by="ann")
    labels.record(library.catalogue, UID, [Decision("e", "Bubble")], by="ann")
    labels.record(library.catalogue, UID, [Decision("e", None)], by="ann")
    return library


def test_names_in_use_and_their_counts(named: Library):
    assert vocabulary.names(named.catalogue, UID) == [
        Name("Copepod", 2, 1), Name("Salp", 1, 1), Name("copepods", 1, 1),
    ]  # fmt: skip
    assert vocabulary.names(named.catalogue, "other") == []


def test_another_name_is_an_action_that_keeps_the_history(named: Library):
    catalogue = named.catalogue
    done = vocabulary.rename(catalogue, UID, "Copepod", "Copepoda", by="me")
    assert done.images == 2
    now = labels.current(catalogue, UID)
    assert {id: said.label for id, said in now.items()} == {
        "a": "Copepoda", "b": "copepods", "c": "Salp", "d": "Copepoda",
    }  # fmt: skip
    first, last = labels.history(catalogue, UID, "a")
    assert (first["label"], first["by"]) == ("Copepod", "ann")
    assert (last["status"], last["confidence"], last["by"]) == ("predicted", 0.7, "me")
    assert (last["how"], last["reason"], last["action"]) == (
        "rename", "rename of Copepod", done.action,
    )  # fmt: skip
    assert labels.undo_last(catalogue, UID, by="me").restored == ("a", "d")
    assert labels.current(catalogue, UID)["d"].label == "Copepod"


def test_several_become_one(named: Library):
    catalogue = named.catalogue
    done = vocabulary.merge(catalogue, UID, ["copepods", "Copepod"], "Copepod", by="me")
    assert done.images == 1  # the two others are called so already
    assert [(n.name, n.images) for n in vocabulary.names(catalogue, UID)] == [
        ("Copepod", 3), ("Salp", 1),
    ]  # fmt: skip
    assert labels.history(catalogue, UID, "b")[-1]["how"] == "merge"
    labels.undo(catalogue, UID, done.action, by="me")
    assert labels.current(catalogue, UID)["b"].label == "copepods"
    both = vocabulary.merge(catalogue, UID, ["copepods", "Copepod"], "Copepoda", by="me")
    assert both.images == 3


def test_names_that_will_not_do(named: Library):
    catalogue = named.catalogue
    with pytest.raises(NotFoundError, match="no image has the label 'Copepo'; did you mean"):
        vocabulary.rename(catalogue, UID, "Copepo", "Copepoda", by="me")
    with pytest.raises(NotFoundError, match="no image has the label 'Bubble'"):
        vocabulary.merge(catalogue, UID, ["Salp", "Bubble"], "Salp", by="me")
    with pytest.raises(RangeError, match="'copepods' already; merge the two, or choose"):
        vocabulary.rename(catalogue, UID, "Copepod", "copepods", by="me")
    with pytest.raises(RangeError, match="that is its name already"):
        vocabulary.rename(catalogue, UID, "Salp", "Salp", by="me")
    with pytest.raises(RangeError, match="nothing is to become 'Salp'"):
        vocabulary.merge(catalogue, UID, ["Salp"], "Salp", by="me")
    for name in ("", " Salp", "Sa\nlp", "x" * 201):
        with pytest.raises(RangeError, match="expected 1 to 200 printable characters"):
            vocabulary.rename(catalogue, UID, "Salp", name, by="me")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Copepod", "copepods"),
        ("Copepoda", "Copepod"),
        ("larva", "Larvae"),
        ("fecal pellet", "fecal_pellets"),
        ("Chaetocerus", "Chaetoceros"),
        ("Thalasiosira", "Thalassiosira"),
        ("detritus-fibre", "Detritus fibres"),
        ("Noctilúca", "Noctiluca"),
    ],
)
def test_likely_typos(name: str, known: str):
    assert close_to(name, ["Salp", known]) == [known]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Copepod", "Copepod"),
        ("sp1", "sp2"),
        ("male", "female"),
        ("Ceratium fusus", "Ceratium furca"),
        ("Acantharia", "Acartia"),
        ("Peridinium", "Protoperidinium"),
        ("Copepod", "Detritus"),
    ],
)
def test_other_names(name: str, known: str):
    assert close_to(name, [known]) == []


def test_the_likeliest_comes_first():
    known = ["Copepoda nauplius", "copepods", "Copepodid", "Copepoda"]
    assert close_to("Copepod", known)[0] == "copepods"
