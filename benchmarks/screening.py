"""Is what a filter promises kept? Labels are drawn, a filter is trained, the rest is looked at.

``python benchmarks/screening.py [FOLDER]``, one folder in it a label; by default plankton_camera
with its named organisms to keep. ``--sample`` takes the drawn sample instead, its labels drawn by
whole hauls, and looks at the other hauls: what is promised there is promised of new hauls.

For each number of labels and target: how many of the draws were promised, in how many of those the
recall on what was not drawn is at or above the target, that recall (mean, lowest, and the 95 %
interval said beforehand, on average), and the share of all that is dropped. A filter kept to its
promise for a share of draws around 0.95: less where little is left to look at, since that share is
then itself a matter of chance. Accuracy (at a score of 0.5) and average precision are those on what
was not drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from core import labels
from core.arrays import Vectors
from core.indexing import index
from core.library import Library
from core.promise import promise
from core.screening import STRENGTH, train
from core.settings import Settings
from core.sources.drawing import KINDS
from core.sources.sample import SampleSource, draw_sample

DEFAULT = Path(__file__).parents[1].parent / "shared" / "data" / "plankton_camera"
NOT_PLANKTON = ("Blob", "Dot", "Filament", "Snow", "Spiral", "Unknown")
NOT_LIVING = tuple(kind.name for kind in KINDS if not kind.living)
TARGETS = (0.90, 0.92, 0.95, 0.97, 0.98, 0.99)
WIDTHS = (8, 6, 7, 7, 15, 8)

Rows = NDArray[np.int64]


@dataclass
class Images:
    vectors: Vectors
    wanted: NDArray[np.bool_]
    samples: NDArray[np.str_] | None


@dataclass
class Account:
    """What came of the draws at one target."""

    promised: int = 0
    recall: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    dropped: list[float] = field(default_factory=list)


def images(folder: Path | None, drop: Iterable[str], encoder: str) -> Images:
    """Pictures of a folder, or drawn ones, encoded."""
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
        samples = library.catalogue.column(view.collection.uid, "sample")
        ids = view.snapshot.ids
        wanted = np.array([known[id].label not in set(drop) for id in ids])
        vectors = np.array(view.snapshot.vectors)
        library.close()
    by = np.array([str(samples[id]) for id in ids]) if folder is None else None
    return Images(vectors, wanted, by)


def draw(these: Images, n: int, seed: int) -> Rows:
    """n rows at random; whole hauls until there are n, where samples are known."""
    chance = np.random.default_rng(seed)
    if these.samples is None:
        return np.sort(chance.permutation(len(these.wanted))[:n])
    taken: list[int] = []
    for haul in chance.permutation(np.unique(these.samples)):
        if len(taken) >= n:
            break
        taken += np.flatnonzero(these.samples == haul).tolist()
    return np.sort(np.array(taken))


def try_out(these: Images, n: int, draws: int, strength: float, say: Callable[[str], None]) -> None:
    from sklearn.metrics import average_precision_score

    accounts = {target: Account() for target in TARGETS}
    accuracy, precision, seconds, labelled, by = [], [], [], [], set()
    for seed in range(draws):
        rows = draw(these, n, seed)
        rest = np.setdiff1d(np.arange(len(these.wanted)), rows)
        samples = None if these.samples is None else these.samples[rows].tolist()
        began = time.perf_counter()
        made = train(
            these.vectors[rows], these.wanted[rows], samples=samples, strength=strength, seed=seed
        )
        seconds.append(time.perf_counter() - began)
        by.add(made.validated_by)
        labelled.append(int(these.wanted[rows].sum()))
        score, truth = made.model.score(these.vectors[rest]), these.wanted[rest]
        new = made.model.nearest(these.vectors[rest]) < made.familiar_from
        accuracy.append(((score >= 0.5) == truth).mean())
        precision.append(average_precision_score(truth, score))
        for target, account in accounts.items():
            said = promise(made.effective[these.wanted[rows]], target, effect=made.effect)
            keep = (score >= said.threshold) | new
            if said.promised:
                account.promised += 1
                account.recall.append(keep[truth].mean())
                account.low.append(said.interval[0])
                account.high.append(said.interval[1])
                account.dropped.append(1 - keep.mean())
    say(
        f"\n{n} labels, {np.mean(labelled):.0f} of them to keep on average, {draws} draws, "
        f"validated by {', '.join(sorted(by))}: accuracy {np.mean(accuracy):.3f} "
        f"({min(accuracy):.3f} to {max(accuracy):.3f}), average precision {np.mean(precision):.3f} "
        f"({min(precision):.3f} to {max(precision):.3f}), {np.mean(seconds):.2f} s to train"
    )
    say(f"{'target':>7} {'promised':>9} {'reached':>8} {'share':>6} {'recall':>7} {'lowest':>7} "
        f"{'interval said':>15} {'dropped':>8}")  # fmt: skip
    for target, account in accounts.items():
        if not account.promised:
            say(f"{target:>7.2f} {0:>6}/{draws}" + "".join(f" {'-':>{w}}" for w in WIDTHS))
            continue
        recall = np.array(account.recall)
        reached = int((recall >= target).sum())
        ends = f"{np.mean(account.low):.3f} - {np.mean(account.high):.3f}"
        say(
            f"{target:>7.2f} {account.promised:>6}/{draws} {reached:>8} "
            f"{reached / account.promised:>6.2f} {recall.mean():>7.3f} {recall.min():>7.3f} "
            f"{ends:>15} {np.mean(account.dropped):>8.3f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--sample", action="store_true", help="the drawn sample, by haul")
    parser.add_argument("--drop", nargs="+", metavar="LABEL")
    parser.add_argument("--encoder", default="descriptors")
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 600])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--strengths", type=float, nargs="+", help="of the regression, compared")
    asked = parser.parse_args()
    if not asked.sample and not asked.folder.is_dir():
        print(f"{asked.folder} is no folder; name one with a folder a label", file=sys.stderr)
        return 2
    drop = asked.drop or (NOT_LIVING if asked.sample else NOT_PLANKTON)
    these = images(None if asked.sample else asked.folder, drop, asked.encoder)
    what = "drawn sample" if asked.sample else asked.folder.name
    print(f"{what}: {len(these.wanted):,} images, {these.wanted.mean():.3f} of them to keep")
    for strength in asked.strengths or [STRENGTH]:
        if asked.strengths:
            print(f"\nstrength {strength:g}")
        for n in asked.labels:
            try_out(these, n, asked.draws, strength, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
