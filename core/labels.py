"""The label history: who said what of which image, when and why. Append-only."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import schema
from core.catalogue import BATCH, Catalogue
from core.errors import CoreError, NotFoundError
from core.workspace import now

IMPORT = "import"
"""Who labels that came with the images are by."""

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


def record(
    catalogue: Catalogue,
    uid: str,
    decisions: Iterable[Decision],
    *,
    by: str,
    how: str = "single",
) -> str:
    """Append one event a decision, all in one transaction, and give their shared action id.

    They are on disk when this returns.

    Raises
    ------
    CoreError
        If a status is unknown or a label is empty.
    """
    action, at = secrets.token_hex(8), now()
    rows: list[dict[str, Any]] = []
    for decision in decisions:
        if decision.status not in STATUSES:
            raise CoreError(
                f"label status is {decision.status!r}; expected one of {', '.join(STATUSES)}"
            )
        if decision.label is not None and not decision.label.strip():
            raise CoreError("a label is empty; expected a name, or none to take the label away")
        rows.append(
            {
                "collection": uid,
                "image": decision.image,
                "label": decision.label,
                "status": decision.status,
                "by": by,
                "at": at,
                "how": how,
                "confidence": decision.confidence,
                "reason": decision.reason,
                "action": action,
            }
        )
    if rows:
        with catalogue.begin() as connection:
            connection.execute(schema.label_events.insert(), rows)
    return action


@dataclass(frozen=True)
class Undone:
    """What taking an action back did."""

    restored: tuple[str, ...]
    """Images that have the label again that they had before it, or none."""
    decided_since: tuple[str, ...]
    """Images somebody has decided on since; they stay as they are."""


def undo(catalogue: Catalogue, uid: str, action: str, *, by: str) -> Undone:
    """Take an action back: an event that says again what was said before it; nothing is removed.

    Raises
    ------
    NotFoundError
        If the collection has no such action.
    """
    table = schema.label_events
    ours = sa.and_(table.c.collection == uid, table.c.action == action)
    with catalogue.connect() as connection:
        taken = list(connection.execute(sa.select(table).where(ours).order_by(table.c.event)))
    if not taken:
        raise NotFoundError(f"the collection has no action {action!r} to undo")
    images = list(dict.fromkeys(row.image for row in taken))
    first = {row.image: row.event for row in reversed(taken)}
    newest, before = {}, {}
    with catalogue.connect() as connection:
        for start in range(0, len(images), BATCH):
            some = table.c.image.in_(images[start : start + BATCH])
            where = sa.and_(table.c.collection == uid, some)
            for row in connection.execute(sa.select(table).where(where).order_by(table.c.event)):
                newest[row.image] = row.action
                if row.event < first[row.image]:
                    before[row.image] = row
    restored = [image for image in images if newest[image] == action]
    record(
        catalogue, uid,
        [_again(image, before.get(image), action) for image in restored], by=by, how="undo",
    )  # fmt: skip
    return Undone(tuple(restored), tuple(image for image in images if newest[image] != action))


def _again(image: str, said: Any, action: str) -> Decision:
    """What was said of an image before an action, or that it has no label."""
    if said is None:
        return Decision(image, None, reason=f"undo of {action}")
    return Decision(image, said.label, said.status, said.confidence, f"undo of {action}")


def current(
    catalogue: Catalogue, uid: str, images: Sequence[str] | None = None
) -> dict[str, Label]:
    """id -> the newest event's label, for every image, or each of these, that has one.

    Images that are no longer in the collection are among them: their labels wait for them.
    """
    table = schema.label_events
    newest = (
        sa.select(sa.func.max(table.c.event))
        .where(table.c.collection == uid)
        .group_by(table.c.image)
    )
    parts = [newest]
    if images is not None:
        starts = range(0, len(images), BATCH)
        parts = [newest.where(table.c.image.in_(images[s : s + BATCH])) for s in starts]
    found: dict[str, Label] = {}
    with catalogue.connect() as connection:
        for part in parts:
            for row in connection.execute(sa.select(table).where(table.c.event.in_(part))):
                if row.label is not None:
                    found[row.image] = Label(row.label, row.status, row.by, row.at)
    return found


def decided_by_people(catalogue: Catalogue, uid: str) -> set[str]:
    """Ids of which anybody but an import said something, be it that they have no label."""
    table = schema.label_events
    query = sa.select(table.c.image).where(table.c.collection == uid, table.c.by != IMPORT)
    with catalogue.connect() as connection:
        return set(connection.execute(query.distinct()).scalars())


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


def revision(catalogue: Catalogue, uid: str) -> int:
    """A number that grows with every event of the collection; 0 when there is none."""
    table = schema.label_events
    query = sa.select(sa.func.max(table.c.event)).where(table.c.collection == uid)
    with catalogue.connect() as connection:
        return int(connection.execute(query).scalar() or 0)
