"""Rows of float32 kept beside the store: appended batch by batch, read as a memory map.

A folder holds ``rows.E.f32`` (the numbers), ``log.E.jsonl`` (a line a confirmed batch: its ids and
the ids it removed) and ``current.json``, which names the epoch E. A batch counts once its line is
complete, so a crash leaves at most a tail that the next writer cuts off.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import NotFoundError, ShapeError, WorkspaceError
from core.workspace import read_json, write_json

COMPACT_ABOVE = 0.2  # share of dead rows that is worth rewriting the file for


@dataclass(frozen=True)
class Snapshot:
    """The live rows as they were when it was opened."""

    ids: list[str]
    vectors: NDArray[np.float32]
    """(n, d); a read-only memory map unless rows were replaced since the last compaction."""
    fingerprint: str
    """Sum of hashes of id and row: equal sets of rows have equal fingerprints."""
    version: str
    """Changes with every batch, compaction and removal."""

    def __len__(self) -> int:
        return len(self.ids)


def version(folder: Path) -> str:
    """What `Snapshot.version` would be now, without reading the rows; empty when there is none."""
    while (state := _read_state(folder)) is not None:
        try:
            return _version(state, _confirmed(folder / f"log.{state['epoch']}.jsonl"))
        except FileNotFoundError:
            _check_moved_on(folder, state)
    return ""


def count(folder: Path) -> int:
    """How many live rows there are, without reading them; 0 when nothing was written.

    Raises
    ------
    WorkspaceError
        If its files contradict each other.
    """
    while (state := _read_state(folder)) is not None:
        try:
            log = _read_log(folder, state)
            _check_held(folder / f"rows.{state['epoch']}.f32", log, state["dimension"])
            return len(log.live)
        except FileNotFoundError:
            _check_moved_on(folder, state)
    return 0


def open_snapshot(folder: Path) -> Snapshot:
    """Read the live rows of a folder.

    Raises
    ------
    NotFoundError
        If nothing was ever written there.
    WorkspaceError
        If its files contradict each other; ``doctor --repair`` rebuilds them.
    """
    while (state := _read_state(folder)) is not None:
        try:
            return _open(folder, state)
        except FileNotFoundError:  # compacted or dropped while we looked
            _check_moved_on(folder, state)
    raise NotFoundError(f"{folder} holds no vectors yet; run `doctor --repair`, or index again")


def _open(folder: Path, state: dict[str, Any]) -> Snapshot:
    log = _read_log(folder, state)
    d = state["dimension"]
    path = folder / f"rows.{state['epoch']}.f32"
    _check_held(path, log, d)
    every: NDArray[np.float32]
    if log.rows:
        every = np.memmap(path, dtype=np.float32, mode="r", shape=(log.rows, d))
    else:
        every = np.zeros((0, d), np.float32)
    ids = list(log.live)
    if len(ids) != log.rows:
        every = every[np.fromiter(log.live.values(), np.int64, len(ids))]
    return Snapshot(ids, every, f"{log.fingerprint:016x}", _version(state, log.size))


class SnapshotWriter:
    """Appends to a snapshot; one at a time, under the workspace's lock."""

    def __init__(self, folder: Path, *, dimension: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        state = _read_state(folder)
        if state is None:
            # what made it is part of its version: a folder dropped and made anew is another one
            state = {"epoch": 1, "dimension": dimension, "made": secrets.token_hex(4)}
            for name in ("rows.1.f32", "log.1.jsonl"):
                (folder / name).write_bytes(b"")  # a crash may have left some
            write_json(folder / "current.json", state)
        if state["dimension"] != dimension:
            raise ShapeError(
                f"{folder} holds rows of {state['dimension']} numbers; expected {dimension}"
            )
        self.dimension = dimension
        self._begin(state)

    def _begin(self, state: dict[str, Any]) -> None:
        try:
            log = _read_log(self.folder, state)
        except FileNotFoundError as error:
            raise _damaged(self.folder) from error
        self._state = state
        self.live = log.live
        self._fingerprint = log.fingerprint
        self._rows_path = self.folder / f"rows.{state['epoch']}.f32"
        self._log_path = self.folder / f"log.{state['epoch']}.jsonl"
        _check_held(self._rows_path, log, self.dimension)
        os.truncate(self._rows_path, log.rows * 4 * self.dimension)  # a batch cut off by a crash
        os.truncate(self._log_path, log.size)
        self._rows = log.rows

    def __contains__(self, id: str) -> bool:
        return id in self.live

    def __len__(self) -> int:
        return len(self.live)

    def append(self, ids: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Add rows, or replace those of known ids; confirmed and synced when it returns."""
        if rows.shape != (len(ids), self.dimension) or rows.dtype != np.float32:
            raise ShapeError(
                f"rows are {rows.dtype} {rows.shape}; expected float32 "
                f"({len(ids)}, {self.dimension})"
            )
        if not len(ids):
            return
        rows = np.ascontiguousarray(rows)
        fingerprint = self._without(id for id in set(ids) if id in self.live)
        for id, row in dict(zip(ids, rows, strict=True)).items():  # the last of an id given twice
            fingerprint += _hash(id, row)
        with self._rows_path.open("ab") as stream:
            stream.write(rows.tobytes())
            stream.flush()
            os.fsync(stream.fileno())
        self._confirm({"ids": list(ids)}, fingerprint)
        for offset, id in enumerate(ids):
            self.live.pop(id, None)  # so that the order of ids stays that of the rows
            self.live[id] = self._rows + offset
        self._rows += len(ids)

    def remove(self, ids: Iterable[str]) -> None:
        """Take rows away; unknown ids are ignored."""
        gone = [id for id in dict.fromkeys(ids) if id in self.live]
        if not gone:
            return
        self._confirm({"remove": gone}, self._without(gone))
        for id in gone:
            del self.live[id]

    def read(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) rows of these ids.

        Raises
        ------
        KeyError
            If an id has no row.
        """
        rows = [self.live[id] for id in ids]
        if not rows:
            return np.zeros((0, self.dimension), np.float32)
        every = np.memmap(
            self._rows_path, dtype=np.float32, mode="r", shape=(self._rows, self.dimension)
        )
        return np.asarray(every[rows])

    def compact(self) -> None:
        """Rewrite without dead rows when there are enough of them; readers keep what they have."""
        dead = self._rows - len(self.live)
        if dead <= COMPACT_ABOVE * max(self._rows, 1):
            return
        old_rows, old_log = self._rows_path, self._log_path
        ids = list(self.live)
        epoch = self._state["epoch"] + 1
        with (self.folder / f"rows.{epoch}.f32").open("wb") as stream:
            for start in range(0, len(ids), 4096):
                stream.write(self.read(ids[start : start + 4096]).tobytes())
            stream.flush()
            os.fsync(stream.fileno())
        line = json.dumps({"ids": ids, "fingerprint": f"{self._fingerprint:016x}"})
        with (self.folder / f"log.{epoch}.jsonl").open("wb") as stream:
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        state = {**self._state, "epoch": epoch}
        write_json(self.folder / "current.json", state)
        self._begin(state)
        for path in (old_rows, old_log):
            path.unlink(missing_ok=True)

    def _without(self, ids: Iterable[str]) -> int:
        known = list(ids)
        total = self._fingerprint
        for id, row in zip(known, self.read(known), strict=True):
            total -= _hash(id, row)
        return total

    def _confirm(self, entry: dict[str, Any], fingerprint: int) -> None:
        self._fingerprint = fingerprint % 2**64
        line = json.dumps({**entry, "fingerprint": f"{self._fingerprint:016x}"}) + "\n"
        with self._log_path.open("ab") as stream:
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())


def fingerprint_of(ids: Sequence[str], rows: NDArray[np.float32]) -> str:
    """The fingerprint a snapshot of exactly these rows has."""
    return f"{sum(_hash(id, row) for id, row in zip(ids, rows, strict=True)) % 2**64:016x}"


def _hash(id: str, row: NDArray[np.float32]) -> int:
    digest = hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=8)
    digest.update(row.tobytes())
    return int.from_bytes(digest.digest(), "little")


