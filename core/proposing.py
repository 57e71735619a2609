"""Suggestions for a view: from its validated labels and its newest clustering."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core import labels
from core.analysis import clusters_of
from core.labels import Label
from core.library import Library, View
from core.suggestions import FLOOR, Suggestions, suggest

OPEN = ("predicted", "rejected")
"""Statuses of labels that leave an image undecided; a dubious one was looked at by a person."""

KEPT = 2
"""Suggestions kept for whoever asks the same again: a reloaded page, a colleague."""


@dataclass(frozen=True)
class _Asked:
    """All that suggestions follow from."""

    where: tuple[str, str, str, str]
    """Workspace, collection, encoder and version of the vectors."""
    known: Mapping[str, str]
    undecided: frozenset[str]
    ruled_out: Mapping[str, Collection[str]]
    clusters: tuple[int | None, ...]
    floor: float
    seed: int


_kept: deque[tuple[_Asked, Suggestions]] = deque(maxlen=KEPT)
_lock = threading.Lock()


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
    known = labels.current(library.catalogue, view.collection.uid)
    undecided = {id for id in view.snapshot.ids if id not in known or known[id].status in OPEN}
    down = labels.turned_down(library.catalogue, view.collection.uid)
    return suggest_from(
        library, view, validated(known), undecided, ruled_out=down, floor=floor, seed=seed
    )


def suggest_from(
    library: Library,
    view: View,
    known: Mapping[str, str],
    undecided: Collection[str],
    *,
    ruled_out: Mapping[str, Collection[str]] | None = None,
    floor: float = FLOOR,
    seed: int,
) -> Suggestions:
    """`suggest` on a view's vectors and its newest clustering; made once for the same labels.

    Parameters
    ----------
    known : id -> label
    undecided : ids
        Which images to propose for; known ones are left out.
    ruled_out : id -> labels, optional
        What is not to be proposed.

    Raises
    ------
    RangeError
        If the floor is not in 0 to 1.
    """
    ids = view.snapshot.ids
    clusters, _ = clusters_of(library, view, ids)
    root, uid = str(library.workspace.root), view.collection.uid
    asked = _Asked(
        (root, uid, view.encoding.encoder, view.snapshot.version),
        dict(known), frozenset(undecided), dict(ruled_out or {}), tuple(clusters), floor, seed,
    )  # fmt: skip
    with _lock:
        for before, made in _kept:
            if before == asked:
                return made
    made = suggest(
        view.snapshot.vectors,
        ids,
        known,
        undecided=undecided,
        clusters=clusters,
        ruled_out=ruled_out,
        floor=floor,
        seed=seed,
    )
    with _lock:
        _kept.append((asked, made))
    return made


def validated(said: Mapping[str, Label]) -> dict[str, str]:
    """id -> label of those that somebody, or an import, settled."""
    return {
        id: each.label for id, each in said.items() if each.label and each.status == "validated"
    }
