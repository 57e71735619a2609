"""The label history: append-only, and on disk before anybody is told."""

from __future__ import annotations

import secrets
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    assert (undone.restored, [s.image for s in undone.decided_since]) == (("a",), ["b"])
    assert {id: label.label for id, label in labels.current(catalogue, UID).items()} == {
        "b": "Copepod"
    }
    with pytest.raises(NotFoundError, match="no action 'none' to undo"):
        labels.undo(catalogue, UID, "none", by="me")


def test_what_others_decided_since_one_looked_is_told_and_stays(library: Library):
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision("a", "Copepod")], by="import")
    seen = labels.revision(catalogue, UID)
    labels.record(catalogue, UID, [Decision("a", "Nauplius"), Decision("b", "Salp")], by="you")
    labels.record(catalogue, UID, [Decision("d", "Rod")], by="me")
    said = [Decision(id, "Bubble") for id in "acd"] + [Decision("b", "Salp")]
    done = labels.decide(catalogue, UID, said, by="me", how="selection", seen=seen)
    (conflict,) = done.conflicts  # b is agreed upon, d is one's own
    assert (conflict.image, conflict.label, conflict.status, conflict.by) == (
        "a", "Nauplius", "validated", "you",
    )  # fmt: skip
    assert done.events == 3
    assert labels.current(catalogue, UID)["a"].by == "you"
    again = labels.decide(catalogue, UID, said[:1], by="me", seen=labels.revision(catalogue, UID))
    assert (again.events, again.conflicts) == (1, ())
    assert labels.current(catalogue, UID)["a"].label == "Bubble"
    assert len(labels.history(catalogue, UID, "a")) == 3


def test_without_what_was_seen_nothing_is_a_conflict(library: Library):
    labels.record(library.catalogue, UID, [Decision("a", "Salp")], by="you")
    done = labels.decide(library.catalogue, UID, [Decision("a", "Rod")], by="me")
    assert (done.events, done.conflicts) == (1, ())


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_an_impossible_confidence(library: Library, confidence: float):
    said = [Decision("a", "Salp", confidence=confidence)]
    with pytest.raises(CoreError, match=r"the confidence is .*; expected 0 to 1"):
        labels.record(library.catalogue, UID, said, by="me")


def test_nobody_cannot_decide(library: Library):
    with pytest.raises(CoreError, match="nobody said this: expected the name"):
        labels.record(library.catalogue, UID, [Decision("a", "Salp")], by=" ")


def said_of(library: Library, image: str) -> str | None:
    return labels.latest(library.catalogue, UID)[image].label


def test_ones_own_actions_are_taken_back_one_after_the_other(library: Library):
    catalogue = library.catalogue
    first = labels.record(catalogue, UID, [Decision("a", "Salp"), Decision("b", "Salp")], by="me")
    labels.record(catalogue, UID, [Decision("c", "Rod")], by="you")
    second = labels.record(catalogue, UID, [Decision("a", "Disc")], by="me")
    done = labels.undo_last(catalogue, UID, by="me")
    assert (done.action, done.restored, done.decided_since) == (second, ("a",), ())
    assert said_of(library, "a") == "Salp"
    done = labels.undo_last(catalogue, UID, by="me")
    assert (done.action, done.restored, done.decided_since) == (first, ("a", "b"), ())
    assert [said_of(library, id) for id in "abc"] == [None, None, "Rod"]
    with pytest.raises(NotFoundError, match="nothing by 'me' in this collection to take back"):
        labels.undo_last(catalogue, UID, by="me")


def test_the_last_action_is_told_whose_images_others_decided_since(library: Library):
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision("a", "Salp"), Decision("b", "Salp")], by="me")
    labels.record(catalogue, UID, [Decision("b", "Rod", "dubious")], by="you")
    done = labels.undo_last(catalogue, UID, by="me")
    assert done.restored == ("a",)
    (since,) = done.decided_since
    assert (since.image, since.label, since.status, since.by) == ("b", "Rod", "dubious", "you")
    assert said_of(library, "b") == "Rod"


def test_an_undo_is_taken_back_too(library: Library):
    catalogue = library.catalogue
    action = labels.record(catalogue, UID, [Decision("a", "Salp", confidence=0.5)], by="me")
    labels.undo_last(catalogue, UID, by="me")
    (event,) = labels.events(catalogue, UID, limit=1)
    assert labels.undo(catalogue, UID, event["action"], by="me").restored == ("a",)
    assert said_of(library, "a") == "Salp"
    assert labels.undo_last(catalogue, UID, by="me").action == action  # it stood again
    assert said_of(library, "a") is None


