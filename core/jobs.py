"""Long work as a child process: it survives the page, the browser and the dashboard."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import CancelledError, CoreError, NotFoundError
from core.progress import Progress, sentence
from core.settings import Settings
from core.workspace import Workspace, now, read_json, write_json

START_S = 60.0  # importing what a job needs takes seconds on a busy machine
GRACE_S = 10.0  # between asking a job to stop and ending it

_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Job:
    """One job as it stands now."""

    id: str
    title: str
    arguments: tuple[str, ...]
    created: str
    state: str
    """``starting``, ``running``, ``done``, ``failed``, ``cancelled`` or ``dead``."""
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    """Why it failed, or its last line when it died."""

    @property
    def active(self) -> bool:
        return self.state in ("starting", "running")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "command": list(self.arguments),
            "created": self.created,
            "state": self.state,
            "progress": self.progress,
            "result": self.result,
            "error": self.error,
        }


def start(settings: Settings, arguments: Sequence[str], *, title: str) -> Job:
    """Start ``python -m core ARGUMENTS`` on this workspace and return at once."""
    workspace = Workspace.open(settings)
    id = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
    folder = workspace.jobs / id
    try:
        folder.mkdir(parents=True)
        write_json(
            folder / "job.json", {"title": title, "arguments": list(arguments), "created": now()}
        )
    except OSError as error:
        raise workspace.unwritable(error) from error
    _spawn(settings, folder, arguments)
    return read(workspace, id)


def _spawn(settings: Settings, folder: Path, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "core", *arguments]
    command += ["--workspace", str(settings.workspace), "--json", "--job", folder.name]
    if settings.store_url:
        command += ["--store", settings.store_url]
    write_json(folder / "spawned.json", {"at": time.time(), "pid": None})
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # a signal to the dashboard is not one to its jobs
            cwd=Path(__file__).resolve().parent.parent,
        )
    write_json(folder / "spawned.json", {"at": time.time(), "pid": child.pid})
    _children[:] = [c for c in _children if c.poll() is None] + [child]


def read(workspace: Workspace, id: str) -> Job:
    """One job as it stands.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    folder = _folder(workspace, id)
    job = read_json(folder / "job.json")
    if job is None:  # forgotten just now
        raise NotFoundError(f"there is no job {id!r}; `jobs` lists them")
    for child in _children:
        child.poll()  # so that a finished child does not linger as a zombie
    state, end = _state(folder)
    return Job(
        id=id,
        title=job["title"],
        arguments=tuple(job["arguments"]),
        created=job["created"],
        state=state,
        progress=read_json(folder / "progress.json"),
        result=end.get("result"),
        error=end.get("error") or (_last_line(folder) if state == "dead" else None),
    )


def listed(workspace: Workspace) -> list[Job]:
    """Every job, the newest first."""
    if not workspace.jobs.is_dir():
        return []
    names = sorted((p.name for p in workspace.jobs.iterdir() if p.is_dir()), reverse=True)
    jobs = []
    for name in names:
        with contextlib.suppress(NotFoundError):
            jobs.append(read(workspace, name))
    return jobs


def cancel(workspace: Workspace, id: str) -> None:
    """Ask a job to stop; one that does not listen is ended by the next call after ten seconds."""
    folder = _folder(workspace, id)
    process = read_json(folder / "started.json")
    if process is None and _state(folder)[0] == "starting":
        write_json(folder / "cancel.json", {"at": time.time()})  # it looks before it begins
        process = read_json(folder / "started.json")
    if process is None or not _alive(folder):
        return
    asked = read_json(folder / "cancel.json")
    sign = signal.SIGTERM
    if asked is None:
        write_json(folder / "cancel.json", {"at": time.time()})
    elif time.time() - asked["at"] > GRACE_S:
        sign = signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):
        os.kill(process["pid"], sign)


def resume(settings: Settings, id: str) -> Job:
    """Start a job that ended again, with the same arguments; what it had done counts."""
    workspace = Workspace.open(settings)
    job = read(workspace, id)
    if job.active:
        raise CoreError(f"job {id} is {job.state}; wait for it, or cancel it first")
    folder = _folder(workspace, id)
    for name in ("end.json", "started.json", "cancel.json", "progress.json"):
        (folder / name).unlink(missing_ok=True)
    _spawn(settings, folder, job.arguments)
    return read(workspace, id)


def forget(workspace: Workspace, id: str) -> None:
    """Delete what is kept of a job that ended."""
    if read(workspace, id).active:
        raise CoreError(f"job {id} still runs; cancel it first")
    shutil.rmtree(_folder(workspace, id), ignore_errors=True)


@contextlib.contextmanager
def as_job(workspace: Workspace, id: str) -> Iterator[Path]:
    """Run the block as that job: its folder, its life sign, and SIGTERM as `CancelledError`."""
    from filelock import FileLock

    folder = _folder(workspace, id)
    with FileLock(folder / "alive.lock", timeout=5):
        signal.signal(signal.SIGTERM, _stop)  # before anybody can know whom to ask
        write_json(folder / "started.json", {"pid": os.getpid()})
        if (folder / "cancel.json").exists():
            finish(folder, state="cancelled", error="stopped before it began")
            raise CancelledError("stopped before it began")
        yield folder


def finish(folder: Path, *, state: str, result: Any = None, error: str | None = None) -> None:
    """Write how a job ended."""
    write_json(folder / "end.json", {"state": state, "result": result, "error": error})


def _stop(_signal: int, _frame: Any) -> None:
    raise CancelledError("stopped; start it again and it continues where it was")


def _folder(workspace: Workspace, id: str) -> Path:
    folder = workspace.jobs / id
    known = re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", id)
    if not known or not (folder / "job.json").exists():
        raise NotFoundError(f"there is no job {id!r}; `jobs` lists them")
    return folder


def _state(folder: Path) -> tuple[str, dict[str, Any]]:
    end = read_json(folder / "end.json")
    if end is not None:
        return end["state"], end
    if (folder / "started.json").exists():
        if _alive(folder):
            return "running", {}
        end = read_json(folder / "end.json")  # it may have ended just now
        if end is not None:
            return end["state"], end
        return ("cancelled" if (folder / "cancel.json").exists() else "dead"), {}
    spawned = read_json(folder / "spawned.json") or {"at": 0.0, "pid": None}
    late = time.time() - spawned["at"] > START_S
    if late or (spawned.get("pid") is not None and not _exists(spawned["pid"])):
        end = read_json(folder / "end.json")  # it may have begun and ended just now
        if end is not None:
            return end["state"], end
        return ("cancelled" if (folder / "cancel.json").exists() else "dead"), {}
    return "starting", {}


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _alive(folder: Path) -> bool:
    """Whether the job's process holds its lock: the system lets go of it however it ends."""
    import fcntl

    try:
        with (folder / "alive.lock").open("rb") as stream:
            # shared, so that two who look at once do not take each other for the job
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _last_line(folder: Path) -> str | None:
    try:
        lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    if lines:
        return lines[-1][-500:]
    progress = read_json(folder / "progress.json")
    return None if progress is None else sentence(Progress(**progress))
