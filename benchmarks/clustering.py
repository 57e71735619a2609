"""Which method finds the groups that people name? Every method against labels it never sees.

AMI is the agreement with the labels (0 by chance, 1 the same groups; noise is one more group).
Silhouette is in UMAP space; stability, and its lowest and highest, over re-runs without a fifth of
the images; seconds include all of that.

python benchmarks/clustering.py [FOLDER] [--encoder descriptors] [--seeds 0] [--drawn 1200]

FOLDER has a folder of pictures a label; by default the shared plankton_camera where it is present,
else the drawn sample.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import labels
from core.clustering import DEFAULT_METHOD, METHODS, cluster
from core.indexing import index
from core.library import Library, View
from core.settings import Settings
from core.sources.sample import SampleSource, draw_sample
from core.trust import against_labels

SHARED = Path(__file__).parents[2] / "shared" / "data" / "plankton_camera"


def indexed(library: Library, folder: Path | None, *, encoder: str, drawn: int) -> View:
    """The pictures of a folder, or drawn ones, with vectors and labels."""
    if folder is None:
        place = library.workspace.root / "sample"
        draw_sample(place, n=drawn, seed=0)
        index(
            library,
            collection="images",
            source=SampleSource(place, name="sample"),
            encoder=encoder,
        )
    else:
        index(
            library, collection="images", source=str(folder), encoder=encoder, labels_from="folder"
        )
    return library.vectors(library.catalogue.collection("images"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED if SHARED.is_dir() else None)
    parser.add_argument("--encoder", default="descriptors")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--drawn", type=int, default=1200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        library = Library.open(Settings(workspace=Path(place)))
        view = indexed(library, asked.folder, encoder=asked.encoder, drawn=asked.drawn)
        known = labels.current(library.catalogue, view.collection.uid)
        words = [known[id].label if id in known else None for id in view.snapshot.ids]
        vectors = view.snapshot.vectors
        what = asked.folder.name if asked.folder else "drawn sample"
        print(f"{what}: {len(words):,} images, {len(set(words) - {None})} labels, {asked.encoder}")
        print(
            f"{'method':>14} {'seed':>4} {'AMI':>6} {'clusters':>8} {'noise':>6} {'silh.':>6} "
            f"{'stability':>19} {'verdict':>8} {'seconds':>8}"
        )
        for method in METHODS:
            for seed in asked.seeds:
                made = cluster(vectors, method=method, seed=seed)
                ami = against_labels(made.labels, words)["ami"]
                low, high = made.stability_range or (None, None)
                spread = f"{number(made.stability)} ({number(low)}-{number(high)})"
                print(
                    f"{method:>14} {seed:>4} {number(ami):>6} {made.clusters:>8} "
                    f"{number(made.noise_share):>6} {number(made.silhouette):>6} {spread:>19} "
                    f"{made.verdict.word:>8} {made.seconds:>8.1f}",
                    flush=True,
                )
        library.close()
    print(f"the default is {DEFAULT_METHOD}")


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
