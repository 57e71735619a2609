"""Jobs are real child processes: they run, are cancelled, die and go on."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time
from pathlib import Path

import pytest

from core import jobs
from core.errors import CoreError, LockedError, NotFoundError
from core.library import Library
from core.settings import Settings
from core.workspace import Workspace, read_json, write_json
from tests.core.conftest import Command, Pictures, wait_for

slow = pytest.mark.slow


def ended(workspace: Workspace, id: str, *, timeout_s: float = 120) -> jobs.Job:
    wait_for(lambda: not jobs.read(workspace, id).active, timeout_s=timeout_s)
    return jobs.read(workspace, id)


def pid_of(workspace: Workspace, id: str) -> int:
    wait_for(lambda: (workspace.jobs / id / "started.json").exists(), timeout_s=60)
    pid: int = read_json(workspace.jobs / id / "started.json")["pid"]
    return pid


def under_way(workspace: Workspace, id: str) -> bool:
    progress = jobs.read(workspace, id).progress
    return progress is not None and progress["done"] > 3


@slow
def test_a_job_from_start_to_result(settings: Settings, pictures: Pictures):
    workspace = Workspace.open(settings)
    arguments = ["index", str(pictures(60)), "--collection", "c"]
    started = jobs.start(settings, arguments, title="Bring in run")
    assert started.active and started.title == "Bring in run"
    assert started.arguments == tuple(arguments)
    children = jobs._children[:]
    jobs._children.clear()  # as after a restart of the dashboard: nobody holds it any more
    wait_for(lambda: jobs.read(workspace, started.id).progress is not None, timeout_s=60)
    done = ended(workspace, started.id)
    assert done.state == "done" and done.error is None
    assert done.result is not None
    assert (done.result["indexed"], done.result["skipped_count"]) == (60, 0)
    assert done.progress is not None and done.progress["done"] == done.progress["total"] == 60
    assert [job.id for job in jobs.listed(workspace)] == [started.id]
    library = Library.open(settings)
    assert len(library.vectors(library.catalogue.collection("c")).snapshot) == 60
    library.close()
    assert children[-1].wait() == 0
    jobs.forget(workspace, started.id)
    assert jobs.listed(workspace) == []


@slow
def test_a_job_that_fails_says_why(settings: Settings):
    workspace = Workspace.open(settings)
    job = jobs.start(settings, ["index", "/no/such/folder", "--collection", "c"], title="t")
    job = ended(workspace, job.id)
    assert job.state == "failed" and job.error is not None and "/no/such/folder" in job.error
    assert job.result is None


@slow
def test_a_command_that_cannot_be_parsed_is_dead_at_once(settings: Settings):
    workspace = Workspace.open(settings)
    job = jobs.start(settings, ["index", "--no-such-option"], title="t")
    job = ended(workspace, job.id, timeout_s=30)
    assert job.state == "dead" and job.error is not None and job.error.startswith("error: ")


@slow
def test_cancel_and_continue(settings: Settings, pictures: Pictures):
    workspace = Workspace.open(settings)
    source = str(pictures(200))
    job = jobs.start(settings, ["index", source, "--collection", "c"], title="t")
    wait_for(lambda: under_way(workspace, job.id), timeout_s=90)
    with pytest.raises(CoreError, match="cancel it first"):
        jobs.forget(workspace, job.id)
    with pytest.raises(CoreError, match=r"is running; wait for it, or cancel it first"):
        jobs.resume(settings, job.id)
    jobs.cancel(workspace, job.id)
    stopped = ended(workspace, job.id, timeout_s=60)
    assert stopped.state == "cancelled"
    assert stopped.error == "stopped; start it again and it continues where it was"
    jobs.cancel(workspace, job.id)  # what has ended cannot be asked
    assert jobs.resume(settings, job.id).active
    done = ended(workspace, job.id)
    assert done.state == "done" and done.result is not None
    assert done.result["indexed"] + done.result["already"] == 200


@slow
def test_cancelled_before_it_began(settings: Settings, pictures: Pictures):
    workspace = Workspace.open(settings)
    job = jobs.start(settings, ["index", str(pictures(3)), "--collection", "c"], title="t")
    assert job.state == "starting"
    jobs.cancel(workspace, job.id)
    stopped = ended(workspace, job.id, timeout_s=60)
    assert stopped.state == "cancelled"
    library = Library.open(settings)
    assert library.catalogue.collections() == []
    library.close()


@slow
def test_a_killed_job_is_dead_and_continues(settings: Settings, pictures: Pictures):
    workspace = Workspace.open(settings)
    source = str(pictures(150))
    job = jobs.start(settings, ["index", source, "--collection", "c"], title="t")
    wait_for(lambda: under_way(workspace, job.id), timeout_s=90)
    os.kill(pid_of(workspace, job.id), signal.SIGKILL)
    dead = ended(workspace, job.id, timeout_s=20)
    assert dead.state == "dead"
    assert dead.error is not None
    assert re.search(r"\d+ of 150", dead.error)  # its last line, which may be a step behind
    jobs.resume(settings, job.id)
    done = ended(workspace, job.id)
    assert done.state == "done" and done.result is not None
    assert done.result["indexed"] + done.result["already"] == 150


@slow
def test_the_second_writer_is_refused(settings: Settings, pictures: Pictures, command: Command):
    workspace = Workspace.open(settings)
    source = str(pictures(200))
    job = jobs.start(settings, ["index", source, "--collection", "c"], title="t")
    wait_for(lambda: under_way(workspace, job.id), timeout_s=90)
    pid = pid_of(workspace, job.id)
    says = rf"`index --collection c` \(process {pid}, since 20[0-9T:+-]+\)"
    with pytest.raises(LockedError, match=says), workspace.writing("a test"):
        pass
    os.kill(pid, signal.SIGSTOP)  # it writes for as long as the others need to start
    refused = command("index", source, "--collection", "d", "--json")
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert f"process {pid}" in refused.stderr and "`index --collection c`" in refused.stderr
    read = command("collections", "--json")  # reading goes on meanwhile
    assert read.returncode == 0
    os.kill(pid, signal.SIGCONT)
    jobs.cancel(workspace, job.id)
    ended(workspace, job.id, timeout_s=60)
    with workspace.writing("a test"):
        pass


@pytest.mark.parametrize(
    "id",
    [
        *("../x", "", ".", "a\0b", "x" * 9000),
        *("20260101-000000-abcdef/..", "20260101-000000-ABCDEF", "20260101-000000-abcdef\n"),
        "20260101-000000-abcdef",
    ],
)
def test_forged_and_unknown_ids(settings: Settings, id: str):
    workspace = Workspace.open(settings)
    (workspace.root / "x").mkdir()
    write_json(workspace.root / "x" / "job.json", {"title": "t", "arguments": [], "created": "c"})
    for ask in (jobs.read, jobs.cancel, jobs.forget):
        with pytest.raises(NotFoundError, match="there is no job"):
            ask(workspace, id)
    with pytest.raises(NotFoundError, match="there is no job"):
        jobs.resume(settings, id)
    with pytest.raises(NotFoundError, match="there is no job"), jobs.as_job(workspace, id):
        pass
    assert (workspace.root / "x" / "job.json").exists()


def test_a_folder_that_is_no_job_is_not_listed(settings: Settings):
    workspace = Workspace.open(settings)
    (workspace.jobs / "20260101-000000-abcdef").mkdir(parents=True)
    (workspace.jobs / "notes").mkdir()
    (workspace.jobs / "file.txt").write_text("x")
    assert jobs.listed(workspace) == []


def a_job(workspace: Workspace, **files: object) -> Path:
    folder = workspace.jobs / "20260101-000000-abcdef"
    job = {"title": "t", "arguments": ["collections"], "created": "c"}
    write_json(folder / "job.json", job)
    for name, value in files.items():
        write_json(folder / f"{name}.json", value)
    return folder


def test_what_never_began_is_dead_after_a_minute(settings: Settings):
    workspace = Workspace.open(settings)
    folder = a_job(workspace, spawned={"at": time.time() - 5, "pid": os.getpid()})
    assert jobs.read(workspace, folder.name).state == "starting"
    write_json(folder / "spawned.json", {"at": time.time() - 61, "pid": os.getpid()})
    (folder / "log.txt").write_text("first\n\nlast words\n")
    found = jobs.read(workspace, folder.name)
    assert (found.state, found.error) == ("dead", "last words")


def test_a_process_that_only_has_its_number_is_not_asked_to_stop(settings: Settings):
    """The job died, and the system gave its number to another process: this one."""
    workspace = Workspace.open(settings)
    folder = a_job(workspace, started={"pid": os.getpid()})
    assert jobs.read(workspace, folder.name).state == "dead"
    jobs.cancel(workspace, folder.name)
    assert jobs.read(workspace, folder.name).state == "dead"


def test_two_who_look_at_once_do_not_take_each_other_for_the_job(settings: Settings):
    workspace = Workspace.open(settings)
    folder = a_job(workspace, started={"pid": os.getpid()})
    with (folder / "alive.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert jobs.read(workspace, folder.name).state == "dead"
        fcntl.flock(held, fcntl.LOCK_EX)
        assert jobs.read(workspace, folder.name).state == "running"
    (folder / "alive.lock").chmod(0o444)
    assert jobs.read(workspace, folder.name).state == "dead"
