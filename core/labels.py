"""The label history: who said what of which image, when and why. Append-only."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from core import schema
from core.catalogue import BATCH, Catalogue, Collection, check_name
from core.errors import CoreError, NotFoundError, RangeError
from core.workspace import now

IMPORT = "import"
"""Who labels that came with the images are by."""

CHECK = "check"
"""How an event came about that says again, or puts right, a label that was doubted."""

UNDO = "undo"
"""How an event came about that takes another action back."""

_UNDO_OF = "undo of "
"""Begins the reason of such an event; the action follows."""

FIELDS = ("image", "label", "status", "by", "at", "how", "confidence", "reason", "action")
"""What an event says, its number and its collection aside."""

STATUSES = ("validated", "dubious", "rejected", "predicted")


@dataclass(frozen=True)
class Decision:
    """One image and what is said of it."""

    image: str
    label: str | None
    status: str = "validated"
    confidence: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Label:
    """An image's current label."""

    label: str | None
    status: str
    by: str
    at: str


@dataclass(frozen=True)
class Since:
    """What somebody said of an image in the meantime."""

    image: str
    label: str | None
    status: str
    by: str
    at: str


@dataclass(frozen=True)
class Decided:
    """What became of decisions."""

    action: str
    events: int
    """How many were written."""
    conflicts: tuple[Since, ...]
    """Images somebody else decided otherwise meanwhile; they stay as that person said."""


def record(
    catalogue: Catalogue,
    uid: str,
    decisions: Iterable[Decision],
    *,
    by: str,
    how: str = "single",
) -> str:
    """Append one event a decision, whatever was said before; `decide` tells what others said.

    Returns
    -------
    str
        The action that the events share; they are on disk when this returns.

    Raises
    ------
    CoreError
        If a status is unknown, a label is empty, a confidence impossible, or nobody said it.
    """
    return decide(catalogue, uid, decisions, by=by, how=how).action


def decide(
    catalogue: Catalogue,
    uid: str,
    decisions: Iterable[Decision],
    *,
    by: str,
    how: str = "single",
    seen: int | None = None,
) -> Decided:
    """Append one event a decision, all in one transaction; on disk when this returns.

    An image that another person decided otherwise after `seen` gets no event: who said what comes
    back as a conflict. Whoever still means it decides again, with the revision of then. Two people
    who say the same are no conflict, nor is what one said oneself in another window.

    Parameters
    ----------
    seen : int, optional
        `revision` when the person looked; None writes whatever others said.

    Raises
    ------
    CoreError
        If a status is unknown, a label is empty, a confidence impossible, or nobody said it.
    """
    said = list(decisions)
    _check(said, by)
    action = new_action()
    if not said:
        return Decided(action, 0, ())
    with _alone(catalogue, uid) as connection:
        others: dict[str, Any] = {}
        if seen is not None:
            newest = _newest(connection, uid, [d.image for d in said], after=seen)
            others = {image: row for image, row in newest.items() if row.by != by}
        conflicts: dict[str, Since] = {}
        rows = []
        for decision in said:
            other = others.get(decision.image)
            if other and (other.label, other.status) != (decision.label, decision.status):
                conflicts[decision.image] = _since(other)
            else:
                rows.append(decision)
        _write(connection, uid, rows, by=by, how=how, action=action)
    return Decided(action, len(rows), tuple(conflicts.values()))


def _check(decisions: Iterable[Decision], by: str) -> None:
    if not by.strip():
        raise CoreError("nobody said this: expected the name of who decides")
    for decision in decisions:
        if decision.status not in STATUSES:
            raise CoreError(
                f"label status is {decision.status!r}; expected one of {', '.join(STATUSES)}"
            )
        if decision.label is not None and not decision.label.strip():
            raise CoreError("a label is empty; expected a name, or none to take the label away")
        if decision.confidence is not None and not 0 <= decision.confidence <= 1:
            raise RangeError(f"the confidence is {decision.confidence}; expected 0 to 1")


def new_action() -> str:
    """A name that no other action has."""
    return secrets.token_hex(8)


