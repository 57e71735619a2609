"""What are encoders worth on labelled vignettes? The table, the check of the curve, and the time.

``python benchmarks/evaluation.py [FOLDER] [--seed 0] [--timed 10000]``

FOLDER has a folder of pictures a label; by default the shared plankton_camera where it is present,
else the drawn sample. Rows: ``descriptors``; a timm model with random weights, which has learned
nothing; principal components of the pixels at 32 x 32; ``descriptors`` and the pixels joined; and
sorting by size alone. Intervals are of 95 %.

The curve: accuracy with 40 labels of each kind as predicted from up to 20, beside what is measured.

--timed N: seconds for N made-up vectors of 512 numbers in 30 kinds, everything but pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from core.arrays import unit_rows
from core.evaluation.figures import Figure
from core.evaluation.running import evaluate
from core.evaluation.storing import Evaluation
from core.indexing import index
from core.library import Library
from core.progress import Terminal
from core.reduction import principal_components
from core.settings import Settings
from core.sources import open_source
from core.sources.sample import SampleSource, draw_sample

SHARED = Path(__file__).parents[2] / "shared" / "data" / "plankton_camera"
RANDOM = "timm:resnet18/random"
PIXELS = "precomputed:pixels"
SIDE = 32
COMPONENTS = 64
SHOWN = (
    "precision_at_1",
    "precision_at_24",
    "mean_average_precision",
    "knn_accuracy",
    "knn_macro_f1",
    "linear_probe_accuracy",
    "linear_probe_balanced_accuracy",
    "ami",
    "ari",
    "label_silhouette",
)


def pixels(library: Library, name: str, folder: Path) -> None:
    """Principal components of the pictures at 32 x 32 become one more encoder."""
    from core.adopting import adopt_file
    from core.images import read_image

    images = library.catalogue.images(library.catalogue.collection(name).uid)
    rows = np.empty((len(images), SIDE * SIDE * 3), np.float32)
    for row, image in enumerate(images):
        small = Image.fromarray(read_image(image.uri)).resize((SIDE, SIDE), Image.Resampling.BOX)
        rows[row] = np.asarray(small, np.float32).ravel() / 255
    vectors = unit_rows(principal_components(rows, COMPONENTS))
    path = folder / "pixels.npz"
    np.savez(path, ids=np.array([image.id for image in images]), vectors=vectors)
    source = open_source(str(path))
    adopt_file(library, source, collection=name)  # type: ignore[arg-type]


def made_up(library: Library, folder: Path, n: int, *, seed: int) -> None:
    """A collection of n vectors of 512 numbers in 30 overlapping kinds of unequal size."""
    from core.adopting import adopt_file

    rng = np.random.default_rng(seed)
    kinds = rng.choice(30, n, p=rng.dirichlet(np.full(30, 2.0)))
    middles = rng.normal(size=(30, 512))
    vectors: NDArray[np.float32] = unit_rows(middles[kinds] + 2.5 * rng.normal(size=(n, 512)))
    path = folder / "made-up.npz"
    ids = np.array([f"made/{number:06d}" for number in range(n)])
    labels = np.array([f"kind {kind}" for kind in kinds])
    np.savez(path, ids=ids, vectors=vectors, labels=labels)
    adopt_file(library, open_source(str(path)), collection="made")  # type: ignore[arg-type]


def table(found: Evaluation) -> None:
    rows = [*found.meta["encoders"], *found.meta["baselines"]]
    ceiling = found.meta["ceiling"]
    print(f"{found.meta['images']:,} images, {found.meta['classes']} kinds")
    names = [row["encoder"] for row in rows]
    width = max(24, *map(len, names)) + 1
    print(f"{'':>31} " + " ".join(f"{name:>{width}}" for name in [*names, "ceiling"]))
    for figure in SHOWN:
        cells = [str(Figure.from_json(row[figure])) for row in rows]
        cells.append(f"{ceiling[figure]:.3f}" if figure in ceiling else "1")
        print(f"{figure:>31} " + " ".join(f"{cell:>{width}}" for cell in cells))
    chance = [row["chance"]["precision_at_24"]["value"] for row in rows]
    print(f"{'precision_at_24 by chance':>31} " + " ".join(f"{c:>{width}.3f}" for c in chance))
    print()
    for row in found.meta["encoders"]:
        print(f"{row['encoder']}: {row['verdict']['sentence']}")
    print()
    for pair in found.meta["comparisons"]:
        gap = pair["differences"]["precision_at_24"]
        said = "real" if gap["real"] else "not to be told from 0"
        first, second = pair["encoders"]
        print(f"{second} less {first}: precision@24 {Figure.from_json(gap)}, {said}")
    print()


def curves(found: Evaluation) -> None:
    print("accuracy with so many labels of each kind, kinds weighing the same")
    for row in found.meta["encoders"]:
        curve: dict[str, Any] = row["label_efficiency"]
        if curve["why"]:
            print(f"{row['encoder']}: {curve['why']}")
            continue
        for way in ("knn", "probe"):
            points = "  ".join(f"{p['labels']}: {p['mean']:.3f}" for p in curve[way])
            print(f"{row['encoder']}, {way}, {len(curve['kinds'])} kinds: {points}")
            more = curve["extended"][way]
            if more["predicted"] is None:
                print(f"    {more['accuracy']['why']}")
                continue
            predicted = Figure.from_json(more["predicted"])
            print(f"    at {more['checked_at']} predicted {predicted}, measured", end=" ")
            print(f"{more['measured']:.3f}; ", end="")
            accuracy = Figure.from_json(more["accuracy"])
            print(f"at {more['labels']} {accuracy}" if more["labels"] else f"none: {accuracy.why}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED if SHARED.is_dir() else None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timed", type=int, default=10_000, help="0: nothing is timed")
    parser.add_argument("--only-timed", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        library = Library.open(Settings(workspace=Path(place) / "workspace"))
        if not asked.only_timed:
            if asked.folder is None:
                draw_sample(Path(place) / "sample", n=1200, seed=0)
                source = SampleSource(Path(place) / "sample", name="sample")
                index(library, collection="images", source=source)
            else:
                index(library, collection="images", source=str(asked.folder), labels_from="folder")
            index(library, collection="images", encoder=RANDOM, report=Terminal())
            pixels(library, "images", Path(place))
            names = ["descriptors", RANDOM, PIXELS]
            alone = evaluate(library, "images", names, seed=asked.seed, report=Terminal())
            both = evaluate(
                library,
                "images",
                ["descriptors", PIXELS],
                join=True,
                seed=asked.seed,
                report=Terminal(),
            )
            alone.meta["encoders"].append(both.meta["encoders"][-1])
            alone.meta["comparisons"] += [
                pair for pair in both.meta["comparisons"] if "joined:" in pair["encoders"][1]
            ]
            table(alone)
            curves(alone)
        if asked.timed:
            made_up(library, Path(place), asked.timed, seed=asked.seed)
            started, busy = time.perf_counter(), time.process_time()
            found = evaluate(library, "made", seed=asked.seed, report=Terminal())
            seconds, busy = time.perf_counter() - started, time.process_time() - busy
            print(
                f"{found.meta['images']:,} vectors of 512 numbers, {found.meta['classes']} kinds:"
            )
            print(f"{seconds:.0f} s by the clock, {busy:.0f} s of processors")
        library.close()


if __name__ == "__main__":
    main()