@dataclass
class _Log:
    live: dict[str, int]
    rows: int
    size: int
    fingerprint: int


def _read_state(folder: Path) -> dict[str, Any] | None:
    try:
        state = read_json(folder / "current.json")
    except ValueError as error:
        raise _damaged(folder) from error
    if state is None:
        return None
    if not isinstance(state, dict) or not all(
        isinstance(state.get(key), int) and state[key] > 0 for key in ("epoch", "dimension")
    ):
        raise _damaged(folder)
    return state


def _check_moved_on(folder: Path, seen: dict[str, Any]) -> None:
    """A file that was missing is damage, unless a writer has replaced it meanwhile."""
    if _read_state(folder) == seen:
        raise _damaged(folder)


def _check_held(path: Path, log: _Log, dimension: int) -> None:
    held = path.stat().st_size // (4 * dimension)
    if held < log.rows:
        raise WorkspaceError(
            f"{path} holds {held} rows but its log names {log.rows}; run `doctor --repair`"
        )


def _damaged(where: Path) -> WorkspaceError:
    return WorkspaceError(f"{where} is damaged; run `doctor --repair`")


def _version(state: dict[str, Any], size: int) -> str:
    return f"{state.get('made', '')}.{state['epoch']}.{size}"


def _confirmed(path: Path) -> int:
    """Size of a log without a line that a crash, or a batch being written, left open."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65_536)
            stream.seek(start)
            newline = stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0


def _read_log(folder: Path, state: dict[str, Any]) -> _Log:
    log = _Log({}, 0, 0, 0)
    path = folder / f"log.{state['epoch']}.jsonl"
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break  # a batch that was never confirmed
            try:
                entry = json.loads(line)
                ids, gone = entry.get("ids", []), entry.get("remove", [])
                log.fingerprint = int(entry["fingerprint"], 16)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise _damaged(path) from error
            for offset, id in enumerate(ids):
                log.live.pop(id, None)
                log.live[id] = log.rows + offset
            log.rows += len(ids)
            for id in gone:
                log.live.pop(id, None)
            log.size += len(line)
    return log