@contextmanager
def _alone(catalogue: Catalogue, uid: str) -> Iterator[sa.Connection]:
    """A transaction that no other on this collection's labels overlaps.

    So nobody decides between looking and writing, and events become visible in their order: the
    revision that somebody has seen covers all that is older.
    """
    with catalogue.begin() as connection:
        if connection.dialect.name == "postgresql":
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(uid, 0))
            connection.execute(sa.select(lock))
            setting = "synchronous_commit"  # else a commit may be told before it is on disk
            connection.execute(
                sa.select(sa.func.set_config(setting, "on", True)).where(
                    sa.func.current_setting(setting) == "off"
                )
            )
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _write(
    connection: sa.Connection,
    uid: str,
    decisions: Sequence[Decision],
    *,
    by: str,
    how: str,
    action: str,
) -> None:
    at = now()
    rows = [
        {
            "collection": uid,
            "image": said.image,
            "label": said.label,
            "status": said.status,
            "by": by,
            "at": at,
            "how": how,
            "confidence": None if said.confidence is None else float(said.confidence),
            "reason": said.reason or None,
            "action": action,
        }
        for said in decisions
    ]
    if rows:
        connection.execute(schema.label_events.insert(), rows)


def _newest(
    connection: sa.Connection,
    uid: str,
    images: Sequence[str] | None = None,
    *,
    after: int = 0,
) -> dict[str, Any]:
    """id -> the newest event of every image, or each of these, that has one after `after`."""
    rows = _newest_rows(connection, uid, images, sa.select(schema.label_events), after=after)
    return {row.image: row for row in rows}


def _newest_rows(
    connection: sa.Connection,
    uid: str,
    images: Sequence[str] | None,
    wanted: sa.Select[Any],
    *,
    after: int = 0,
) -> Iterator[Any]:
    table = schema.label_events
    newest = (
        sa.select(sa.func.max(table.c.event))
        .where(table.c.collection == uid, table.c.event > after)
        .group_by(table.c.image)
    )
    parts = [newest]
    if images is not None:
        parts = [newest.where(table.c.image.in_(some)) for some in _batches(images)]
    for part in parts:
        yield from connection.execute(wanted.where(table.c.event.in_(part)))


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def _since(row: Any) -> Since:
    return Since(row.image, row.label, row.status, row.by, row.at)


@dataclass(frozen=True)
class Undone:
    """What taking an action back did."""

    restored: tuple[str, ...]
    """Images that have the label again that they had before it, or none."""
    decided_since: tuple[Since, ...]
    """Images somebody has decided on since, and what they said; they stay as they are."""
    action: str
    """What was taken back."""


def undo(catalogue: Catalogue, uid: str, action: str, *, by: str) -> Undone:
    """Take an action back: an event that says again what was said before it; nothing is removed.

    An undo is an action too, and can be taken back. What was decided and taken back since is no
    obstacle.

    Raises
    ------
    NotFoundError
        If the collection has no such action.
    """
    with _alone(catalogue, uid) as connection:
        return _undo(connection, uid, action, by=by)


def undo_last(catalogue: Catalogue, uid: str, *, by: str) -> Undone:
    """Take back, whole, the last action of this person that stands; again, the one before it.

    Where all its images were decided on since, nothing is taken back and that is told, each time:
    an older action is taken back by `undo`.

    Raises
    ------
    NotFoundError
        If nothing they said is left to take back.
    """
    with _alone(catalogue, uid) as connection:
        return _undo(connection, uid, _last_of(connection, uid, by), by=by)


def last_of(catalogue: Catalogue, uid: str, *, by: str) -> str | None:
    """The action that `undo_last` would take back; None where nothing by them stands."""
    with catalogue.connect() as connection:
        try:
            return _last_of(connection, uid, by)
        except NotFoundError:
            return None


