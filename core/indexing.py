"""The pipeline source -> image -> vector -> store: batched, resumable, reports progress."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core import ranging
from core.catalogue import NewImage
from core.errors import SourceError
from core.images import ValueRange
from core.labels import Decision, Imported
from core.library import Library
from core.preparing import Failed, Ready, Task, prepare_all
from core.progress import Meter, Progress, Report, nobody
from core.sources import open_source
from core.sources.base import ImageRef, Skipped, Source
from core.sources.uri import join
from core.target import Target, open_target

BATCH = 256
"""Images a confirmed batch: what a crash costs at most."""

CONFIRM_S = 5.0
"""A slow encoder confirms at least this often."""

SKIPPED_LISTED = 1_000

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


@dataclass
class IndexReport:
    """What an index run did."""

    indexed: int = 0
    """Images that have a vector now and had none."""
    updated: int = 0
    """Images whose file had changed."""
    already: int = 0
    """Images that were up to date."""
    skipped: list[Skipped] = field(default_factory=list)
    """The first 1,000 files that did not become images."""
    skipped_count: int = 0
    notes: list[str] = field(default_factory=list)
    """What the source assumed or left aside."""
    seconds: float = 0.0
    refitted: bool = False
    """Whether the encoder was fitted anew, and all vectors with it."""
    value_range: ValueRange | None = None
    """What is black and white in images of more than 8 bits; None: each one's stated depth."""

    def skip(self, uri: str, reason: str, count: int = 1) -> None:
        self.skipped_count += count
        if len(self.skipped) < SKIPPED_LISTED:
            self.skipped.append(Skipped(uri, reason, count))

    def as_json(self) -> dict[str, Any]:
        return {
            "indexed": self.indexed,
            "updated": self.updated,
            "already": self.already,
            "skipped": [{"uri": s.uri, "reason": s.reason, "count": s.count} for s in self.skipped],
            "skipped_count": self.skipped_count,
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
            "refitted": self.refitted,
            "value_range": self.value_range and list(self.value_range),
        }


def index(
    library: Library,
    *,
    collection: str,
    source: str | Source | None = None,
    encoder: str | None = None,
    labels_from: str = "none",
    samples_from: str = "none",
    um_per_px: float | None = None,
    source_name: str | None = None,
    bounded: bool = False,
    endpoint_url: str | None = None,
    anonymous: bool = False,
    again: bool = False,
    value_range: ValueRange | None = None,
    report: Report = nobody,
) -> IndexReport:
    """Bring images into a collection and encode them; what is up to date is left alone.

    Parameters
    ----------
    collection : str
        Its name; it is made when it is not there.
    source : str or Source, optional
        Where images come from; None encodes what the collection has.
    encoder : str, optional
        By default the one the collection was first indexed with, else ``descriptors``.
    labels_from, samples_from : {"none", "folder"}
        Whether a file's folder is its label, its sample.
    um_per_px : float, optional
        Micrometres per pixel of every image of this source.
    source_name : str, optional
        The SOURCE of ids; by default the source's own name.
    bounded, endpoint_url, anonymous
        As in `core.sources.Given`.
    again : bool
        Encode everything again, for instance after the encoder changed.
    value_range : (low, high), optional
        What is black and white in images of more than 8 bits; by default the collection's own,
        which its first run finds (`core.ranging`).

    Raises
    ------
    CoreError
        If the source, the encoder or the workspace cannot be used; nothing stored is touched.
    """
    started = time.monotonic()
    opened = (
        open_source(
            source,
            name=source_name,
            labels=labels_from,
            samples=samples_from,
            um_per_px=um_per_px,
            bounded=bounded,
            endpoint_url=endpoint_url,
            anonymous=anonymous,
        )
        if isinstance(source, str)
        else source
    )
    with library.workspace.writing(f"index --collection {collection}"):
        if value_range is not None:
            ranging.check_given(
                library.catalogue, collection, value_range, encoder=encoder, again=again
            )
        target = open_target(library, collection, encoder, source=opened, again=again)
        try:
            result = _Run(target, opened, um_per_px, again, value_range, report).run()
        except OSError as error:
            if error.errno in FULL:
                raise library.workspace.unwritable(error) from error
            raise
    result.seconds = time.monotonic() - started
    return result


