"""What a filter decided, as a CSV for people; beside it, what lets a run that was killed continue.

The state is a small SQLite file: ids that were decided and names that were given, as hashes or
rows on the disk, so that memory does not grow with them. A batch counts once the state says so,
with how long the CSV was by then: what a killed run wrote beyond that is cut off by the next one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from core.cells import is_formula, unescaped
from core.errors import CoreError, LockedError, SourceError

COLUMNS = ("id", "uri", "score", "decision", "unfamiliar", "reason", "file", "nearest")

STATE = ".state"
"""Added to the report's name."""

_TABLES = """
CREATE TABLE IF NOT EXISTS said (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS done (id BLOB PRIMARY KEY, stamp BLOB, run INTEGER, what TEXT)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """One image's line."""

    id: str
    uri: str
    score: float | None
    """None of an image that could not be read."""
    keep: bool
    unfamiliar: bool
    reason: str
    file: str = ""
    """What its copy is called; empty without one."""
    nearest: float | None = None
    """Cosine similarity to the most alike image of the training."""

    @property
    def decision(self) -> str:
        return "keep" if self.keep else "drop"

    @property
    def counts(self) -> tuple[str, ...]:
        """What it counts as: ``kept`` or ``dropped``; of those kept some ``unfamiliar`` or
        ``unreadable``."""
        found = ["kept" if self.keep else "dropped"]
        found += ["unfamiliar"] if self.unfamiliar else []
        found += ["unreadable"] if self.score is None else []
        return tuple(found)

    def cells(self) -> list[str]:
        score, nearest = _number(self.score), _number(self.nearest)
        unfamiliar = "true" if self.unfamiliar else "false"
        cells = [self.id, self.uri, score, self.decision, unfamiliar, self.reason, self.file]
        return [f"'{text}" if is_formula(text) else text for text in [*cells, nearest]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


class Ledger:
    """Decisions that were made, and how often each; as a context it is closed at the end.

    Parameters
    ----------
    report : Path or None
        The CSV; None keeps only what one run needs, in a file that the system takes away.
    about : mapping
        What a run that continues must have in common with the one before, as text.
    rehearsal : bool
        Whether nothing is copied. Such a report makes way for the next one.

    Raises
    ------
    SourceError
        If the report cannot be continued: it is another file, or of another filter or source.
    LockedError
        If another run writes it now.
    """

    def __init__(
        self, report: Path | None, about: Mapping[str, str], *, rehearsal: bool = False
    ) -> None:
        self.report = report
        self.counts: Counter[str] = Counter()
        self._csv: IO[bytes] | None = None
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        if report is None:
            self._state = sqlite3.connect("", check_same_thread=False)
            self._state.executescript(_TABLES)
            self._run = 1
            return
        state = report.with_name(report.name + STATE)
        _check_whose(report, state)
        self._state = sqlite3.connect(state, timeout=0, check_same_thread=False)
        try:
            self._state.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._state.execute("BEGIN EXCLUSIVE")  # held, in this mode, until it is closed
            self._state.commit()
            self._state.executescript(_TABLES)
            self._continue(report, dict(about), rehearsal)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise _unusable(report, state, error) from error
            raise

    def _continue(self, report: Path, about: dict[str, str], rehearsal: bool) -> None:
        said = dict(self._state.execute("SELECT key, value FROM said"))
        was_rehearsal = said.get("rehearsal") == "yes"
        if said and rehearsal and not was_rehearsal:
            raise SourceError(
                f"{report} holds decisions that were carried out; choose another --report for "
                "--dry-run"
            )
        before = json.loads(said["about"]) if said else about
        if was_rehearsal and (not rehearsal or before != about):
            said, before = {}, about
            self._state.executescript("DELETE FROM said; DELETE FROM done; DELETE FROM names;")
        for what, now in about.items():
            if before.get(what) != now:
                raise SourceError(
                    f"{report} is of another {what} ({before.get(what)}; now {now}); choose "
                    "another --report, or take it and its .state away to begin anew"
                )
        size = int(said.get("bytes", 0))
        self.counts = Counter(json.loads(said["counts"])) if said else Counter()
        self._run = int(said.get("run", 0)) + 1
        try:
            self._csv = report.open("r+b" if report.exists() else "w+b")
            if self._csv.seek(0, os.SEEK_END) < size:
                raise SourceError(
                    f"{report} is shorter than it was; put it back, or take it and its .state away "
                    "to begin anew"
                )
            self._csv.truncate(size)
            self._csv.seek(size)
            if not size:
                self._csv.write(_lines([COLUMNS]))
        except OSError as error:
            raise CoreError(f"{report} cannot be written ({error.strerror or error})") from error
        about_json = json.dumps(about)
        self._say(about=about_json, run=self._run, rehearsal="yes" if rehearsal else "no")
        self._write([])

    def known(self, id: str, stamp: str) -> str | None:
        """``run`` if this run decided the image, ``before`` if an earlier one did and the file is
        what it was, else None."""
        if id in self._pending:
            return "run"
        found = self._state.execute(
            "SELECT stamp, run FROM done WHERE id = ?", (_hash(id),)
        ).fetchone()
        if found is None:
            return None
        if found[1] == self._run:
            return "run"
        return "before" if found[0] == _hash(stamp) else None

    def begin(self, id: str) -> None:
        """The image is being decided: `known` says so from now on."""
        self._pending.add(id)

    def take(self, folder: str, names: Iterator[str]) -> str:
        """The first of these names that no copy in this folder has, in capitals or not.

        Threads may ask at once, as long as nothing else is asked meanwhile.
        """
        with self._lock:
            for name in names:
                taken = self._state.execute(
                    "INSERT OR IGNORE INTO names VALUES (?)", (f"{folder}/{name}".lower(),)
                )
                if taken.rowcount:
                    return name
        raise CoreError(f"there is no name left for a copy in {folder}; choose another folder")

    def confirm(self, rows: Sequence[tuple[Row, str]]) -> None:
        """Decisions and their images' stamps, on the disk before this returns.

        An image whose file changed counts as what it is now.

        Raises
        ------
        CoreError
            If they cannot be written; none of them counts then.
        """
        try:
            for row, stamp in rows:
                key = _hash(row.id)
                found = self._state.execute("SELECT what FROM done WHERE id = ?", (key,))
                if (before := found.fetchone()) is not None:
                    self.counts.subtract(before[0].split())
                self.counts.update(row.counts)
                self._state.execute(
                    "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)",
                    (key, _hash(stamp), self._run, " ".join(row.counts)),
                )
            self._write([row.cells() for row, _ in rows])
        except (OSError, sqlite3.OperationalError) as error:
            why = getattr(error, "strerror", None) or error
            raise CoreError(
                f"{self.report} cannot be written ({why}); free some space, then run the same "
                "command again: it continues"
            ) from error
        self._pending.difference_update(row.id for row, _ in rows)

    def _write(self, cells: Sequence[Sequence[str]]) -> None:
        size = 0
        if self._csv is not None:
            self._csv.write(_lines(cells))
            self._csv.flush()
            os.fsync(self._csv.fileno())
            size = self._csv.tell()
        self._say(bytes=size, counts=json.dumps(self.counts))
        self._state.commit()

    def _say(self, **said: object) -> None:
        self._state.executemany(
            "INSERT OR REPLACE INTO said VALUES (?, ?)", [(k, str(v)) for k, v in said.items()]
        )

    def close(self) -> None:
        if self._csv is not None:
            self._csv.close()
        self._state.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_whose(report: Path, state: Path) -> None:
    """Refuse a report that an earlier run did not leave, before anything is written."""
    if not report.parent.is_dir():
        raise SourceError(f"{report.parent} is no folder; expected one to write {report.name}")
    if report.exists() and not state.exists() and report.stat().st_size:
        raise SourceError(
            f"{report} is there already, and {state.name} beside it, which lets a run "
            "continue, is not; choose another --report, or take it away"
        )


def read_report(path: Path) -> Iterator[Row]:
    """The lines of a report, in its order; an image whose file changed has several.

    A line that a killed run left half written, or left out of the state, is not read.

    Raises
    ------
    SourceError
        If it is no report.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(
            f"{path} cannot be read ({why}); expected a report of screen apply"
        ) from (error)
    with stream:
        size = confirmed_bytes(path)
        text = io.TextIOWrapper(
            io.BufferedReader(_Beginning(stream, size)),
            encoding="utf-8",
            errors="surrogatepass",
            newline="",
        )
        table = csv.reader(text)
        if tuple(next(table, ()))[: len(COLUMNS)] != COLUMNS:
            raise SourceError(
                f"{path} is no report of screen apply; expected the columns {', '.join(COLUMNS)}"
            )
        for cells in table:
            if len(cells) < len(COLUMNS) or cells[3] not in ("keep", "drop"):
                raise SourceError(
                    f"{path}, line {table.line_num}: expected {len(COLUMNS)} cells and keep or drop"
                )
            id, uri, score, decision, unfamiliar, reason, file, nearest = map(unescaped, cells[:8])
            try:
                value, alike = (float(text) if text else None for text in (score, nearest))
            except ValueError:
                raise SourceError(
                    f"{path}, line {table.line_num}: {score[:40]!r} and {nearest[:40]!r} came; "
                    "expected numbers"
                ) from None
            keep, strange = decision == "keep", unfamiliar == "true"
            yield Row(id, uri, value, keep, strange, reason, file, alike)


def confirmed_bytes(report: Path) -> int:
    """How much of a report counts; all of one whose state is not beside it."""
    state = report.with_name(report.name + STATE)
    size = report.stat().st_size
    if not state.exists():
        return size
    try:
        connection = sqlite3.connect(f"file:{_uri(state)}?mode=rw", uri=True, timeout=0)
        try:
            found = connection.execute("SELECT value FROM said WHERE key = 'bytes'").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise LockedError(
            f"{report} is being written by another run; wait until it is done, or copy it"
        ) from error
    return min(size, int(found[0])) if found else size


class _Beginning(io.RawIOBase):
    """The first bytes of a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _uri(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))


def _lines(cells: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(cells)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _unusable(report: Path, state: Path, error: sqlite3.DatabaseError) -> CoreError:
    if "locked" in str(error):
        return LockedError(
            f"{report} is being written by another run; wait until it is done, or choose another "
            "--report"
        )
    if isinstance(error, sqlite3.OperationalError):
        return CoreError(f"{state} cannot be written ({error}); choose another --report")
    return SourceError(
        f"{state} is damaged ({error}); expected what an earlier run left: take it and "
        f"{report.name} away, or choose another --report"
    )