def _last_of(connection: sa.Connection, uid: str, by: str) -> str:
    table = schema.label_events
    rows = connection.execute(
        sa.select(table.c.action, table.c.how, table.c.reason, table.c.by)
        .where(table.c.collection == uid, sa.or_(table.c.by == by, table.c.how == UNDO))
        .order_by(table.c.event.desc())
        .execution_options(yield_per=BATCH)
    )
    with closing(rows):
        void: set[str] = set()
        for row in rows:
            if row.action in void:
                continue
            undone = _undone(row)
            if undone is not None:
                void.add(undone)
            elif row.by == by:
                return str(row.action)
    raise NotFoundError(f"there is nothing by {by!r} in this collection to take back")


def _undo(connection: sa.Connection, uid: str, action: str, *, by: str) -> Undone:
    table = schema.label_events
    named = sa.select(table.c.image).where(table.c.collection == uid, table.c.action == action)
    images = list(dict.fromkeys(connection.execute(named.order_by(table.c.event)).scalars()))
    if not images:
        raise NotFoundError(f"the collection has no action {action!r} to undo")
    past: dict[str, list[Any]] = {image: [] for image in images}
    for some in _batches(images):
        query = sa.select(table).where(table.c.collection == uid, table.c.image.in_(some))
        for row in connection.execute(query.order_by(table.c.event)):
            past[row.image].append(row)
    again: list[Decision] = []
    since: list[Since] = []
    for image in images:
        before, after, standing = _replayed(past[image], action)
        if standing != after:
            since.append(_since(past[image][-1]))
            continue
        said = before[-1] if before else Decision(image, None)
        again.append(
            Decision(image, said.label, said.status, said.confidence, f"{_UNDO_OF}{action}")
        )
    _write(connection, uid, again, by=by, how=UNDO, action=new_action())
    return Undone(tuple(said.image for said in again), tuple(since), action)


_Stack: TypeAlias = tuple[Any, ...]


def _replayed(events: Sequence[Any], action: str) -> tuple[_Stack, _Stack, _Stack]:
    """What stood of an image before an action, after it, and stands now; the last is in force."""
    standing: _Stack = ()
    after: _Stack = ()
    before: dict[str, _Stack] = {}
    for row in events:
        before.setdefault(row.action, standing)
        standing = before.get(_undone(row) or "", (*standing, row))
        if row.action == action:
            after = standing
    return before[action], after, standing


def _standing(events: Sequence[Any]) -> _Stack:
    """What was said of an image and not taken back, the oldest first."""
    return _replayed(events, events[-1].action)[2]


def _undone(row: Any) -> str | None:
    """The action an undo takes back."""
    return row.reason.removeprefix(_UNDO_OF) if row.how == UNDO and row.reason else None


def current(
    catalogue: Catalogue, uid: str, images: Sequence[str] | None = None
) -> dict[str, Label]:
    """id -> the newest event's label, for every image, or each of these, that has one.

    Images that are no longer in the collection are among them: their labels wait for them.
    """
    every = latest(catalogue, uid, images)
    return {image: said for image, said in every.items() if said.label is not None}


def latest(catalogue: Catalogue, uid: str, images: Sequence[str] | None = None) -> dict[str, Label]:
    """As `current`, those among them whose label was taken away: their label is None."""
    table = schema.label_events
    wanted = sa.select(table.c.image, table.c.label, table.c.status, table.c.by, table.c.at)
    with catalogue.connect() as connection:
        rows = _newest_rows(connection, uid, images, wanted)
        return {id: Label(label, status, by, at) for id, label, status, by, at in rows}


def decided_by_people(catalogue: Catalogue, uid: str) -> set[str]:
    """Ids of which anybody but an import said something, be it that they have no label."""
    table = schema.label_events
    query = sa.select(table.c.image).where(table.c.collection == uid, table.c.by != IMPORT)
    with catalogue.connect() as connection:
        return set(connection.execute(query.distinct()).scalars())


def turned_down(catalogue: Catalogue, uid: str) -> dict[str, frozenset[str]]:
    """id -> every label that was rejected for it, those left out of which that was taken back."""
    table = schema.label_events
    said = table.c.collection == uid
    images = sa.select(table.c.image).where(said, table.c.status == "rejected")
    query = sa.select(table).where(said, table.c.image.in_(images)).order_by(table.c.event)
    past: dict[str, list[Any]] = {}
    with catalogue.connect() as connection:
        for row in connection.execute(query):
            past.setdefault(row.image, []).append(row)
    found = {
        image: frozenset(
            str(row.label) for row in _standing(rows) if row.status == "rejected" and row.label
        )
        for image, rows in past.items()
    }
    return {image: labels for image, labels in found.items() if labels}