@dataclass(frozen=True)
class _Item:
    """One image to be read."""

    uri: str
    row: NewImage
    label: Decision
    """Of its source."""
    changed: bool = False

    @property
    def id(self) -> str:
        return self.row.id


class _Run:
    """One index run, under the writer's lock."""

    def __init__(
        self,
        target: Target,
        source: Source | None,
        um_per_px: float | None,
        again: bool,
        value_range: ValueRange | None,
        report: Report,
    ) -> None:
        self._target = target
        self._catalogue = target.library.catalogue
        self._uid = target.collection.uid
        self._source = source
        self._um_per_px = um_per_px
        self._again = again
        self._value_range = value_range
        self._report = report
        self._result = IndexReport()
        self._known = {row.id: row for row in self._catalogue.image_rows(self._uid)}
        # a batch that a crash left stored and not catalogued counts as new
        self._had = target.encoded() & self._known.keys()
        self._labels = Imported(self._catalogue, self._uid)

    def run(self) -> IndexReport:
        self._report(Progress("Looking for images", 0, None))
        fit = self._target.encoder.identity.fit
        items, told = self._plan()
        if any(self._size_changed(item) for item in (*told, *items)):
            self._target.sizes_change()
        self._catalogue.put_images(self._uid, [item.row for item in told if self._differs(item)])
        self._labels.record(item.label for item in told)
        self._settle_range(items)
        meter = Meter(self._report, "Reading and encoding images", len(items))
        for batch in self._batches(items, meter):
            changed = [item.id for item, _ in batch if item.changed]
            self._target.add(
                [item.id for item, _ in batch],
                [item.uri for item, _ in batch],
                [ready.prepared for _, ready in batch],
                [item.row.um_per_px for item, _ in batch],
                changed=changed,
            )
            self._confirm(batch)
            self._target.settle(self._report)
        self._target.finish(self._report)
        self._result.indexed = len(self._target.encoded() - self._had)
        self._result.refitted = fit not in (None, self._target.encoder.identity.fit)
        return self._result

    # what is to be done

    def _plan(self) -> tuple[list[_Item], list[_Item]]:
        """What has to be read, and known images of which something is said anew."""
        complete, measured = self._target.complete(), self._target.measured()
        items: list[_Item] = []
        told: list[_Item] = []
        seen: set[str] = set()
        for found in self._items():
            if found.id in seen:
                self._result.skip(found.uri, f"the id {found.id!r} came before")
                continue
            seen.add(found.id)
            known = self._known.get(found.id)
            if known is not None and known.source != found.row.source:
                if self._uri(known) != found.uri:
                    self._result.skip(
                        found.uri,
                        f"source {known.source!r} has an image of the id {found.id!r}; name this "
                        "one with --source-name",
                    )
                    continue
                # the same image named another way: a bin and its folder, a folder and its table
                row = replace(found.row, source=known.source, inner=known.inner)
                found = replace(found, row=row)
            item = self._merged(found)
            if self._up_to_date(item):
                if self._differs(item) or self._labels.is_news(item.label):
                    told.append(item)
                if item.id in complete:
                    self._result.already += 1
                    continue
                if item.id in measured:
                    continue  # a run ended before these were encoded; `finish` does it
                items.append(item)
            else:
                items.append(replace(item, changed=item.id in self._known))
        if self._source is not None:
            self._result.notes = list(self._source.notes)
        if self._source is not None and not seen and not self._result.skipped_count:
            raise SourceError(f"{self._source.root} holds no images; expected pictures")
        if self._again and self._source is not None:  # what came from other sources as well
            items += [item for item in self._catalogue_items() if item.id not in seen]
        return items, told

    def _items(self) -> Iterator[_Item]:
        if self._source is None:
            yield from self._catalogue_items()
            return
        for ref in self._source.refs():
            if isinstance(ref, Skipped):
                self._result.skip(ref.uri, ref.reason, ref.count)
            else:
                row = new_image(ref, self._source.name)
                uri = join(self._source.root, ref.inner)
                yield _Item(uri, row, Decision(ref.id, ref.label, ref.label_status))

    def _uri(self, row: NewImage) -> str:
        return join(self._target.roots.get(row.source, ""), row.inner)

    def _up_to_date(self, item: _Item) -> bool:
        """Whether its file is the one that was read: of an address no stamp may be known, and a
        table may give an id to another file."""
        known = self._known.get(item.id)
        return known is not None and (known.stamp, known.inner) == (item.row.stamp, item.row.inner)

    def _catalogue_items(self) -> Iterator[_Item]:
        for position in self._catalogue.image_rows(self._uid):
            uri = self._uri(position)
            if self._um_per_px is not None:
                position = replace(position, um_per_px=self._um_per_px)
            yield _Item(uri, position, Decision(position.id, None))

    def _merged(self, item: _Item) -> _Item:
        """The item with what is known of its image and was not said anew."""
        known = self._known.get(item.id)
        if known is None:
            return item
        row = replace(
            item.row,
            content_hash=known.content_hash,
            width=known.width,
            height=known.height,
            um_per_px=known.um_per_px if item.row.um_per_px is None else item.row.um_per_px,
            sample=known.sample if item.row.sample is None else item.row.sample,
            metadata={**(known.metadata or {}), **(item.row.metadata or {})},
        )
        return replace(item, row=row)

    def _size_changed(self, item: _Item) -> bool:
        known = self._known.get(item.id)
        return known is not None and item.row.um_per_px != known.um_per_px

    def _differs(self, item: _Item) -> bool:
        row, known = item.row, self._known[item.id]
        return (row.um_per_px, row.sample, row.metadata) != (
            known.um_per_px,
            known.sample,
            dict(known.metadata or {}),
        )

    # doing it

    def _settle_range(self, items: Sequence[_Item]) -> None:
        """The collection's scale of brightness; thumbnails of another one are made anew."""
        choice, new = ranging.settle(
            self._catalogue,
            self._uid,
            [item.uri for item in items],
            given=self._value_range,
            again=self._again,
            report=self._report,
        )
        self._value_range = self._result.value_range = choice.value_range
        if new and self._again and choice.value_range:
            folder = self._target.library.workspace.thumbnails(self._uid)
            shutil.rmtree(folder, ignore_errors=True)
        if choice.note and new:
            self._result.notes.append(choice.note)

    def _batches(self, items: Sequence[_Item], meter: Meter) -> Iterator[list[tuple[_Item, Ready]]]:
        folder = str(self._target.library.workspace.thumbnails(self._uid))
        tasks = [Task(item.id, item.uri, folder, self._value_range) for item in items]
        batch: list[tuple[_Item, Ready]] = []
        began = time.monotonic()
        outcomes = prepare_all(tasks, self._target.encoder.prepare)
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Failed):
                self._result.skip(outcome.uri, outcome.reason)
            else:
                batch.append((item, outcome))
            if len(batch) == BATCH or (batch and time.monotonic() - began > CONFIRM_S):
                yield batch
                batch, began = [], time.monotonic()
            meter.advance()
        if batch:
            yield batch

    def _confirm(self, batch: Sequence[tuple[_Item, Ready]]) -> None:
        self._catalogue.put_images(
            self._uid,
            [
                replace(
                    item.row,
                    content_hash=ready.content_hash,
                    width=ready.width,
                    height=ready.height,
                )
                for item, ready in batch
            ],
        )
        self._labels.record(item.label for item, _ in batch)
        self._result.updated += sum(item.changed for item, _ in batch)


def new_image(ref: ImageRef, source: str) -> NewImage:
    """What the catalogue is told of an image before it was read."""
    return NewImage(
        id=ref.id,
        source=source,
        inner=ref.inner,
        stamp=ref.stamp,
        content_hash="",
        um_per_px=ref.um_per_px,
        sample=ref.sample,
        metadata=ref.metadata,
    )
