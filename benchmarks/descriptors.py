"""How well `descriptors` finds images of the same label, and how fast it reads and measures.

``python benchmarks/descriptors.py [FOLDER]``, one folder in it a label. Leave one out, cosine; the
fit sees no label. precision@24: mean share of an image's 24 nearest others with its label. 5-NN
accuracy: by majority of the 5 nearest others, ties to the nearer. By chance: the sum of squared
label shares.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from core.arrays import Rgb, Vectors
from core.encoders.base import Prepared
from core.encoders.descriptors import Descriptors
from core.encoders.measures import measure
from core.images import read_image
from core.sources.uri import quote_path

DEFAULT = Path(__file__).parents[1].parent / "shared" / "data" / "plankton_camera"
NEIGHBOURS = 24
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def read(path: Path) -> Rgb:
    return read_image(quote_path(path.resolve()))


def read_and_measure(path: Path) -> Prepared:
    return measure(read(path))


def ranked(vectors: Vectors, k: int) -> NDArray[np.intp]:
    """(n, k) rows of each image's nearest others, nearest first, ties by row."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]


def majority(labels: NDArray[np.intp]) -> int:
    """The most frequent label; of several the one whose first image is nearest."""
    counts = np.bincount(labels)
    return int(next(label for label in labels if counts[label] == counts.max()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--untimed", action="store_true", help="only how well, not how fast")
    asked = parser.parse_args()
    folder: Path = asked.folder
    paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES)
    if len(paths) <= NEIGHBOURS:
        print(
            f"{folder}: {len(paths)} images in folders of their label; expected more than "
            f"{NEIGHBOURS}; name such a folder",
            file=sys.stderr,
        )
        return 2
    measured = quality(paths)
    if not asked.untimed:
        speed(paths, measured)
    return 0


def quality(paths: Sequence[Path]) -> list[Prepared]:
    with ProcessPoolExecutor(2) as pool:
        measured = list(pool.map(read_and_measure, paths, chunksize=16))
    vectors = Descriptors().fit(measured).encode(measured)
    labels = np.unique([p.parent.name for p in paths], return_inverse=True)[1]
    nearest = labels[ranked(vectors, NEIGHBOURS)]
    votes = np.array([majority(row[:5]) for row in nearest])
    shares = np.bincount(labels) / len(labels)
    print(f"images                    {len(paths)}")
    print(f"labels                    {len(shares)}")
    print(f"numbers in a vector       {vectors.shape[1]}")
    print(f"precision@24              {(nearest == labels[:, None]).mean():.3f}")
    print(f"5-NN accuracy             {(votes == labels).mean():.3f}")
    print(f"by chance                 {(shares**2).sum():.3f}")
    return measured


def speed(paths: Sequence[Path], measured: Sequence[Prepared]) -> None:
    n = len(paths)
    read_and_measure(paths[0])  # libraries finish loading at their first use
    start, busy = time.perf_counter(), time.process_time()
    for path in paths:
        read_and_measure(path)
    print(f"images/s, 1 process       {n / (time.perf_counter() - start):.0f}")
    print(f"processor ms an image     {1e3 * (time.process_time() - busy) / n:.1f}")
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(read_and_measure, paths[:32]))  # not the workers' own start
        start = time.perf_counter()
        list(pool.map(read_and_measure, paths, chunksize=16))
        print(f"images/s, 2 processes     {n / (time.perf_counter() - start):.0f}")
    start = time.perf_counter()
    encoder = Descriptors().fit(measured)
    print(f"seconds to fit            {time.perf_counter() - start:.3f}")
    start = time.perf_counter()
    encoder.encode(measured)
    print(f"images/s, scaled          {n / (time.perf_counter() - start):.0f}")


if __name__ == "__main__":
    sys.exit(main())
