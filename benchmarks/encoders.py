"""How many images a second do the encoders take, and what does bfloat16 gain and cost?

    python benchmarks/encoders.py [NAME ...] [--images 64] [--rounds 3]

Vignettes are made up. ``prepare`` is timed on one core, as each worker process runs it, and
``encode`` in float32 and bfloat16, turn about, the best of the rounds counting. ``lost`` is the
largest 1 - cosine between the two, as a share of the median distance between different images.
MODEL/random has random weights, which cost as much time as trained ones.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.arrays import Rgb
from core.encoders import Encoder, FittedEncoder, load

DEFAULT = ["descriptors", "openclip:ViT-B-32/random", "timm:resnet50/random"]


def vignettes(n: int) -> list[Rgb]:
    """n bright grounds of 40 to 200 pixels a side, each with a dark noisy body."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(n):
        h, w = (int(side) for side in rng.integers(40, 200, 2))
        y, x = np.mgrid[:h, :w] / np.array([h, w]).reshape(2, 1, 1) - rng.uniform(
            0.4, 0.6, (2, 1, 1)
        )
        inside = (x / rng.uniform(0.1, 0.4)) ** 2 + (y / rng.uniform(0.1, 0.4)) ** 2 < 1
        grey = np.where(inside, rng.uniform(40, 120), 210) + rng.normal(0, 6, (h, w))
        images.append(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return images


def best_rate(calls: list[Callable[[], object]], *, images: int, rounds: int) -> list[float]:
    """Images a second of each call, turn about, so that a busy moment meets them alike."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return [images / seconds for seconds in best]


def ready(name: str, precision: str, images: list[Rgb]) -> Encoder:
    encoder = load(name, precision=precision)  # type: ignore[arg-type]
    if isinstance(encoder, FittedEncoder):
        return encoder.fit([encoder.prepare(image) for image in images])
    return encoder


def row(name: str, images: list[Rgb], rounds: int) -> str:
    exact = ready(name, "float32", images)
    prepared = [exact.prepare(image) for image in images]
    n = len(images)
    (prepare,) = best_rate(
        [lambda: [exact.prepare(image) for image in images]], images=n, rounds=rounds
    )
    vectors = exact.encode(prepared)
    if isinstance(exact, FittedEncoder):
        (rate,) = best_rate([lambda: exact.encode(prepared)], images=n, rounds=rounds)
        return f"{prepare:9.0f} {rate:9.0f} {'':>9} {'':>6} {'':>7} {'':>9}"
    quick = ready(name, "bfloat16", images)
    others = quick.encode(prepared)
    rates = best_rate(
        [lambda: exact.encode(prepared), lambda: quick.encode(prepared)], images=n, rounds=rounds
    )
    between = np.median((1 - vectors @ vectors.T)[np.triu_indices(n, 1)])
    lost = float((1 - (vectors * others).sum(axis=1)).max() / between)
    chosen = load(name).precision  # type: ignore[attr-defined]
    return (
        f"{prepare:9.0f} {rates[0]:9.1f} {rates[1]:9.1f} {rates[1] / rates[0]:6.2f} "
        f"{lost:7.4f} {chosen:>9}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=DEFAULT)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    import torch

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    threads = torch.get_num_threads()
    print(f"{asked.images} images, best of {asked.rounds}, {where}, {threads} threads; images/s")
    width = max(len(name) for name in asked.names)
    print(
        f"{'encoder':{width}} {'prepare':>9} {'float32':>9} {'bfloat16':>9} {'ratio':>6} "
        f"{'lost':>7} {'auto':>9}"
    )
    images = vignettes(asked.images)
    for name in asked.names:
        print(f"{name:{width}} {row(name, images, asked.rounds)}", flush=True)


if __name__ == "__main__":
    main()
