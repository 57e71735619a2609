"""The label history as people read it: an action a line, who did how much, who is who in links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from core import schema
from core.catalogue import Catalogue
from core.errors import RangeError
from core.labels import UNDO

SOME = 8
"""Images of an action that are named."""

_UNDO_OF = "undo of "


@dataclass(frozen=True)
class Action:
    """What one person said at once."""

    action: str
    by: str
    how: str
    at: str
    """ISO 8601 of its last event."""
    event: int
    """The number of its last event, which pages go on from."""
    images: int
    said: tuple[tuple[str | None, str, int], ...]
    """(label, status, images), the most frequent first; None where a label was taken away."""
    some: tuple[tuple[str, str | None, str], ...]
    """(image, label, status) of the first images, at most 8."""
    reason: str | None
    """Where all its events share one."""
    taken_back: bool
    """Whether an undo of it stands."""


@dataclass(frozen=True)
class Person:
    """How much somebody said."""

    by: str
    number: int
    """1 for whoever said something first, and so on: it never changes."""
    actions: int
    events: int
    images: int
    last: str
    """ISO 8601."""


def actions(
    catalogue: Catalogue,
    uid: str,
    *,
    image: str | None = None,
    by: str | None = None,
    label: str | None = None,
    status: str | None = None,
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[Action]:
    """A page of what was done, the newest first; events that are not asked for do not count.

    Parameters
    ----------
    since, until : date, optional
        Days in UTC, both included.
    before : int, optional
        The ``event`` of the last action of the page before this.

    Returns
    -------
    list of Action
        Shorter than `limit` on the last page.

    Raises
    ------
    RangeError
        If limit is less than 1.
    """
    if limit < 1:
        raise RangeError(f"the limit is {limit}; expected 1 action or more")
    table = schema.label_events
    asked = [table.c.collection == uid]
    for column, wanted in (("image", image), ("by", by), ("label", label), ("status", status)):
        if wanted is not None:
            asked.append(table.c[column] == wanted)
    if since is not None:
        asked.append(table.c.at >= since.isoformat())
    if until is not None:
        asked.append(table.c.at < (until + timedelta(days=1)).isoformat())
    first, last = sa.func.min(table.c.event), sa.func.max(table.c.event)
    every = (
        sa.select(table.c.action, table.c.by, first.label("first"), last.label("last"))
        .where(*asked)
        .group_by(table.c.action, table.c.by)
        .order_by(last.desc())
        .limit(limit)
    )
    if before is not None:
        every = every.having(last < before)
    with catalogue.connect() as connection:
        found = connection.execute(every).all()
        void = _taken_back(connection, uid)
        return [_action(connection, row, asked, void) for row in found]


def _action(connection: sa.Connection, row: Any, asked: list[Any], void: set[str]) -> Action:
    table = schema.label_events
    own = [
        *asked,
        table.c.event.between(row.first, row.last),  # by number: found at once
        table.c.action == row.action,
        table.c.by == row.by,
    ]
    n = sa.func.count(sa.distinct(table.c.image)).label("n")
    said = connection.execute(
        sa.select(table.c.label, table.c.status, n)
        .where(*own)
        .group_by(table.c.label, table.c.status)
        .order_by(n.desc(), table.c.label)
    ).all()
    some = connection.execute(
        sa.select(table.c.image, table.c.label, table.c.status)
        .where(*own)
        .order_by(table.c.event)
        .limit(4 * SOME)
    )
    reasons = connection.execute(sa.select(table.c.reason).where(*own).distinct().limit(2)).all()
    whole = sa.select(n).where(*own)
    last = connection.execute(sa.select(table).where(table.c.event == row.last)).one()
    return Action(
        action=row.action,
        by=row.by,
        how=last.how,
        at=last.at,
        event=row.last,
        images=int(connection.execute(whole).scalar_one()),
        said=tuple((each.label, each.status, each.n) for each in said),
        some=tuple({each.image: tuple(each) for each in some}.values())[:SOME],
        reason=reasons[0].reason if len(reasons) == 1 else None,
        taken_back=row.action in void,
    )


def _taken_back(connection: sa.Connection, uid: str) -> set[str]:
    """Actions of which an undo stands; the undo of an undo makes it void."""
    table = schema.label_events
    newest = sa.func.max(table.c.event)
    rows = connection.execute(
        sa.select(table.c.action, table.c.reason)
        .where(table.c.collection == uid, table.c.how == UNDO)
        .group_by(table.c.action, table.c.reason)
        .order_by(newest.desc())
    )
    void: set[str] = set()
    for row in rows:
        if row.action not in void and row.reason:
            void.add(row.reason.removeprefix(_UNDO_OF))
    return void


def people(catalogue: Catalogue, uid: str) -> list[Person]:
    """Everybody who said something, imports among them, in the order of their first word."""
    table = schema.label_events
    query = (
        sa.select(
            table.c.by,
            sa.func.count(sa.distinct(table.c.action)).label("actions"),
            sa.func.count().label("events"),
            sa.func.count(sa.distinct(table.c.image)).label("images"),
            sa.func.max(table.c.at).label("last"),
        )
        .where(table.c.collection == uid)
        .group_by(table.c.by)
        .order_by(sa.func.min(table.c.event))
    )
    with catalogue.connect() as connection:
        return [
            Person(row.by, number, row.actions, row.events, row.images, row.last)
            for number, row in enumerate(connection.execute(query), start=1)
        ]


def numbers(catalogue: Catalogue, uid: str) -> Mapping[str, int]:
    """Who -> a number that stands for them in links, where no name may be."""
    table = schema.label_events
    query = sa.select(table.c.by).where(table.c.collection == uid).group_by(table.c.by)
    with catalogue.connect() as connection:
        every = connection.execute(query.order_by(sa.func.min(table.c.event))).scalars()
        return {by: number for number, by in enumerate(every, start=1)}


def names(catalogue: Catalogue, uid: str) -> list[str]:
    """Every label that was ever said, by name; some may be in use no more."""
    table = schema.label_events
    query = sa.select(table.c.label).where(table.c.collection == uid, table.c.label.is_not(None))
    with catalogue.connect() as connection:
        return sorted(connection.execute(query.distinct()).scalars())
