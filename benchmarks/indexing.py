"""How many images a second `index` takes, with one worker and with two, and where time goes.

python benchmarks/indexing.py [FOLDER] [--encoder NAME]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import indexing, preparing, target
from core.indexing import index
from core.library import Library
from core.settings import Settings
from core.snapshot import SnapshotWriter
from core.sources.sample import draw_sample
from core.store import VectorWriter

ROOT = Path(__file__).resolve().parent.parent
CAMERA = ROOT.parent / "shared" / "data" / "plankton_camera"


class Watch:
    """Seconds spent in what it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def wrap(self, owner: Any, name: str) -> Iterator[None]:
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, original)


def run(folder: Path, encoder: str, workers: int) -> None:
    with tempfile.TemporaryDirectory() as workspace:
        library = Library.open(Settings(workspace=Path(workspace) / "w"))
        stored, beside, fitted, catalogued = Watch(), Watch(), Watch(), Watch()

        def prepare_all(tasks: Any, prepare: Any) -> Any:
            return preparing.prepare_all(tasks, prepare, workers=workers)

        original, indexing.prepare_all = indexing.prepare_all, prepare_all
        try:
            with (
                stored.wrap(VectorWriter, "put"),
                beside.wrap(SnapshotWriter, "append"),
                fitted.wrap(target.FittedTarget, "refit"),
                catalogued.wrap(type(library.catalogue), "put_images"),
            ):
                started = time.perf_counter()
                report = index(library, collection="c", source=str(folder), encoder=encoder)
                seconds = time.perf_counter() - started
        finally:
            indexing.prepare_all = original
            library.close()
    print(
        f"{workers:>7} {report.indexed:>7} {report.skipped_count:>7} {seconds:>8.1f} "
        f"{report.indexed / seconds:>9.1f} {stored.seconds / seconds:>12.1%} "
        f"{beside.seconds / seconds:>9.1%} {fitted.seconds / seconds:>7.1%} "
        f"{catalogued.seconds / seconds:>10.1%} "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>7.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--encoder", default="descriptors")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as drawn:
        folder = arguments.folder or (CAMERA if CAMERA.is_dir() else Path(drawn) / "sample")
        if not folder.exists():
            draw_sample(folder, n=1_200, seed=0)
        print(f"{folder.name}, encoder {arguments.encoder}; shares of the time in each part")
        print("(putting vectors is Chroma and the snapshot; the fit encloses putting its vectors)")
        print(
            f"{'workers':>7} {'indexed':>7} {'skipped':>7} {'seconds':>8} {'images/s':>9} "
            f"{'put vectors':>12} {'snapshot':>9} {'fit':>7} {'catalogue':>10} {'MiB':>7}"
        )
        for workers in arguments.workers:
            run(folder, arguments.encoder, workers)


if __name__ == "__main__":
    main()
