"""The folder, its format, its one writer; folders that cannot be written."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import labels
from core.errors import LockedError, WorkspaceError
from core.library import Library
from core.settings import Settings
from core.workspace import FORMAT, Workspace, read_json, slug, write_json
from tests.core.conftest import ROOT, Command, Pictures, quiet_environment
from tests.core.prepared import IDS, IMAGES, prepared

HOLD = """
import sys
from pathlib import Path
from core.settings import Settings
from core.workspace import Workspace
with Workspace.open(Settings(Path(sys.argv[1]))).writing("index --collection other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


# format


def test_a_new_workspace_states_its_format(settings: Settings):
    Workspace.open(settings)
    marker = json.loads((settings.workspace / "workspace.json").read_text())
    assert marker["format"] == FORMAT
    before = contents(settings.workspace)
    Workspace.open(settings)
    assert contents(settings.workspace) == before


def test_what_others_on_this_machine_may_read_stays_so(settings: Settings):
    workspace = Workspace.open(settings)
    plain = workspace.root / "plain"
    plain.touch()
    assert (workspace.root / "workspace.json").stat().st_mode == plain.stat().st_mode


def test_a_newer_format_is_refused_and_left_alone(settings: Settings):
    settings.workspace.mkdir()
    (settings.workspace / "workspace.json").write_text(json.dumps({"format": FORMAT + 1}))
    (settings.workspace / "catalogue.sqlite").write_bytes(b"of the future")
    before = contents(settings.workspace)
    with pytest.raises(WorkspaceError, match=r"has format 2; this version reads up to 1, update"):
        Library.open(settings)
    assert contents(settings.workspace) == before


@pytest.mark.parametrize("text", ['{"format": "1"}', "[]", "{}"])
def test_a_marker_without_a_format(settings: Settings, text: str):
    settings.workspace.mkdir()
    (settings.workspace / "workspace.json").write_text(text)
    with pytest.raises(WorkspaceError, match="states no format; expected"):
        Workspace.open(settings)


def test_a_damaged_marker(settings: Settings):
    settings.workspace.mkdir()
    (settings.workspace / "workspace.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"cannot be read \(it is not JSON\).*put back a copy"):
        Workspace.open(settings)


def test_a_folder_of_other_files_is_refused_and_left_alone(settings: Settings):
    settings.workspace.mkdir()
    (settings.workspace / "thesis.tex").write_text("x")
    with pytest.raises(WorkspaceError, match="holds other files and no workspace"):
        Workspace.open(settings)
    assert contents(settings.workspace) == {"thesis.tex": b"x"}


def test_a_file_in_its_place(settings: Settings):
    settings.workspace.write_text("x")
    with pytest.raises(WorkspaceError, match="is a file; expected a folder"):
        Workspace.open(settings)
    assert settings.workspace.read_text() == "x"


def test_a_file_among_its_parents(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkspaceError, match="cannot be"):
        Workspace.open(Settings(tmp_path / "file" / "workspace"))


def test_a_workspace_that_must_be_there_already(settings: Settings):
    with pytest.raises(WorkspaceError, match="is no workspace yet; index images first"):
        Workspace.open(settings, create=False)
    assert not settings.workspace.exists()


# the names of its files


@given(st.text(min_size=1), st.text(min_size=1))
def test_slugs_are_file_names_and_do_not_clash(a: str, b: str):
    if any(0xD800 <= ord(c) <= 0xDFFF for c in a + b):
        return
    assert slug(a).isascii()
    assert "/" not in slug(a)
    assert not slug(a).startswith(".")
    assert len(slug(a)) <= 200
    assert (slug(a) == slug(b)) == (a == b)


def test_a_checkpoint_far_down_still_has_a_file_name():
    deep = "openclip:ViT-B-32@/" + "deep/" * 100
    assert len(slug(deep + "a.pt")) <= 200
    assert slug(deep + "a.pt") != slug(deep + "b.pt")


def test_json_is_replaced_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "a" / "x.json"
    assert read_json(path) is None
    write_json(path, {"name": "µ \udc80"})
    assert read_json(path) == {"name": "µ \udc80"}
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"name": float("nan")})
    assert read_json(path) == {"name": "µ \udc80"}
    assert [each.name for each in path.parent.iterdir()] == ["x.json"]


# one writer


@pytest.fixture
def writer(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.workspace)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_told_who_writes(settings: Settings, writer: subprocess.Popen[str]):
    workspace = Workspace.open(settings)
    with pytest.raises(LockedError) as caught, workspace.writing("delete"):
        pass
    text = str(caught.value)
    assert "`index --collection other`" in text
    assert f"process {writer.pid}, since 20" in text
    assert "wait until it is done, or stop it" in text


def test_the_lock_goes_with_a_killed_process(settings: Settings, writer: subprocess.Popen[str]):
    writer.kill()
    writer.wait()
    with Workspace.open(settings).writing("delete"):
        assert read_json(settings.workspace / "writer.json")["pid"] == os.getpid()
    assert read_json(settings.workspace / "writer.json") is None


def test_readers_do_not_wait_for_the_writer(
    settings: Settings, command: Command, writer: subprocess.Popen[str]
):
    done = command("collections", "--json")
    assert json.loads(done.stdout) == {"collections": []}
    assert writer.poll() is None


