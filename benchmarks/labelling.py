"""How far does an hour of labelling go? A simulated taxonomist works the queue.

``python benchmarks/labelling.py [FOLDER]``, one folder in it a label; by default the drawn sample.
The taxonomist answers from the folder labels and slips at 2 of 100 images: overlooks a wrong one,
or takes a right one for something else. An action is one accepted screen, one corrected image, or
one screen given another name than proposed; naming a screen that has none is its acceptance. After
each screen everything is suggested anew. One by one costs an action an image; "random" puts images
on screens in any order, and the commonest kind is accepted.

Precision: share of the images labelled that carry their folder's label. Calibration: confidences of
random halves of the collection against the labels of the other half, and, in the queue, of the
images of each screen against what they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from core import labels
from core.arrays import Vectors
from core.calibration import TrackRecord, reliability
from core.clustering import cluster
from core.indexing import index
from core.library import Library
from core.queueing import STRATEGIES, Screen, next_screen
from core.settings import Settings
from core.sources.sample import SampleSource, draw_sample
from core.suggestions import suggest

SLIPS = 0.02
MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class Collection:
    ids: list[str]
    vectors: Vectors
    truth: dict[str, str]
    clusters: list[int]


def collection(folder: Path | None, encoder: str) -> Collection:
    """The pictures of a folder, or drawn ones, indexed, with a clustering that sees no label."""
    with tempfile.TemporaryDirectory() as place:
        library = Library.open(Settings(workspace=Path(place) / "workspace"))
        if folder is None:
            draw_sample(Path(place) / "sample", n=1200, seed=0)
            source = SampleSource(Path(place) / "sample", name="sample")
            index(library, collection="images", source=source, encoder=encoder)
        else:
            index(
                library,
                collection="images",
                source=str(folder),
                encoder=encoder,
                labels_from="folder",
            )
        view = library.vectors(library.catalogue.collection("images"))
        known = labels.current(library.catalogue, view.collection.uid)
        rows = [row for row, id in enumerate(view.snapshot.ids) if id in known]
        vectors = np.array(view.snapshot.vectors[rows])
        ids = [view.snapshot.ids[row] for row in rows]
        library.close()
    groups = cluster(vectors, method="kmeans", seed=0).labels.tolist()
    return Collection(ids, vectors, {id: str(known[id].label) for id in ids}, groups)


@dataclass
class Taxonomist:
    """Answers from the truth, with slips, and counts what it costs."""

    truth: dict[str, str]
    chance: np.random.Generator
    given: dict[str, str] = field(default_factory=dict)
    actions: int = 0
    screens: int = 0
    account: list[tuple[int, int, int, int]] = field(default_factory=list)
    """After each screen: labelled, right, screens, actions."""

    def decide(self, ids: list[str], proposed: str | None) -> None:
        kinds = sorted(set(self.truth.values()))
        seen = {id: self.truth[id] for id in ids}
        commonest = Counter(seen.values()).most_common(1)[0][0]
        label, cost = commonest, 1
        if proposed is not None and proposed != commonest:
            wrong, fewer = (sum(k != name for k in seen.values()) for name in (proposed, commonest))
            label, cost = (commonest, 2) if fewer + 1 < wrong else (proposed, 1)
        for id, kind in seen.items():
            if self.chance.random() < SLIPS:
                kind = label if kind != label else str(self.chance.choice(kinds))
            self.given[id] = kind
            cost += kind != label
        self.actions += cost
        self.screens += 1
        right = sum(self.truth[id] == kind for id, kind in self.given.items())
        self.account.append((len(self.given), right, self.screens, self.actions))


def work(
    images: Collection, strategy: str, size: int, seed: int
) -> tuple[Taxonomist, list[tuple[float, bool]]]:
    """Label up to the last mark; the taxonomist, and (said, right) of what had a confidence."""
    person = Taxonomist(images.truth, np.random.default_rng(seed))
    shown: list[tuple[float, bool]] = []
    record = TrackRecord()
    while len(person.given) < MARKS[-1] * len(images.ids):
        if strategy == "random":
            left = [id for id in images.ids if id not in person.given]
            some = person.chance.choice(left, min(size, len(left)), replace=False).tolist()
            person.decide(some, None)
            continue
        made = suggest(
            images.vectors, images.ids, person.given, clusters=images.clusters, seed=seed
        )
        shift = record.shift
        screen = next_screen(made.shifted(shift), strategy, size)
        shown += confidences(screen, images.truth)
        person.decide(screen.ids, screen.label)
        for id, said in zip(screen.ids, screen.confidence, strict=True):
            if said is not None:
                record.add(said, person.given[id] == screen.label, shift=shift)
    return person, shown


def confidences(screen: Screen, truth: dict[str, str]) -> list[tuple[float, bool]]:
    return [
        (said, truth[id] == screen.label)
        for id, said in zip(screen.ids, screen.confidence, strict=True)
        if said is not None
    ]


@dataclass
class Halves:
    """How far confidences hold, each half of a collection foretold from the other."""

    each: list[float] = field(default_factory=list)
    """Calibration error of each half."""
    both: list[float] = field(default_factory=list)
    """Of both halves of a split together: every image of the collection once."""
    by_chance: list[float] = field(default_factory=list)
    """What `both` would be if every confidence were exactly true."""
    right: float = 0.0
    shown: int = 0


def halves(images: Collection, seeds: range) -> Halves:
    """Confidences of each half against the folder labels, which were hidden."""
    found, outcomes = Halves(), []
    for seed in seeds:
        chance = np.random.default_rng(seed)
        parts = []
        for half in np.array_split(chance.permutation(len(images.ids)), 2):
            given = {images.ids[row]: images.truth[images.ids[row]] for row in half}
            made = suggest(images.vectors, images.ids, given, clusters=images.clusters, seed=seed)
            known = np.flatnonzero(made.known)
            was = np.array(
                [made.kinds[made.likeliest[i, 0]] == images.truth[made.ids[i]] for i in known]
            )
            parts.append((made.shares[known, 0], was))
            found.each.append(reliability(*parts[-1]).error)
        said, right = (np.concatenate(part) for part in zip(*parts, strict=True))
        found.both.append(reliability(said, right).error)
        drawn = [reliability(said, chance.random(len(said)) < said).error for _ in range(20)]
        found.by_chance.append(float(np.mean(drawn)))
        outcomes.append(right)
    found.right = float(np.concatenate(outcomes).mean())
    found.shown = sum(map(len, outcomes)) // len(outcomes)
    return found


def report(name: str, person: Taxonomist, total: int) -> None:
    print(f"{name:>11} {'labelled':>9} {'right':>6} {'precision':>9} {'screens':>8} {'actions':>8}"
          " actions/labelled")  # fmt: skip
    for mark in MARKS:
        labelled, right, screens, actions = next(a for a in person.account if a[0] >= mark * total)
        print(
            f"{'':>11} {labelled / total:>9.3f} {right / total:>6.3f} {right / labelled:>9.3f} "
            f"{screens:>8} {actions:>8} {actions / labelled:>10.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--encoder", default="descriptors")
    parser.add_argument("--strategies", nargs="+", default=["random", *STRATEGIES])
    parser.add_argument("--size", type=int, default=24, help="images on a screen")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    images = collection(asked.folder, asked.encoder)
    what = asked.folder.name if asked.folder else "drawn sample"
    kinds = len(set(images.truth.values()))
    print(f"{what}: {len(images.ids):,} images, {kinds} labels, {asked.encoder}", flush=True)
    held = halves(images, range(5))
    print(
        f"held-out labels: expected calibration error {np.mean(held.both):.3f} "
        f"({min(held.both):.3f} to {max(held.both):.3f} of 5 splits) on {held.shown:,} images "
        f"shown with a confidence, {held.right:.3f} of them right; exactly true ones would give "
        f"{np.mean(held.by_chance):.3f}; halves alone {min(held.each):.3f} to {max(held.each):.3f}",
        flush=True,
    )
    for strategy in asked.strategies:
        began = time.perf_counter()
        person, said = work(images, strategy, asked.size, asked.seed)
        report(strategy, person, len(images.ids))
        if said:
            table = reliability(*(np.array(column) for column in zip(*said, strict=True)))
            print(f"{'':>11} calibration error of what was shown {table.error:.3f}")
        print(f"{'':>11} {time.perf_counter() - began:.0f} s", flush=True)
    print("one by one: 1 action an image")


if __name__ == "__main__":
    main()
