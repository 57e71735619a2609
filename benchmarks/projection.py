"""How long do a map and a clustering take? Made-up vectors around 40 directions.

The first UMAP of a process compiles; it is shown on a line of its own.

python benchmarks/projection.py [--sizes 1000 10000 100000] [--dimension 512] [--skip-clusters]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.arrays import Vectors
from core.clustering import cluster
from core.projection import place, project

KINDS = 40


def made_up(n: int, dimension: int) -> tuple[Vectors, np.ndarray]:
    """(n, d) float32 unit rows and the kind of each."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, KINDS, n)
    rows = rng.standard_normal((KINDS, dimension), dtype=np.float32)[kinds]
    rows += 0.7 * rng.standard_normal((n, dimension), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1)[:, None], kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--skip-clusters", action="store_true")
    asked = parser.parse_args()

    began = time.perf_counter()
    project(made_up(500, asked.dimension)[0], method="umap", seed=0)
    print(f"importing and compiling umap: {time.perf_counter() - began:.1f} s")
    print(f"{asked.dimension} numbers an image, {KINDS} kinds")
    print(f"{'images':>9} {'what':>10} {'seconds':>8}  notes")
    for n in asked.sizes:
        vectors, kinds = made_up(n, asked.dimension)
        for method in ("pca", "umap"):
            made = project(vectors, method=method, seed=0)
            print(f"{n:>9,} {method:>10} {made.parameters['seconds']:>8.1f}", flush=True)
        began = time.perf_counter()
        place(made.coordinates, vectors, vectors[:100])
        print(f"{n:>9,} {'place 100':>10} {time.perf_counter() - began:>8.2f}", flush=True)
        for method in () if asked.skip_clusters else ("kmeans", "hdbscan"):
            found = cluster(vectors, method=method, seed=0)
            notes = (
                f"{found.clusters} clusters, noise {found.noise_share:.1%}, "
                f"silhouette {found.silhouette}, stability {found.stability}, "
                f"ARI {adjusted_rand_score(kinds, found.labels):.3f}"
            )
            print(f"{n:>9,} {method:>10} {found.seconds:>8.1f}  {notes}", flush=True)


if __name__ == "__main__":
    main()