def confirmed(catalogue: Catalogue, uid: str) -> set[str]:
    """Ids whose label stands because somebody looked at it again: not to be asked once more."""
    table = schema.label_events
    wanted = sa.select(table.c.image, table.c.how, table.c.status)
    with catalogue.connect() as connection:
        return {
            row.image
            for row in _newest_rows(connection, uid, None, wanted)
            if row.how == CHECK and row.status == "validated"
        }


class Imported:
    """Labels that come with images: events by "import", which never overrule a person."""

    def __init__(self, catalogue: Catalogue, uid: str) -> None:
        self._catalogue = catalogue
        self._uid = uid
        self._now = current(catalogue, uid)
        self._decided = decided_by_people(catalogue, uid)

    def is_news(self, said: Decision) -> bool:
        """Whether it is a label, other than the one there is, of an image nobody decided on."""
        if said.label is None or said.image in self._decided:
            return False
        now = self._now.get(said.image)
        return now is None or (now.label, now.status) != (said.label, said.status)

    def record(self, said: Iterable[Decision]) -> None:
        """Keep what is news."""
        news = filter(self.is_news, said)
        record(self._catalogue, self._uid, news, by=IMPORT, how="import")


def history(catalogue: Catalogue, uid: str, image: str) -> list[Mapping[str, Any]]:
    """Every event of one image, the oldest first."""
    table = schema.label_events
    query = (
        sa.select(table)
        .where(table.c.collection == uid, table.c.image == image)
        .order_by(table.c.event)
    )
    with catalogue.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def events(
    catalogue: Catalogue,
    uid: str,
    *,
    image: str | None = None,
    by: str | None = None,
    label: str | None = None,
    status: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Mapping[str, Any]]:
    """A page of the history, the newest first: of an image, a person, a label, or of all.

    Parameters
    ----------
    before : int, optional
        The ``event`` number of the last one of the page before this. Events that come meanwhile
        move nothing.

    Returns
    -------
    list of mappings
        ``event`` and `FIELDS`; shorter than `limit` on the last page.

    Raises
    ------
    RangeError
        If limit is less than 1.
    """
    if limit < 1:
        raise RangeError(f"the limit is {limit}; expected 1 event or more")
    table = schema.label_events
    query = sa.select(table.c.event, *(table.c[name] for name in FIELDS))
    query = query.where(table.c.collection == uid)
    for column, wanted in (("image", image), ("by", by), ("label", label), ("status", status)):
        if wanted is not None:
            query = query.where(table.c[column] == wanted)
    if before is not None:
        query = query.where(table.c.event < before)
    with catalogue.connect() as connection:
        rows = connection.execute(query.order_by(table.c.event.desc()).limit(limit))
        return [dict(row._mapping) for row in rows]


def every_event(catalogue: Catalogue, uid: str) -> Iterator[Mapping[str, Any]]:
    """The whole history, the oldest event first, as `FIELDS`."""
    table = schema.label_events
    query = sa.select(*(table.c[name] for name in FIELDS)).where(table.c.collection == uid)
    with catalogue.connect() as connection:
        for row in connection.execute(query.order_by(table.c.event)).yield_per(BATCH):
            yield dict(row._mapping)


@dataclass(frozen=True)
class Appended:
    """What became of somebody else's history."""

    added: int
    known: int
    """Events that were here already."""
    kept: int
    """Images of which more recent decisions were here; those stay in force."""


