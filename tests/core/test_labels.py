"""The label history: append-only, and on disk before anybody is told."""

from __future__ import annotations

import sqlite3

import pytest

from core import labels
from core.errors import CoreError, NotFoundError
from core.labels import Decision
from core.library import Library

UID = "u"


def test_the_newest_event_is_current_and_none_is_lost(library: Library):
    first = labels.record(library.catalogue, UID, [Decision("a", "Copepod")], by="import")
    second = labels.record(
        library.catalogue,
        UID,
        [Decision("a", "Detritus", "dubious", confidence=0.5, reason="blurred")],
        by="me",
        how="bulk",
    )
    now = labels.current(library.catalogue, UID)["a"]
    assert (now.label, now.status, now.by) == ("Detritus", "dubious", "me")
    events = labels.history(library.catalogue, UID, "a")
    assert [e["label"] for e in events] == ["Copepod", "Detritus"]
    assert [e["action"] for e in events] == [first, second]
    assert first != second
    assert events[1] | {"event": 0, "at": "", "action": ""} == {
        "event": 0,
        "collection": UID,
        "image": "a",
        "label": "Detritus",
        "status": "dubious",
        "by": "me",
        "at": "",
        "how": "bulk",
        "confidence": 0.5,
        "reason": "blurred",
        "action": "",
    }


def test_a_label_taken_away_is_an_event_too(library: Library):
    labels.record(library.catalogue, UID, [Decision("a", "Copepod")], by="me")
    labels.record(library.catalogue, UID, [Decision("a", None)], by="me")
    assert labels.current(library.catalogue, UID) == {}
    assert len(labels.history(library.catalogue, UID, "a")) == 2


def test_one_action_is_whole_or_nothing(library: Library):
    decisions = [Decision("a", "Copepod"), Decision("b", "Copepod", "certain")]
    with pytest.raises(CoreError, match=r"status is 'certain'; expected one of validated, dub"):
        labels.record(library.catalogue, UID, decisions, by="me")
    assert labels.history(library.catalogue, UID, "a") == []


@pytest.mark.parametrize("label", ["", "  "])
def test_an_empty_label(library: Library, label: str):
    with pytest.raises(CoreError, match="a label is empty; expected a name"):
        labels.record(library.catalogue, UID, [Decision("a", label)], by="me")


def test_nothing_decided_writes_nothing(library: Library):
    labels.record(library.catalogue, UID, [], by="me")
    assert labels.revision(library.catalogue, UID) == 0


def test_collections_do_not_see_each_other(library: Library):
    labels.record(library.catalogue, UID, [Decision("a", "Copepod")], by="me")
    assert labels.current(library.catalogue, "other") == {}
    assert labels.history(library.catalogue, "other", "a") == []


def test_the_revision_grows_with_every_event(library: Library):
    seen = [labels.revision(library.catalogue, UID)]
    for label in ("x", None):
        labels.record(library.catalogue, UID, [Decision("a", label)], by="me")
        seen.append(labels.revision(library.catalogue, UID))
    assert seen == sorted(set(seen))


def test_it_is_on_disk_when_it_returns(library: Library):
    """Another connection sees it while ours is still open, and the file is synced on commit."""
    labels.record(library.catalogue, UID, [Decision("a", "Copepod")], by="me")
    with sqlite3.connect(library.workspace.catalogue) as other:
        assert other.execute("select label from label_events").fetchall() == [("Copepod",)]
    other.close()
    with library.catalogue.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_many_decisions_at_once(library: Library):
    every = [Decision(f"i{n}", "Copepod") for n in range(40_000)]
    labels.record(library.catalogue, UID, every, by="me", how="bulk")
    assert len(labels.current(library.catalogue, UID)) == 40_000
    some = [f"i{n}" for n in range(0, 40_000, 20)]  # more than one query takes
    assert list(labels.current(library.catalogue, UID, some)) == some
    assert labels.current(library.catalogue, UID, ["nobody"]) == {}
    assert labels.current(library.catalogue, UID, []) == {}


def test_undo_says_again_what_was_said_before(library: Library):
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision("a", "Copepod", "predicted", 0.7)], by="import")
    action = labels.record(
        catalogue, UID, [Decision("a", "Bubble"), Decision("b", "Bubble")], by="me"
    )
    labels.record(catalogue, UID, [Decision("c", "Bubble")], by="you")
    undone = labels.undo(catalogue, UID, action, by="me")
    assert undone.restored == ("a", "b")
    assert undone.decided_since == ()
    now = labels.current(catalogue, UID)
    assert set(now) == {"a", "c"}
    assert (now["a"].label, now["a"].status, now["a"].by) == ("Copepod", "predicted", "me")
    events = labels.history(catalogue, UID, "a")
    assert [event["how"] for event in events] == ["single", "single", "undo"]
    assert events[-1]["confidence"] == 0.7
    assert action in events[-1]["reason"]


def test_undo_leaves_what_somebody_decided_since(library: Library):
    catalogue = library.catalogue
    both = [Decision("a", "Bubble"), Decision("b", "Bubble")]
    action = labels.record(catalogue, UID, both, by="me")
    labels.record(catalogue, UID, [Decision("b", "Copepod")], by="you")
    undone = labels.undo(catalogue, UID, action, by="me")
    assert (undone.restored, undone.decided_since) == (("a",), ("b",))
    assert {id: label.label for id, label in labels.current(catalogue, UID).items()} == {
        "b": "Copepod"
    }
    with pytest.raises(NotFoundError, match="no action 'none' to undo"):
        labels.undo(catalogue, UID, "none", by="me")
