"""Nothing that was confirmed is lost: killed in the middle, two at once; SQLite and PostgreSQL."""

from __future__ import annotations

import os
import pwd
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from core import label_history, labels
from core.catalogue import Catalogue, NewImage
from core.labels import Decision
from core.settings import Settings
from tests.core.conftest import ROOT, quiet_environment

UID = "u"
KILLS = 50
SIZE = 150
"""Images an action."""

BULK = """
import sys
from pathlib import Path
from core import labels
from core.catalogue import Catalogue
from core.labels import Decision
from core.settings import Settings

workspace, url, who, size, actions, shared = sys.argv[1:]
catalogue = Catalogue.open(Settings(Path(workspace), catalogue_url=url or None))
print("ready", flush=True)
for n in range(int(actions)):
    first = 0 if shared == "shared" else n * int(size)
    said = [Decision(f"i{first + k}", f"{who}-{n}") for k in range(int(size))]
    print(labels.record(catalogue, "u", said, by=who, how="selection"), flush=True)
"""


def bulk(settings: Settings, who: str, *, actions: int, shared: bool) -> subprocess.Popen[str]:
    """A process that labels, an action after the other, and prints each that is confirmed."""
    options = [who, str(SIZE), str(actions), "shared" if shared else "own"]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            BULK,
            str(settings.workspace),
            settings.catalogue_url or "",
            *options,
        ],
        cwd=ROOT,
        env=quiet_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of the system's package, on a socket of its own; the url of its user."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    program = shutil.which("initdb") or (str(found[-1]) if found else None)
    if program is None:
        pytest.skip("PostgreSQL is not installed: no initdb in the path or /usr/lib/postgresql")
    if find_spec("psycopg") is None:
        pytest.skip("the driver psycopg is not installed")
    as_user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="plankton-pg-"))  # a socket's path has to be short
    control = [str(Path(program).with_name("pg_ctl")), "-D", str(folder / "data")]

    def call(*command: str) -> None:
        subprocess.run(
            command, cwd=folder, check=True, timeout=120, stdout=subprocess.DEVNULL, user=as_user
        )

    try:
        if as_user is not None:
            shutil.chown(folder, as_user)
        call(program, "-D", str(folder / "data"), "-U", "plankton", "-A", "trust", "-E", "UTF8")
        where = f"-k {folder} -c listen_addresses=''"
        call(*control, "-w", "-o", where, "-l", str(folder / "log"), "start")
        yield f"postgresql+psycopg://plankton@/postgres?host={folder}"
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"],
            check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=as_user,
        )  # fmt: skip
        shutil.rmtree(folder)


