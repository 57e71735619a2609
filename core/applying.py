"""A filter run over a source: a decision for every image, copies of them, nothing taken away.

Images stream through in batches. What a batch decided is in the report, and what it copied is
where it belongs, before the next is confirmed, so a run that was killed continues.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.cutting import copy_of, suffix_of
from core.deciding import Screen, Verdict
from core.destinations import Destination, check_apart
from core.drift import drift
from core.errors import ImageError, SourceError
from core.ledger import Ledger, Row
from core.naming import file_names
from core.preparing import Failed, Ready, Task, prepare_stream
from core.progress import Meter, Progress, Report, nobody
from core.sources.base import Skipped, Source
from core.sources.uri import join

BATCH = 256
"""Images confirmed together: what a killed run does again."""

BATCH_BYTES = 32 * 2**20
"""Of files fetched from afar, held until they are copied."""

BATCH_S = 5.0
"""A slow encoder confirms at least this often."""

STAGE = "Deciding about images"

COPIERS = 8
"""Threads that copy; they wait for disks and object storage."""

LISTED = 1_000
"""Images named in a summary; the report has all."""

RECENT = 1_000
"""Images compared with the training at the end of a run."""


@dataclass
class Applied:
    """What a filter said of a source; counts are those of the whole report."""

    kept: int = 0
    dropped: int = 0
    unfamiliar: int = 0
    """Of those kept."""
    unreadable: int = 0
    """Of those kept."""
    already: int = 0
    """Images that an earlier run of the same report had decided."""
    copied: int = 0
    """Copies made, or found to be there, in this run."""
    not_copied: int = 0
    """Images to be copied whose bytes could not be read."""
    unreadable_images: list[tuple[str, str]] = field(default_factory=list)
    """Uri and reason of the first 1,000 of this run."""
    skipped: list[Skipped] = field(default_factory=list)
    """The first 1,000 things in the source that are no images."""
    skipped_count: int = 0
    notes: list[str] = field(default_factory=list)
    """What the source assumed or left aside."""
    drift: dict[str, Any] | None = None
    """The last images of this run against the training: `core.drift.drift`."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        counts = ("kept", "dropped", "unfamiliar", "unreadable")
        return {
            **{name: getattr(self, name) for name in counts},
            "images": self.kept + self.dropped,
            "already": self.already,
            "copied": self.copied,
            "not_copied": self.not_copied,
            "unreadable_images": [
                {"uri": uri, "reason": reason} for uri, reason in self.unreadable_images
            ],
            "skipped": [{"uri": s.uri, "reason": s.reason, "count": s.count} for s in self.skipped],
            "skipped_count": self.skipped_count,
            "notes": self.notes,
            "drift": self.drift,
            "seconds": round(self.seconds, 3),
        }


def apply(
    screen: Screen,
    source: Source,
    *,
    where: str | None = None,
    keep_to: Destination | None = None,
    drop_to: Destination | None = None,
    report_to: Path | None = None,
    dry_run: bool = False,
    workers: int | None = None,
    report: Report = nobody,
) -> Applied:
    """Decide about every image of a source, and copy those kept, or dropped, elsewhere.

    Originals are only read. Memory does not grow with the number of images, but for what the
    source itself keeps of its listing.

    Parameters
    ----------
    screen : Screen
    source : Source
        As `core.sources.open_source` gives it.
    where : str, optional
        What the source was named by; its root by default.
    keep_to, drop_to : Destination, optional
        Where copies go; names that are taken there stay, and the copy gets another.
    report_to : Path, optional
        A CSV with id, uri, score, decision, unfamiliar, reason and the copy's name of every image.
        With it and the file beside it a run that was killed, or a source that has grown, continues
        where it was; without it a run begins anew and finds its copies made.
    dry_run : bool
        Decide and count; nothing is copied, and the report makes way for that of a true run.
    workers : int, optional
        Processes that read and measure; by default one a core.

    Raises
    ------
    SourceError
        If the source has no image, a place for copies or the report lies in it, or the report is
        of another filter, source or destination.
    CoreError
        If a copy or the report cannot be written; what was confirmed before counts.
    """
    started = time.monotonic()
    where = source.root if where is None else where
    places = {
        option: str(place)
        for option, place in (
            ("--keep-to", keep_to and keep_to.where),
            ("--drop-to", drop_to and drop_to.where),
            ("--report", report_to),
        )
        if place
    }
    check_apart(where, places)
    about = {
        "filter": f"{screen.filter.name} {screen.fingerprint}",
        "source": f"{source.root or where} as {source.name}",
        "--keep-to": places.get("--keep-to", "nowhere"),
        "--drop-to": places.get("--drop-to", "nowhere"),
    }
    to = {True: keep_to, False: drop_to}
    with Ledger(report_to, about, rehearsal=dry_run) as ledger:
        run = _Run(screen, source, ledger, {} if dry_run else to, workers, report)
        result = run.run()
    result.seconds = time.monotonic() - started
    return result


@dataclass(frozen=True)
class _Image(Task):
    """One image to decide about."""

    stamp: str = ""
    um_per_px: float | None = None


@dataclass(frozen=True)
class _Read:
    image: _Image
    outcome: Ready | Failed
    data: bytes | None


