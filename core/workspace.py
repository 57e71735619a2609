"""The one folder: its layout, its format, and the lock of its one writer."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from core.errors import LockedError, RangeError, WorkspaceError
from core.settings import Settings

FORMAT = 1

LONGEST_SLUG = 200
"""Bytes; file systems take 255 with an extension."""

NO_ROOM = {
    getattr(errno, name, None)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO")
}
"""What the system says of a folder that cannot be written, and not of a mistake of ours."""


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def slug(encoder: str) -> str:
    """An encoder's name as a file name that cannot clash with another's.

    Examples
    --------
    >>> slug("descriptors")
    'descriptors'
    >>> slug("timm:resnet50.a1_in1k")
    'timm%3Aresnet50.a1_in1k'
    """
    text = re.sub(
        r"[^A-Za-z0-9._-]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), encoder
    )
    text = "%2E" + text[1:] if text.startswith(".") else text
    if len(text) <= LONGEST_SLUG:
        return text
    return text[:150] + "%" + hashlib.blake2b(encoder.encode(), digest_size=8).hexdigest()


def check_name(name: str, what: str) -> None:
    """Refuse a name that people would not see whole, or that a file's name cannot hold.

    Parameters
    ----------
    name : str
    what : str
        Whose it is, as in ``"the model's name"``.

    Raises
    ------
    RangeError
        Saying what is expected.
    """
    if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= 80:
        raise RangeError(
            f"{what} is {name[:100]!r}; expected 1 to 80 printable characters without blanks at "
            "its ends"
        )
    if unquote(slug(name)) != name:  # the file's name is where it is kept
        raise RangeError(f"{what} {name!r} is too long for a file name; shorten it")


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # not mkstemp, whose files nobody else may read: a workspace may be shared
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("x", encoding="utf-8", errors="surrogatepass") as stream:
            json.dump(value, stream, ensure_ascii=False, allow_nan=False)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The file's JSON, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except FileNotFoundError:
        return None


class Workspace:
    """Paths inside one workspace; opening it creates or checks its format."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.on_wait: Callable[[str], None] | None = None
        """Told the writer's command while `writing` waits for it; without it nobody waits."""

    @classmethod
    def open(cls, settings: Settings, *, create: bool = True) -> Workspace:
        """Open the workspace of these settings.

        Raises
        ------
        WorkspaceError
            If it is of a newer format, not a workspace, or cannot be written.
        """
        workspace = cls(settings.workspace)
        marker = workspace.root / "workspace.json"
        if workspace.root.is_file():
            raise WorkspaceError(
                f"{workspace.root} is a file; expected a folder, choose another as --workspace"
            )
        try:
            found = read_json(marker)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not JSON"
            raise WorkspaceError(
                f"{marker} cannot be read ({why}); expected the workspace's format: allow reading "
                "it, put back a copy of it, or choose another --workspace"
            ) from error
        if found is None:
            if not create:
                raise WorkspaceError(
                    f"{workspace.root} is no workspace yet; index images first or check --workspace"
                )
            workspace._create(marker)
        elif not isinstance(found, dict) or not isinstance(found.get("format"), int):
            raise WorkspaceError(f"{marker} states no format; expected {{'format': {FORMAT}}}")
        elif found["format"] > FORMAT:
            raise WorkspaceError(
                f"{workspace.root} has format {found['format']}; this version reads up to "
                f"{FORMAT}, update Plankton Explorer"
            )
        return workspace

    def _create(self, marker: Path) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            others = any(not path.name.startswith(".") for path in self.root.iterdir())
            if marker.exists():
                return  # another process made it just now
            if others:
                raise WorkspaceError(
                    f"{self.root} holds other files and no workspace.json; "
                    "choose an empty or a new folder as --workspace"
                )
            write_json(marker, {"format": FORMAT, "created": now()})
        except OSError as error:
            raise self.unwritable(error) from error

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue.sqlite"

    @property
    def chroma(self) -> Path:
        return self.root / "chroma"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def exports(self) -> Path:
        """What a page packed for download."""
        return self.root / "exports"

    def snapshots(self, uid: str) -> Path:
        return self.root / "snapshots" / uid

    def snapshot(self, uid: str, encoder: str, generation: int) -> Path:
        return self.snapshots(uid) / slug(encoder) / f"g{generation}"

    def measures(self, uid: str, encoder: str, preprocessing: int) -> Path:
        return self.root / "measures" / uid / slug(encoder) / f"p{preprocessing}"

    def thumbnails(self, uid: str) -> Path:
        return self.root / "thumbnails" / uid

    def projection(self, uid: str, encoder: str, method: str) -> Path:
        return self.root / "maps" / uid / slug(encoder) / f"{slug(method)}.parquet"

    def clusterings(self, uid: str, encoder: str) -> Path:
        return self.root / "clusterings" / uid / slug(encoder)

    def clustering(self, uid: str, encoder: str, name: str) -> Path:
        return self.clusterings(uid, encoder) / f"{slug(name)}.parquet"

    def selections(self, uid: str) -> Path:
        return self.root / "selections" / uid

    def screens(self, uid: str) -> Path:
        """Trained filters."""
        return self.root / "screens" / uid

    def audits(self, uid: str) -> Path:
        """Answers about what filters drop."""
        return self.root / "audits" / uid

    def evaluations(self, uid: str) -> Path:
        return self.root / "evaluations" / uid

    def _acquire(self, lock: Any, who: Path) -> None:
        """Take the lock, or, where somebody is told what is waited for, wait for it."""
        from filelock import Timeout

        while True:
            try:
                lock.acquire()
                return
            except Timeout:
                if self.on_wait is None:
                    raise
                self.on_wait(str(_writer(who).get("command", "another command")))
                time.sleep(0.5)

    @contextlib.contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """Be the one writer of this workspace while the block runs.

        The lock is the operating system's: it goes with the process, however that ends.

        Raises
        ------
        LockedError
            If another process writes now; names its command, its process and since when.
        """
        from filelock import FileLock, Timeout

        who = self.root / "writer.json"
        lock = FileLock(self.root / "writer.lock", timeout=0)
        try:
            self._acquire(lock, who)
            write_json(who, {"command": command, "pid": os.getpid(), "since": now()})
        except Timeout as error:
            found = _writer(who)
            raise LockedError(
                f"the workspace is being written by `{found.get('command', 'another command')}` "
                f"(process {found.get('pid', 'unknown')}, since {found.get('since', 'just now')}); "
                "wait until it is done, or stop it"
            ) from error
        except OSError as error:
            lock.release()
            raise self.unwritable(error) from error
        try:
            yield
        except OSError as error:
            elsewhere = error.filename and not Path(error.filename).is_relative_to(self.root)
            if error.errno not in NO_ROOM or elsewhere:
                raise
            raise self.unwritable(error) from error
        finally:
            with contextlib.suppress(OSError):
                who.unlink(missing_ok=True)
            lock.release()

    def unwritable(self, error: OSError) -> WorkspaceError:
        """The error to raise when writing failed."""
        return WorkspaceError(
            f"{self.root} cannot be written ({error.strerror or error}); allow writing, free some "
            "space or choose another --workspace; what was stored before is untouched"
        )


def _writer(who: Path) -> dict[str, Any]:
    """What the writer said of itself; empty while it is saying so."""
    try:
        return read_json(who) or {}
    except (OSError, ValueError):
        return {}


def log(message: str) -> None:
    """One line for a person, on stderr; stdout belongs to results."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
