"""How long does one exact search take? Made-up unit rows, in memory and from a memory map.

python benchmarks/search.py [--sizes 10000 100000 1000000] [--dimension 512] [-k 25]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.search import nearest


def made_up(path: Path, n: int, dimension: int) -> np.memmap:
    """(n, d) float32 unit rows in a file, written block by block."""
    rng = np.random.default_rng(0)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, dimension))
    for start in range(0, n, 20_000):
        block = rng.standard_normal((min(20_000, n - start), dimension), dtype=np.float32)
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1)[:, None]
    return vectors


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """The median of a few runs after one that warms up."""
    run()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("-k", type=int, default=25)
    asked = parser.parse_args()
    find = partial(nearest, k=asked.k)
    print(f"{asked.dimension} numbers an image, k = {asked.k}, median of 5, seconds")
    print(f"{'images':>10} {'mapped':>9} {'in memory':>9} {'a tenth':>9} {'copies':>9}")
    for n in asked.sizes:
        with tempfile.TemporaryDirectory() as folder:
            mapped = made_up(Path(folder) / "vectors.npy", n, asked.dimension)
            whole = np.array(mapped)
            ids = [f"image {number}" for number in range(n)]
            middle = n // 2
            query, own, tenth = whole[middle], ids[middle], np.arange(0, n, 10)
            figures = [
                seconds(partial(find, mapped, ids, query, self_id=own)),
                seconds(partial(find, whole, ids, query, self_id=own)),
                seconds(partial(find, whole, ids, query, rows=tenth)),
            ]
            whole[:] = whole[:5][np.arange(n) % 5]  # every fifth image the same: n / 5 ties
            figures.append(seconds(partial(find, whole, ids, whole[0])))
        print(f"{n:>10,} " + " ".join(f"{figure:>9.4f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