def unprivileged() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    pytest.skip("PostgreSQL refuses to run as root and there is no other user")


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of an empty catalogue."""
    if request.param == "sqlite":
        return settings
    url = sa.make_url(request.getfixturevalue("postgres"))
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    whole = url.set(database=name).render_as_string(hide_password=False)
    return Settings(settings.workspace, catalogue_url=whole)


@pytest.fixture
def catalogue(anywhere: Settings) -> Iterator[Catalogue]:
    opened = Catalogue.open(anywhere)
    yield opened
    opened.close()


def check_whole(catalogue: Catalogue, confirmed: list[str]) -> int:
    """Every confirmed action is there, none twice, none by half; how many were not confirmed."""
    images: dict[str, list[str]] = defaultdict(list)
    for event in labels.every_event(catalogue, UID):
        images[event["action"]].append(event["image"])
    assert len(confirmed) == len(set(confirmed))
    assert set(confirmed) <= set(images)
    for action, of in images.items():
        assert len(of) == len(set(of)) == SIZE, action
    return len(images) - len(confirmed)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_random_moments_nothing_confirmed_is_lost(
    anywhere: Settings, catalogue: Catalogue
):
    rng = random.Random(5)
    confirmed: list[str] = []
    for n in range(KILLS):
        process = bulk(anywhere, f"p{n}", actions=10_000, shared=False)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        timer = threading.Timer(rng.uniform(0, 0.4), process.kill)
        timer.start()
        told = process.stdout.read()  # until it is dead
        assert process.wait(timeout=30) == -signal.SIGKILL
        timer.join()
        process.stdout.close()
        confirmed += told.split("\n")[:-1]
    assert len(confirmed) > KILLS
    unconfirmed = check_whole(catalogue, confirmed)
    assert unconfirmed <= KILLS  # those whose confirmation the kill came before
    if anywhere.catalogue_url is None:
        with catalogue.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(anywhere: Settings, catalogue: Catalogue):
    actions = 40
    both = [bulk(anywhere, who, actions=actions, shared=True) for who in ("ann", "bob")]
    confirmed = []
    for process in both:
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        confirmed += out.split("\n")[1:-1]
    assert len(confirmed) == 2 * actions
    assert check_whole(catalogue, confirmed) == 0
    events = list(labels.every_event(catalogue, UID))
    assert Counter(e["by"] for e in events) == dict.fromkeys(("ann", "bob"), actions * SIZE)
    runs = [events[n]["action"] for n in range(0, len(events), SIZE)]
    assert len(set(runs)) == 2 * actions  # one after the other, never interleaved
    last = {e["image"]: e["label"] for e in events}
    now = labels.current(catalogue, UID)
    assert {image: said.label for image, said in now.items()} == last


@pytest.mark.slow
def test_of_two_who_looked_at_the_same_one_is_told(anywhere: Settings, catalogue: Catalogue):
    """Thirty rounds of two sessions that decide at the same moment."""
    others = Catalogue.open(anywhere)
    try:
        for n in range(30):
            seen, ready = labels.revision(catalogue, UID), threading.Barrier(2)
            told: dict[str, labels.Decided] = {}

            def decide(
                who: str,
                where: Catalogue,
                *,
                image: str = f"i{n}",
                seen: int = seen,
                ready: threading.Barrier = ready,
                told: dict[str, labels.Decided] = told,
            ) -> None:
                ready.wait(timeout=30)
                said = [Decision(image, f"{who} says")]
                told[who] = labels.decide(where, UID, said, by=who, seen=seen)

            sessions = [
                threading.Thread(target=decide, args=args)
                for args in (("ann", catalogue), ("bob", others))
            ]
            for session in sessions:
                session.start()
            for session in sessions:
                session.join(timeout=60)
            assert sorted(each.events for each in told.values()) == [0, 1]
            first = "ann" if told["ann"].events else "bob"
            second = "bob" if first == "ann" else "ann"
            assert [c.by for c in told[second].conflicts] == [first]
            assert labels.current(catalogue, UID)[f"i{n}"].by == first
    finally:
        others.close()


def test_the_catalogue_works_anywhere(anywhere: Settings, catalogue: Catalogue):
    made = catalogue.create("run", encoder="descriptors", options={"drawn": True})
    catalogue.put_images(made.uid, [NewImage("r/a", "r", "a", "1", "h", metadata={"depth_m": 5})])
    catalogue.put_images(made.uid, [NewImage("r/a", "r", "a", "2", "h", metadata={"depth_m": 6})])
    assert catalogue.image(made.uid, "r/a").metadata == {"depth_m": 6}
    again = Catalogue.open(anywhere)
    assert [c.name for c in again.collections()] == ["run"]
    again.close()


def test_labels_work_anywhere(catalogue: Catalogue):
    assert labels.revision(catalogue, UID) == 0
    many = [Decision(f"i{n}", "Salp", "predicted", 0.1) for n in range(1_200)]
    labels.record(catalogue, UID, many, by="ann", how="selection")
    labels.record(catalogue, UID, [Decision("i7", "Rod")], by="bob")
    undone = labels.undo_last(catalogue, UID, by="ann")
    assert (len(undone.restored), [s.image for s in undone.decided_since]) == (1_199, ["i7"])
    assert {i: s.label for i, s in labels.current(catalogue, UID).items()} == {"i7": "Rod"}
    assert labels.replace(catalogue, UID, ["Rod"], "Disc", by="ann", how="rename").events == 1
    assert [e["label"] for e in labels.events(catalogue, UID, limit=2)] == ["Disc", None]
    every = list(labels.every_event(catalogue, UID))
    assert labels.append(catalogue, "other", every) == labels.Appended(len(every), 0, 0)
    assert list(labels.every_event(catalogue, "other")) == every


def test_the_history_reads_the_same_anywhere(catalogue: Catalogue):
    labels.record(catalogue, UID, [Decision("a", "Rod"), Decision("b", "Rod")], by="ann")
    labels.record(catalogue, UID, [Decision("a", "Disc")], by="bob", how=labels.CHECK)
    labels.undo_last(catalogue, UID, by="ann")
    found = label_history.actions(catalogue, UID)
    assert [(each.by, each.how, each.images, each.taken_back) for each in found] == [
        ("ann", "undo", 1, False), ("bob", "check", 1, False), ("ann", "single", 2, True),
    ]  # fmt: skip
    assert found[2].said == (("Rod", "validated", 2),)
    assert label_history.actions(catalogue, UID, before=found[0].event, limit=1) == [found[1]]
    assert label_history.numbers(catalogue, UID) == {"ann": 1, "bob": 2}
    assert [p.images for p in label_history.people(catalogue, UID)] == [2, 1]
    assert label_history.names(catalogue, UID) == ["Disc", "Rod"]
    assert labels.confirmed(catalogue, UID) == {"a"}
    assert labels.last_of(catalogue, UID, by="ann") is None


def test_a_server_that_does_not_wait_for_its_disk_waits_for_labels(
    postgres: str, settings: Settings
):
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE hasty")
        connection.exec_driver_sql("ALTER DATABASE hasty SET synchronous_commit = off")
    engine.dispose()
    url = sa.make_url(postgres).set(database="hasty").render_as_string(hide_password=False)
    opened = Catalogue.open(Settings(settings.workspace, catalogue_url=url))
    said: list[str] = []

    @sa.event.listens_for(opened.engine, "commit")
    def look(connection: sa.Connection) -> None:
        said.append(str(connection.exec_driver_sql("SHOW synchronous_commit").scalar()))

    labels.record(opened, UID, [Decision("a", "Salp")], by="ann")
    opened.close()
    assert said[-1] == "on"
