"""Are the labels that are called probable mistakes mistakes? Some are made on purpose.

``python benchmarks/label_mistakes.py [FOLDER] [--share 0.05] [--seeds 0 1 2]``, one folder in it a
label; by default the drawn sample. That share of the labels is replaced by another kind's, drawn
at random, and all are checked. Told are, for each seed, how many of the first N found were replaced
(N: half, once and twice the number replaced), next to N labels picked by chance, and how many of
the replaced ones are found at all. A folder's own mistakes count against it: they are not known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from core import labels
from core.checking import check_labels
from core.indexing import index
from core.library import Library
from core.proposing import validated
from core.settings import Settings
from core.sources.sample import SampleSource, draw_sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        library = Library.open(Settings(workspace=Path(place) / "workspace"))
        if asked.folder is None:
            draw_sample(Path(place) / "sample", n=1200, seed=0)
            source = SampleSource(Path(place) / "sample", name="sample")
            index(library, collection="images", source=source)
        else:
            index(library, collection="images", source=str(asked.folder), labels_from="folder")
        view = library.vectors(library.catalogue.collection("images"))
        truth = validated(labels.current(library.catalogue, view.collection.uid))
        vectors, ids = np.array(view.snapshot.vectors), view.snapshot.ids
        library.close()
    truth = {id: truth[id] for id in ids if id in truth}
    kinds = sorted(set(truth.values()))
    print(f"{len(truth):,} labels of {len(kinds)} kinds, {asked.share:.0%} replaced")
    print("seed  replaced  first N/2  first N  first 2N  by chance  found at all  all found   s")
    for seed in asked.seeds:
        chance = np.random.default_rng(seed)
        n = round(asked.share * len(truth))
        wrong = {str(id) for id in chance.choice(sorted(truth), n, replace=False)}
        said = {
            id: str(chance.choice([kind for kind in kinds if kind != label]))
            if id in wrong
            else label
            for id, label in truth.items()
        }
        began = time.perf_counter()
        found = [each.id for each in check_labels(vectors, ids, said, seed=seed).mistakes]
        seconds = time.perf_counter() - began
        right = [len(wrong & set(found[:many])) for many in (n // 2, n, 2 * n)]
        print(
            f"{seed:4}  {n:8}  {right[0]:9}  {right[1]:7}  {right[2]:8}  {asked.share * n:9.1f}  "
            f"{len(wrong & set(found)):12}  {len(found):9}  {seconds:.1f}"
        )


if __name__ == "__main__":
    main()