def test_what_was_decided_and_taken_back_since_is_no_obstacle(library: Library):
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision("a", "Salp")], by="me")
    labels.record(catalogue, UID, [Decision("a", "Rod")], by="you")
    labels.undo_last(catalogue, UID, by="you")
    assert labels.undo_last(catalogue, UID, by="me").restored == ("a",)
    assert said_of(library, "a") is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None])), max_size=8))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_as_many_undos_as_actions_lead_back_to_the_beginning(
    library: Library, said: list[tuple[str, str | None]]
):
    uid = secrets.token_hex(4)
    states = [labels.current(library.catalogue, uid)]
    for image, label in said:
        labels.record(library.catalogue, uid, [Decision(image, label)], by="me")
        states.append(labels.current(library.catalogue, uid))
    for state in reversed(states[:-1]):
        labels.undo_last(library.catalogue, uid, by="me")
        now = labels.current(library.catalogue, uid)
        assert {i: s.label for i, s in now.items()} == {i: s.label for i, s in state.items()}


def test_what_was_rejected_stays_known_until_it_is_taken_back(library: Library):
    catalogue, uid = library.catalogue, UID
    labels.record(catalogue, uid, [Decision("a", "x", "rejected")], by="Ada")
    first = labels.record(catalogue, uid, [Decision("a", "y", "rejected")], by="Bo")
    labels.record(catalogue, uid, [Decision("a", "z"), Decision("b", "x")], by="Ada")
    assert labels.turned_down(catalogue, uid) == {"a": {"x", "y"}}
    labels.undo_last(catalogue, uid, by="Ada")
    labels.undo(catalogue, uid, first, by="Bo")
    assert labels.turned_down(catalogue, uid) == {"a": {"x"}}
    labels.undo_last(catalogue, uid, by="Ada")
    assert labels.turned_down(catalogue, uid) == {}


def test_the_history_of_an_image_a_person_and_a_label_by_pages(library: Library):
    catalogue = library.catalogue
    for n in range(5):
        labels.record(catalogue, UID, [Decision("a", f"L{n % 2}")], by=f"p{n % 3}")
    labels.record(catalogue, UID, [Decision("b", "L0", "dubious")], by="p0")
    labels.record(catalogue, "other", [Decision("a", "L0")], by="p0")
    every = labels.events(catalogue, UID)
    assert [e["image"] for e in every] == ["b", *"aaaaa"]
    assert set(every[0]) == {"event", *labels.FIELDS}
    assert len(labels.events(catalogue, UID, image="a")) == 5
    assert [e["label"] for e in labels.events(catalogue, UID, by="p0")] == ["L0", "L1", "L0"]
    assert len(labels.events(catalogue, UID, label="L0")) == 4
    assert len(labels.events(catalogue, UID, label="L0", status="dubious")) == 1
    pages = [labels.events(catalogue, UID, limit=4)]
    labels.record(catalogue, UID, [Decision("c", "L0")], by="p0")  # moves nothing
    pages.append(labels.events(catalogue, UID, limit=4, before=pages[0][-1]["event"]))
    assert pages[0] + pages[1] == every
    assert [e["event"] for e in every] == sorted((e["event"] for e in every), reverse=True)
    with pytest.raises(CoreError, match="the limit is 0; expected 1 event or more"):
        labels.events(catalogue, UID, limit=0)


def test_a_history_from_elsewhere_is_added_once_and_never_overrules_what_is_newer(
    library: Library,
):
    catalogue = library.catalogue
    labels.record(catalogue, UID, [Decision("a", "Salp"), Decision("b", "Salp")], by="me")
    event = {"label": "Rod", "status": "dubious", "by": "ann", "how": "cluster"}
    event |= {"confidence": 0.25, "reason": "long", "action": "x1"}
    told = [
        event | {"image": "a", "at": "2020-01-01T00:00:00+00:00"},
        event | {"image": "b", "at": "2120-01-01T00:00:00"},
    ]
    done = labels.append(catalogue, UID, told)
    assert (done.added, done.known, done.kept) == (2, 0, 1)
    assert (said_of(library, "a"), said_of(library, "b")) == ("Salp", "Rod")
    assert labels.latest(catalogue, UID)["a"].by == "me"
    assert [e["label"] for e in labels.history(catalogue, UID, "a")] == ["Salp", "Rod", "Salp"]
    before = list(labels.every_event(catalogue, UID))
    assert before[2] == told[0]
    assert labels.append(catalogue, UID, told) == labels.Appended(0, 2, 0)
    changed = [told[0] | {"label": "Disc"}]
    with pytest.raises(CoreError, match="says of 'a' something else here; a history is never"):
        labels.append(catalogue, UID, changed)
    assert list(labels.every_event(catalogue, UID)) == before