class _Run:
    def __init__(
        self,
        screen: Screen,
        source: Source,
        ledger: Ledger,
        to: Mapping[bool, Destination | None],
        workers: int | None,
        report: Report,
    ) -> None:
        self._screen, self._source, self._ledger, self._to = screen, source, ledger, to
        self._workers = workers
        self._tell = report
        self._meter = Meter(report, STAGE, None)
        self._result = Applied()
        self._seen = 0
        self._last: deque[Verdict] = deque(maxlen=RECENT)
        self._lock = threading.Lock()

    def run(self) -> Applied:
        result = self._result
        with ThreadPoolExecutor(COPIERS) as copiers:
            for batch in self._batches():
                self._decide(batch, copiers)
                self._meter.advance(len(batch))
        done = self._meter.done
        self._tell(Progress(STAGE, done, done))
        result.notes = list(self._source.notes)
        result.drift = self._drift()
        if not self._seen and not result.skipped_count:
            raise SourceError(f"{self._source.root} holds no images; expected pictures")
        counts: Counter[str] = self._ledger.counts
        result.kept, result.dropped = counts["kept"], counts["dropped"]
        result.unfamiliar, result.unreadable = counts["unfamiliar"], counts["unreadable"]
        return result

    def _drift(self) -> dict[str, Any]:
        read = [verdict for verdict in self._last if verdict.score is not None]
        return drift(
            self._screen.filter.card,
            scores=np.array([verdict.score for verdict in read], np.float64),
            nearest=np.array([v.nearest for v in read if v.nearest is not None], np.float64),
            unfamiliar=sum(verdict.unfamiliar for verdict in self._last),
            n=len(self._last),
        )

    def _images(self) -> Iterator[_Image]:
        result, value_range = self._result, self._screen.value_range
        for ref in self._source.refs():
            if isinstance(ref, Skipped):
                self._skip(ref)
                continue
            self._seen += 1
            uri = join(self._source.root, ref.inner)
            stamp = f"{ref.stamp} {ref.um_per_px}"  # of another size it may be another decision
            known = self._ledger.known(ref.id, stamp)
            if known == "run":
                self._skip(Skipped(uri, f"the id {ref.id!r} came before"))
            elif known == "before":
                result.already += 1
            else:
                self._ledger.begin(ref.id)
                yield _Image(ref.id, uri, None, value_range, stamp, ref.um_per_px)

    def _skip(self, skipped: Skipped) -> None:
        self._result.skipped_count += skipped.count
        if len(self._result.skipped) < LISTED:
            self._result.skipped.append(skipped)

    def _batches(self) -> Iterator[list[_Read]]:
        batch: list[_Read] = []
        held, began = 0, time.monotonic()
        stream = prepare_stream(self._images(), self._screen.encoder.prepare, workers=self._workers)
        for task, outcome, data in stream:
            assert isinstance(task, _Image)
            batch.append(_Read(task, outcome, data if self._to else None))
            held += len(data or b"")
            full = len(batch) == BATCH or held > BATCH_BYTES
            if full or time.monotonic() - began > BATCH_S:
                yield batch
                batch, held, began = [], 0, time.monotonic()
        if batch:
            yield batch

    def _decide(self, batch: Sequence[_Read], copiers: ThreadPoolExecutor) -> None:
        verdicts = self._screen.judge(
            [
                r.outcome.reason if isinstance(r.outcome, Failed) else r.outcome.prepared
                for r in batch
            ],
            um_per_px=[r.image.um_per_px for r in batch],
        )
        names = [self._name(r.image, v) for r, v in zip(batch, verdicts, strict=True)]
        files = list(copiers.map(self._copy, batch, verdicts, names))
        rows = []
        for read, verdict, file in zip(batch, verdicts, files, strict=True):
            if verdict.score is None and len(self._result.unreadable_images) < LISTED:
                self._result.unreadable_images.append((read.image.uri, verdict.reason))
            row = Row(
                read.image.id,
                read.image.uri,
                verdict.score,
                verdict.keep,
                verdict.unfamiliar,
                verdict.reason,
                file,
                verdict.nearest,
            )
            rows.append((row, read.image.stamp))
        self._ledger.confirm(rows)
        self._last.extend(verdicts)

    def _name(self, image: _Image, verdict: Verdict) -> str:
        """What its copy is to be called; given in the source's order, so the same every time."""
        if self._to.get(verdict.keep) is None:
            return ""
        return self._ledger.take(verdict.decision, file_names(image.id, suffix_of(image.uri)))

    def _copy(self, read: _Read, verdict: Verdict, name: str) -> str:
        """Copy it where such images go; what the copy is called, empty when there is none."""
        to, uri = self._to.get(verdict.keep), read.image.uri
        if to is None:
            return ""
        try:
            data, suffix = copy_of(uri, data=read.data, value_range=self._screen.value_range)
        except ImageError:  # unreadable, or gone since
            with self._lock:
                self._result.not_copied += 1
            return ""
        if suffix != suffix_of(uri):
            name = self._ledger.take(verdict.decision, file_names(read.image.id, suffix))
        id = read.image.id
        others = itertools.chain(  # where its folder is called like a file there is, beside it
            itertools.islice(file_names(id, suffix), 1, 3),
            file_names(id.replace("/", "_"), suffix),
        )
        while not to.put(name, data):
            name = self._ledger.take(verdict.decision, others)
        with self._lock:
            self._result.copied += 1
        return name