def append(catalogue: Catalogue, uid: str, told: Sequence[Mapping[str, Any]]) -> Appended:
    """Add events of another workspace as they are: who, when, how and action stay.

    What was decided last is in force afterwards: where an image has a decision here that is more
    recent than all that is added, it is said once more behind it.

    Parameters
    ----------
    told : sequence of mappings
        `FIELDS` each, in the order in which they were decided; `core.label_files` reads them.

    Raises
    ------
    CoreError
        If an event is here already and says something else: what was said is never changed.
    """
    with _alone(catalogue, uid) as connection:
        here = _contents(connection, uid, list(dict.fromkeys(event["action"] for event in told)))
        counted: Counter[tuple[str, str]] = Counter()
        new: list[Mapping[str, Any]] = []
        for event in told:
            place = (event["action"], event["image"])
            said, number = here.get(place, []), counted[place]
            counted[place] += 1
            if number >= len(said):
                new.append(event)
            elif said[number] != _content(event):
                raise CoreError(
                    f"action {event['action']!r} says of {event['image']!r} something else here; "
                    "a history is never changed: import another decision as columns id and label"
                )
        last = {event["image"]: moment(event["at"]) for event in new}
        newest = _newest(connection, uid, list(last))
        recent = [row for image, row in newest.items() if moment(row.at) > last[image]]
        action = new_action()
        rows = [{"collection": uid, **_content(event)} for event in new]
        rows += [
            {"collection": uid, **_content(row._mapping), "how": IMPORT, "action": action}
            for row in recent
        ]
        if rows:
            connection.execute(schema.label_events.insert(), rows)
    return Appended(len(new), len(told) - len(new), len(recent))


def _contents(
    connection: sa.Connection, uid: str, actions: Sequence[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(action, image) -> what these actions say of it here."""
    table = schema.label_events
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for some in _batches(actions):
        query = sa.select(table).where(table.c.collection == uid, table.c.action.in_(some))
        for row in connection.execute(query.order_by(table.c.event)):
            found.setdefault((row.action, row.image), []).append(_content(row._mapping))
    return found


def _content(event: Any) -> dict[str, Any]:
    return {name: event[name] for name in FIELDS}


def moment(at: str) -> datetime:
    """A time as events state it; without a zone it is taken as UTC."""
    moment = datetime.fromisoformat(at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def replace(
    catalogue: Catalogue, uid: str, old: Sequence[str], new: str, *, by: str, how: str
) -> Decided:
    """Say `new` of every image whose label is one of `old`; status and confidence stay.

    One action, in one transaction: what others decide meanwhile comes before or after it.
    """
    _check([Decision("", new)], by)
    action = new_action()
    with _alone(catalogue, uid) as connection:
        said = [
            Decision(image, new, row.status, row.confidence, f"{how} of {row.label}")
            for image, row in _newest(connection, uid).items()
            if row.label in old
        ]
        _write(connection, uid, said, by=by, how=how, action=action)
    return Decided(action, len(said), ())


def waiting(catalogue: Catalogue, name: str) -> Collection | None:
    """A collection that was deleted, or is not indexed yet, and whose labels wait for it."""
    table, said = schema.collections, schema.label_events
    query = sa.select(table).where(
        table.c.name == name, sa.exists().where(said.c.collection == table.c.uid)
    )
    with catalogue.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Collection(row.uid, row.name, row.created, row.encoder, row.revision, row.options)


def wait_for(catalogue: Catalogue, name: str) -> str:
    """The uid of a collection as one is after it was deleted, for labels that come before images.

    Raises
    ------
    CoreError
        If the name will not do.
    """
    check_name(name)
    table, uid = schema.collections, secrets.token_hex(8)
    with catalogue.begin() as connection:
        there = connection.execute(sa.select(table.c.uid).where(table.c.name == name)).scalar()
        if there is not None:
            return str(there)  # deleted before anything was said of its images
        connection.execute(
            table.insert().values(
                uid=uid, name=name, created=now(), deleted=now(), encoder="", revision=0, options={}
            )
        )
    return uid


def revision(catalogue: Catalogue, uid: str) -> int:
    """A number that grows with every event of the collection; 0 when there is none."""
    table = schema.label_events
    query = sa.select(sa.func.max(table.c.event)).where(table.c.collection == uid)
    with catalogue.connect() as connection:
        return int(connection.execute(query).scalar() or 0)