def test_a_second_writer_on_the_command_line(
    command: Command, pictures: Pictures, writer: subprocess.Popen[str]
):
    done = command("index", str(pictures(1)), "--collection", "run", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"process {writer.pid}" in done.stderr


def test_the_same_process_does_not_write_twice_at_once(settings: Settings):
    workspace = Workspace.open(settings)
    with (
        workspace.writing("index"),
        pytest.raises(LockedError, match="`index`"),
        workspace.writing("delete"),
    ):
        pass


def test_a_mistake_of_ours_is_not_called_a_full_disk(settings: Settings):
    workspace = Workspace.open(settings)
    with pytest.raises(FileNotFoundError), workspace.writing("index"):
        (workspace.root / "nothing").read_bytes()
    with pytest.raises(OSError, match="x"), workspace.writing("index"):
        raise PermissionError(13, "x", "/elsewhere/file")


# folders that cannot be written

CAP_DAC_OVERRIDE = 1
PR_CAPBSET_DROP = 24


def as_anybody() -> None:
    """In a child: what a file's mode forbids is forbidden, even to root."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) != 0:
        os._exit(77)


def with_files_of(size: int) -> Callable[[], None]:
    """In a child: no file grows beyond `size` bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def core(
    settings: Settings, *arguments: str, before: Callable[[], None]
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments, "--workspace", str(settings.workspace)],
        cwd=ROOT,
        env=quiet_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        preexec_fn=before,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this root cannot give up its right to write everywhere")
    return done


@pytest.fixture
def filled(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that holds a collection."""
    return prepared(tmp_path_factory, settings.workspace)


@pytest.fixture
def frozen(filled: Path) -> Iterator[Path]:
    """The same, read-only."""
    every = [filled, *filled.rglob("*")]
    modes = {path: path.stat().st_mode for path in every}
    for path in every:
        path.chmod(modes[path] & 0o555)
    yield filled
    for path in every:
        if path.exists():
            path.chmod(modes[path])


def assert_one_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert words in said[0], said
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_read_only_workspace_can_be_read(settings: Settings, frozen: Path):
    before = contents(frozen)
    done = core(settings, "collections", "--json", before=as_anybody)
    assert json.loads(done.stdout)["collections"][0]["images"] == IMAGES
    done = core(
        settings, "similar", "--collection", "run", "--id", IDS[2], "--json",
        before=as_anybody,
    )  # fmt: skip
    assert len(json.loads(done.stdout)["matches"]) == IMAGES
    out = frozen.parent / "out.csv"
    done = core(
        settings, "export", "--collection", "run", "--format", "csv", "-o", str(out), "--json",
        before=as_anybody,
    )  # fmt: skip
    assert json.loads(done.stdout)["images"] == IMAGES, done.stderr
    assert contents(frozen) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["delete", "--collection", "run"],
        ["rename", "--collection", "run", "--to", "d"],
        ["project", "--collection", "run", "--method", "pca"],
        ["doctor"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_read_only_workspace_cannot_be_written(
    settings: Settings, frozen: Path, arguments: list[str]
):
    before = contents(frozen)
    done = core(settings, *arguments, before=as_anybody)
    assert_one_sentence(done, f"{frozen} cannot be written (Permission denied)")
    assert contents(frozen) == before


def test_a_workspace_where_nothing_may_be_made(tmp_path: Path):
    tmp_path.chmod(0o555)
    done = core(Settings(tmp_path / "workspace"), "collections", before=as_anybody)
    tmp_path.chmod(0o755)
    assert_one_sentence(done, "cannot be written (Permission denied)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "words"), [(20_000, "the catalogue cannot be used"), (110_000, "the vector store")]
)
def test_a_full_disk_touches_nothing_stored(
    settings: Settings, filled: Path, pictures: Pictures, size: int, words: str
):
    before = collection_of(settings)
    more = str(pictures(60, name="more", seed=5))
    done = core(settings, "index", more, "--collection", "d", "--json", before=with_files_of(size))
    assert_one_sentence(done, words)
    assert "its disk has room" in done.stderr
    assert collection_of(settings) == before
    again = core(settings, "index", more, "--collection", "d", "--json", before=lambda: None)
    assert json.loads(again.stdout)["skipped"] == []
    library = Library.open(settings)
    assert len(library.vectors(library.catalogue.collection("d")).snapshot) == 60
    library.close()


def collection_of(settings: Settings) -> tuple[object, ...]:
    """All that is kept of the collection that was there before."""
    library = Library.open(settings)
    collection = library.catalogue.collection("run")
    images = library.catalogue.images(collection.uid)
    known = labels.current(library.catalogue, collection.uid)
    snapshot = library.vectors(collection).snapshot
    library.close()
    return collection, images, known, snapshot.fingerprint, snapshot.ids


@pytest.mark.slow
def test_a_full_disk_and_a_thumbnail(settings: Settings, pictures: Pictures):
    """What a worker cannot write is not said to be our fault."""
    done = core(
        settings,
        "index",
        str(pictures(40, seed=2)),
        "--collection",
        "d",
        before=with_files_of(100),
    )
    assert_one_sentence(done, "cannot be")


@pytest.mark.slow
def test_a_run_that_was_interrupted_says_how_to_go_on(settings: Settings, pictures: Pictures):
    process = subprocess.Popen(
        [
            sys.executable, "-m", "core", "index", str(pictures(1_500)), "--collection", "run",
            "--workspace", str(settings.workspace),
        ],
        cwd=ROOT, env=quiet_environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # not while libraries are imported: Python may drop an interrupt there
    assert any("Reading and encoding" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "run the same command again" in said.splitlines()[-1]


def test_a_job_waits_for_the_writer_and_says_for_whom(tmp_path: Path):
    first, second = Workspace(tmp_path), Workspace(tmp_path)
    told: list[str] = []
    inside = threading.Event()
    done = threading.Event()

    def hold() -> None:
        with first.writing("index --collection one"):
            inside.set()
            done.wait(20)

    def tell(command: str) -> None:
        told.append(command)
        done.set()

    other = threading.Thread(target=hold)
    other.start()
    assert inside.wait(20)
    second.on_wait = tell
    with second.writing("rename --collection two"):
        assert told == ["index --collection one"]
    other.join(20)
