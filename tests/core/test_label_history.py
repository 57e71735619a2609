"""The history as people read it: actions, who is who, what was taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from core import label_history, labels
from core.errors import RangeError
from core.labels import Decision
from core.library import Library

UID = "u"


@pytest.fixture
def told(library: Library) -> Library:
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision(id, "Salp") for id in "abcd"], by="import")
    labels.record(
        catalogue, UID,
        [Decision("a", "Copepod"), Decision("b", "Copepod"), Decision("c", "Salp", "dubious")],
        by="ann", how="selection",
    )  # fmt: skip
    labels.record(catalogue, "another", [Decision("a", "Other")], by="zoe")
    labels.record(catalogue, UID, [Decision("a", None, reason="no idea")], by="bo")
    return library


def brief(found: list[label_history.Action]) -> list[tuple[str, int]]:
    return [(each.by, each.images) for each in found]


def test_an_action_is_a_row_the_newest_first(told: Library):
    found = label_history.actions(told.catalogue, UID)
    assert brief(found) == [("bo", 1), ("ann", 3), ("import", 4)]
    assert found[0].said == ((None, "validated", 1),)
    assert found[0].reason == "no idea"
    assert found[1].said == (("Copepod", "validated", 2), ("Salp", "dubious", 1))
    assert found[1].how == "selection"
    assert found[1].some == (
        ("a", "Copepod", "validated"), ("b", "Copepod", "validated"), ("c", "Salp", "dubious"),
    )  # fmt: skip
    assert not any(each.taken_back for each in found)
    said = [Decision("a", "Krill", reason="one"), Decision("b", "Krill", reason="other")]
    labels.record(told.catalogue, UID, said, by="bo")
    assert label_history.actions(told.catalogue, UID)[0].reason is None  # not of all


def test_only_what_is_asked_for_counts(told: Library):
    def asked(**how) -> list[tuple[str, int]]:
        return brief(label_history.actions(told.catalogue, UID, **how))

    assert asked(image="a") == [("bo", 1), ("ann", 1), ("import", 1)]
    assert asked(by="ann") == [("ann", 3)]
    assert asked(label="Salp") == [("ann", 1), ("import", 4)]
    assert asked(status="dubious") == [("ann", 1)]
    assert asked(label="Krill") == []
    today = datetime.now(UTC).date()
    day = timedelta(days=1)
    assert len(asked(since=today - day, until=today + day)) == 3
    assert asked(since=today + day) == []
    assert asked(until=date(2020, 1, 1)) == []


def test_pages_go_on_where_the_last_ended(told: Library):
    first = label_history.actions(told.catalogue, UID, limit=2)
    labels.record(told.catalogue, UID, [Decision("d", "Krill")], by="cy")  # moves nothing
    rest = label_history.actions(told.catalogue, UID, limit=2, before=first[-1].event)
    assert brief(first + rest) == [("bo", 1), ("ann", 3), ("import", 4)]
    with pytest.raises(RangeError, match="limit is 0; expected 1 action or more"):
        label_history.actions(told.catalogue, UID, limit=0)


def test_what_was_taken_back_says_so_until_that_is_taken_back(told: Library):
    catalogue = told.catalogue
    last = labels.last_of(catalogue, UID, by="ann")
    found = {each.by: each.action for each in label_history.actions(catalogue, UID)}
    assert last == found["ann"]
    labels.undo_last(catalogue, UID, by="ann")
    now = label_history.actions(catalogue, UID)
    assert [each.by for each in now if each.taken_back] == ["ann"]
    assert now[0].how == "undo"
    assert labels.last_of(catalogue, UID, by="ann") is None
    labels.undo(catalogue, UID, now[0].action, by="ann")
    assert not any(
        each.taken_back for each in label_history.actions(catalogue, UID) if each.how != "undo"
    )


def test_people_have_a_number_that_stays(told: Library):
    found = label_history.people(told.catalogue, UID)
    assert [(p.by, p.number, p.actions, p.events, p.images) for p in found] == [
        ("import", 1, 1, 4, 4), ("ann", 2, 1, 3, 3), ("bo", 3, 1, 1, 1),
    ]  # fmt: skip
    labels.record(told.catalogue, UID, [Decision("d", "Krill")], by="aa")
    assert label_history.numbers(told.catalogue, UID) == {"import": 1, "ann": 2, "bo": 3, "aa": 4}


def test_every_name_that_was_ever_said(told: Library):
    assert label_history.names(told.catalogue, UID) == ["Copepod", "Salp"]
    assert label_history.names(told.catalogue, "nothing") == []


def test_confirmed_is_what_a_check_said_last(told: Library):
    catalogue = told.catalogue
    done = labels.record(catalogue, UID, [Decision("b", "Copepod")], by="ann", how=labels.CHECK)
    labels.record(catalogue, UID, [Decision("c", "Salp", "dubious")], by="ann", how=labels.CHECK)
    assert labels.confirmed(catalogue, UID) == {"b"}
    labels.undo(catalogue, UID, done, by="ann")
    assert labels.confirmed(catalogue, UID) == set()
