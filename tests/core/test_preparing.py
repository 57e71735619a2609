"""Pictures prepared in real worker processes, one of which a picture may take down."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.arrays import Rgb
from core.encoders.measures import measure
from core.errors import CancelledError, CoreError
from core.preparing import Failed, Ready, Task, prepare_all, prepare_one, thumbnail_path
from tests.core.conftest import Pictures
from tests.core.remote_servers import Answer, Handler, WebServer, until
from tests.core.tiny_models import drawn

DEADLY = (1, 2, 3)
PUZZLING = (3, 2, 1)


def first_pixel(image: Rgb) -> np.ndarray:
    """Stands for an encoder whose reader, written in C, dies of one picture."""
    pixel = tuple(int(v) for v in image[0, 0])
    if pixel == DEADLY:
        os._exit(1)
    if pixel == PUZZLING:
        raise ValueError("no such\npicture")
    return image[0, 0].astype(np.float32)


def threads(image: Rgb) -> np.ndarray:
    """What numpy computes with where this runs."""
    from threadpoolctl import threadpool_info

    return np.array([pool["num_threads"] for pool in threadpool_info()], np.float32)


def tasks_of(root: Path, tmp_path: Path) -> list[Task]:
    folder = str(tmp_path / "thumbnails")
    return [Task(p.name, str(p), folder) for p in sorted(root.iterdir())]


def mark(path: Path, colour: tuple[int, int, int]) -> None:
    image = Image.open(path).convert("RGB")
    image.putpixel((0, 0), colour)
    image.save(path)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_in_the_order_given(pictures: Pictures, tmp_path: Path, workers: int):
    root = pictures(60)
    (root / "00007.png").write_bytes(b"no picture")
    found = list(prepare_all(tasks_of(root, tmp_path), measure, workers=workers))
    assert [f.id for f in found] == [f"{n:05d}.png" for n in range(60)]
    failed = [f for f in found if isinstance(f, Failed)]
    assert [f.id for f in failed] == ["00007.png"] and failed[0].reason
    for image, outcome in zip(drawn(60, seed=0), found, strict=True):
        if isinstance(outcome, Ready):
            assert (outcome.height, outcome.width) == image.shape[:2]
            np.testing.assert_array_equal(outcome.prepared, measure(image))
            path = thumbnail_path(tmp_path / "thumbnails", outcome.content_hash)
            with Image.open(path) as thumbnail:
                assert thumbnail.format == "WEBP"
    assert not list((tmp_path / "thumbnails").rglob(".*"))  # nothing half written


@pytest.mark.slow
@pytest.mark.parametrize("deadly", [[0], [59], [20, 21], [3, 30, 55]])
def test_a_picture_that_kills_its_worker_costs_itself_only(
    pictures: Pictures, tmp_path: Path, deadly: list[int]
):
    root = pictures(60)
    for number in deadly:
        mark(root / f"{number:05d}.png", DEADLY)
    found = list(prepare_all(tasks_of(root, tmp_path), first_pixel, workers=2))
    assert [f.id for f in found] == [f"{n:05d}.png" for n in range(60)]
    failed = [f for f in found if isinstance(f, Failed)]
    assert [f.id for f in failed] == [f"{n:05d}.png" for n in deadly]
    assert {f.reason for f in failed} == {"the picture crashed its reader; it is damaged"}


@pytest.mark.slow
def test_workers_compute_with_one_thread_each(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = list(prepare_all(tasks_of(pictures(40), tmp_path), threads, workers=2))
    assert all(isinstance(f, Ready) and set(f.prepared.tolist()) == {1.0} for f in found)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_a_picture_that_puzzles_the_encoder(pictures: Pictures, tmp_path: Path):
    root = pictures(1)
    mark(root / "00000.png", PUZZLING)
    (task,) = tasks_of(root, tmp_path)
    found = prepare_one(task, first_pixel)
    assert isinstance(found, Failed)
    assert found.reason == (
        "it could not be prepared for the encoder (ValueError: no such picture)"
    )
    assert not list(tmp_path.glob("thumbnails/*/*"))


def test_a_folder_of_thumbnails_that_cannot_be_written_is_no_fault_of_a_picture(
    pictures: Pictures, tmp_path: Path
):
    (tmp_path / "thumbnails").write_bytes(b"a file")
    (task,) = tasks_of(pictures(1), tmp_path)
    with pytest.raises(OSError):
        prepare_one(task, first_pixel)


@pytest.mark.slow
def test_who_stops_listening_leaves_no_workers(pictures: Pictures, tmp_path: Path):
    before = children()
    found = prepare_all(tasks_of(pictures(60), tmp_path), first_pixel, workers=2)
    next(found)
    assert children() - before
    found.close()  # type: ignore[attr-defined]
    end = time.monotonic() + 10
    while (left := children() - before) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


def children() -> set[int]:
    """Running child processes that are workers; a spawn's resource tracker is none."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except FileNotFoundError:  # the thread ended meanwhile
            continue
        for pid in pids:
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
            except FileNotFoundError:
                continue
            if b"spawn_main" in line:
                found.add(int(pid))
    return found


