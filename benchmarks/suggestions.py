"""How long do suggestions take, and what does finding the nearest of a row take of that?

Made-up vectors around 40 directions, some of them labelled. Beside it the nearest labelled images
of a block, found through the maxima of groups of columns and by a partition of whole rows.

python benchmarks/suggestions.py [--sizes 10000 100000] [--labels 3000] [--dimension 512]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.projection import KINDS, made_up
from core.neighbours import BLOCK_BYTES, largest_columns
from core.suggestions import NEIGHBOURS, suggest

REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--labels", type=int, default=3_000)
    parser.add_argument("--dimension", type=int, default=512)
    asked = parser.parse_args()

    print(f"{asked.labels:,} labels of {KINDS} kinds, {asked.dimension} numbers an image")
    for n in asked.sizes:
        vectors, kinds = made_up(n, asked.dimension)
        ids = [f"made-up/{i}" for i in range(n)]
        known = {ids[i]: f"kind {kinds[i]}" for i in range(0, n, max(1, n // asked.labels))}
        began = time.perf_counter()
        made = suggest(vectors, ids, known, seed=0)
        seconds = time.perf_counter() - began
        print(f"{n:>9,} images: {seconds:.1f} s, {len(made) / seconds:,.0f} images/s", flush=True)
    rows = max(1, BLOCK_BYTES // (8 * len(known)))
    similar = vectors[:rows] @ vectors[-len(known) :].T
    k = NEIGHBOURS
    ways = {
        "groups of columns": lambda: largest_columns(similar, k),
        "whole rows": lambda: np.argpartition(similar, -k, axis=1)[:, -k:],
    }
    taken = dict.fromkeys(ways, np.inf)
    for _ in range(REPEATS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name] = min(taken[name], time.perf_counter() - began)
    for name, seconds in taken.items():
        print(f"{k} nearest of {rows:,} rows of {len(known):,}, {name}: {1000 * seconds:.0f} ms")
    first, second = taken.values()
    print(f"by groups {second / first:.1f} times faster")


if __name__ == "__main__":
    main()
