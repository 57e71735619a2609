"""Which images to label first, so that something can be said about an encoder."""

from __future__ import annotations

import numpy as np

from core import labels
from core.errors import RangeError
from core.evaluation.unlabelled import well_chosen
from core.library import Library, View

FIRST = 50
"""Images for a first estimate."""
DRAWN = 5_000
"""Of more images so many are drawn and grouped: seconds, however large the collection is."""


def first_labels(library: Library, view: View, *, count: int = FIRST, seed: int) -> list[str]:
    """Images without a settled label that show most of what there is, the most typical first.

    Raises
    ------
    RangeError
        If every image has a label, or count is less than 1.
    """
    known = labels.current(library.catalogue, view.collection.uid)
    settled = {id for id, said in known.items() if said.label and said.status == "validated"}
    there = library.catalogue.stamps(view.collection.uid)
    ids = view.snapshot.ids
    rows = [row for row, id in enumerate(ids) if id in there and id not in settled]
    if not rows:
        raise RangeError(
            f"every image of {view.collection.name!r} has a label; nothing is left to choose from"
        )
    drawn = np.random.default_rng(seed).permutation(len(rows))[:DRAWN]
    rows = [rows[place] for place in np.sort(drawn)]
    chosen = well_chosen(np.asarray(view.snapshot.vectors)[rows], count=count, seed=seed)
    return [ids[rows[place]] for place in chosen]