class Unstartable:
    """An encoder's `prepare` that takes every worker down before it has seen a picture."""

    def __call__(self, image: Rgb) -> np.ndarray:
        return image[0, 0].astype(np.float32)

    def __setstate__(self, state: object) -> None:
        os._exit(1)

    def __getstate__(self) -> dict[str, int]:
        return {"any": 1}


@pytest.mark.slow
def test_workers_that_cannot_start_are_not_the_pictures_fault(pictures: Pictures, tmp_path: Path):
    tasks = tasks_of(pictures(3), tmp_path)
    with pytest.raises(CoreError, match="end as soon as they start"):
        list(prepare_all(tasks, Unstartable(), workers=1))


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.shutdown()
    server.server_close()


def served(web: WebServer, root: Path, tmp_path: Path) -> list[Task]:
    """Tasks of the same pictures on a web server; every third stays on the disk."""
    found = []
    for number, task in enumerate(tasks_of(root, tmp_path)):
        web.routes[f"/{task.id}"] = Path(task.uri).read_bytes()
        found.append(task if number % 3 == 2 else replace(task, uri=f"{web.url}/{task.id}"))
    return found


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_what_lies_elsewhere_is_fetched_for_the_workers(
    pictures: Pictures, tmp_path: Path, web: WebServer, workers: int
):
    root = pictures(40)
    for number in (7, 9):
        (root / f"{number:05d}.png").write_bytes(b"no picture")
    tasks = served(web, root, tmp_path)
    del web.routes["/00012.png"]
    tasks[12] = replace(tasks[12], uri=f"{tasks[12].uri}?token=secret")
    expected = prepare_all(tasks_of(root, tmp_path), measure, workers=0)
    found = list(prepare_all(tasks, measure, workers=workers))
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        assert one.id == other.id
        if number == 12:
            assert isinstance(other, Failed) and other.uri == f"{web.url}/00012.png?token=..."
            assert other.reason == "its server has no such file (404); check the address"
        elif isinstance(one, Failed):
            assert isinstance(other, Failed) and one.reason == other.reason
        else:
            assert isinstance(other, Ready) and one.content_hash == other.content_hash
            np.testing.assert_array_equal(one.prepared, other.prepared)
    assert sorted(web.paths()) == sorted(f"/{t.id}" for t in tasks if t.uri.startswith("http"))


@pytest.mark.slow
def test_a_picture_from_elsewhere_that_kills_its_worker(
    pictures: Pictures, tmp_path: Path, web: WebServer
):
    root = pictures(60)
    for number in (0, 30, 31):
        mark(root / f"{number:05d}.png", DEADLY)
    found = list(prepare_all(served(web, root, tmp_path), first_pixel, workers=2))
    assert [f.id for f in found] == [f"{n:05d}.png" for n in range(60)]
    failed = [f.id for f in found if isinstance(f, Failed)]
    assert failed == ["00000.png", "00030.png", "00031.png"]
    assert web.paths().count("/00031.png") == 1  # what was fetched is kept for another try


def test_a_collage_from_elsewhere_is_fetched_once(tmp_path: Path, web: WebServer):
    collage = np.zeros((40, 60, 3), np.uint8)
    collage[:, :30] = 200
    file = io.BytesIO()
    Image.fromarray(collage).save(file, "PNG")
    web.routes["/collage.png"] = file.getvalue()
    folder = str(tmp_path / "thumbnails")
    tasks = [
        Task(f"{x}", f"{web.url}/collage.png#xywh={x},0,10,40", folder) for x in range(0, 51, 10)
    ]
    found = list(prepare_all(tasks, first_pixel, workers=0))
    shown = [f.prepared.tolist() for f in found if isinstance(f, Ready)]
    assert shown == [[200.0] * 3] * 3 + [[0.0] * 3] * 3
    assert len(web.asked) == 1


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_who_stops_listening_stops_what_is_fetched(
    pictures: Pictures, tmp_path: Path, web: WebServer, workers: int
):
    left = threading.Event()

    def hanging(handler: Handler) -> Answer:
        handler.connection.recv(1)  # until the reader goes
        left.set()
        return Answer()

    tasks = served(web, pictures(3), tmp_path)
    web.routes["/00001.png"] = hanging
    found = prepare_all(tasks, first_pixel, workers=workers)
    assert isinstance(next(found), Ready)
    until(lambda: "/00001.png" in web.paths())
    found.close()  # type: ignore[attr-defined]
    assert left.wait(20)


def test_a_stop_is_no_error_of_a_picture(pictures: Pictures, tmp_path: Path):
    def stopped(_image: Rgb) -> np.ndarray:
        raise CancelledError("stopped")

    (task,) = tasks_of(pictures(1), tmp_path)
    with pytest.raises(CancelledError):
        prepare_one(task, stopped)
