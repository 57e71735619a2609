"""Suggestions for a view: from its validated labels and its newest clustering."""

from __future__ import annotations

from core import labels
from core.analysis import clusters_of
from core.library import Library, View
from core.suggestions import FLOOR, Suggestions, suggest

OPEN = ("predicted", "rejected")
"""Statuses of labels that leave an image undecided; a dubious one was looked at by a person."""


def suggest_for(library: Library, view: View, *, floor: float = FLOOR, seed: int) -> Suggestions:
    """Propose a label for every undecided image of a view; nothing is recorded.

    Parameters
    ----------
    floor : float
        Confidence below which an image stays unknown, 0 to 1.
    seed : int

    Raises
    ------
    RangeError
        If the floor is not in 0 to 1.
    """
    ids = view.snapshot.ids
    known = labels.current(library.catalogue, view.collection.uid)
    clusters, _ = clusters_of(library, view, ids)
    return suggest(
        view.snapshot.vectors,
        ids,
        {id: said.label for id, said in known.items() if said.label and said.status == "validated"},
        undecided={id for id in ids if id not in known or known[id].status in OPEN},
        clusters=clusters,
        floor=floor,
        seed=seed,
    )
