"""What a page about filters shows beside their figures: kinds to choose from, images to sort."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import labels
from core.library import Library, View
from core.screen import Screen
from core.screen_training import export_screen
from core.screening import SAMPLE

KEEP, DROP = "keep", "drop"
"""Labels of a quick sorting."""

RUBBISH = (
    "artefact", "artifact", "badfocus", "bead", "blob", "blur", "bubble", "debris", "detritus",
    "dot", "drop", "dust", "empty", "faecal", "fecal", "feces", "faeces", "fiber", "fibre",
    "fibres", "filament", "marine snow", "mucus", "noise", "other", "pellet", "plastic", "rubbish",
    "sand", "sediment", "shadow", "snow", "spiral", "trash", "unclassified", "unidentified",
    "unknown", "not living", "not-living", "nonliving",
)  # fmt: skip
"""Words in the names of what people seldom want to keep; a guess that the page calls one."""

_WORDS = re.compile(rf"(?<![a-z])({'|'.join(map(re.escape, RUBBISH))})(e?s)?(?![a-z])")


@dataclass(frozen=True)
class KindSeen:
    """A validated label of a collection."""

    name: str
    images: int
    example: str
    """Id of the image that is most like the mean of its kind."""


def kinds_seen(library: Library, view: View) -> tuple[KindSeen, ...]:
    """Validated labels of a view's images, the most frequent first."""
    row_of = {id: row for row, id in enumerate(view.snapshot.ids)}
    rows: dict[str, list[int]] = {}
    for id, said in labels.current(library.catalogue, view.collection.uid).items():
        if said.status == "validated" and said.label is not None and id in row_of:
            rows.setdefault(said.label, []).append(row_of[id])
    found = []
    for name, mine in rows.items():
        mine.sort()
        vectors = np.asarray(view.snapshot.vectors[mine])
        central = mine[int(np.argmax(vectors @ vectors.mean(axis=0)))]
        found.append(KindSeen(name, len(mine), view.snapshot.ids[central]))
    return tuple(sorted(found, key=lambda kind: (-kind.images, kind.name)))


def sounds_like_rubbish(name: str) -> bool:
    """Whether a label's name is that of something seldom wanted; by its words alone.

    Examples
    --------
    >>> [sounds_like_rubbish(name) for name in ("Bubbles", "faecal_pellet", "Dotilla", "t001")]
    [True, True, False, False]
    """
    return bool(_WORDS.search(name.lower().replace("_", " ")))


def guessed_drop(names: Iterable[str]) -> list[str]:
    """Labels that sound like rubbish, in the order given."""
    return [name for name in names if sounds_like_rubbish(name)]


def to_sort(library: Library, view: View, n: int, *, seed: int) -> list[str]:
    """Ids of n images without a validated label, drawn at random; fewer where few are left.

    At random, since a promise holds for images that come like those that were labelled.
    """
    said = labels.current(library.catalogue, view.collection.uid)
    open_ = [
        id for id in view.snapshot.ids if id not in said or said[id].status != "validated"
    ]  # a label somebody only suggested is no answer
    order = np.random.default_rng(seed).permutation(len(open_))[:n]
    return [open_[row] for row in order]


def seconds(view: View, labelled: int) -> float:
    """About how long training takes: 2 s, and what grows with images, labels and vector size.

    Measured on one core: 20,000 labels of 60 numbers 2.5 s, 5,000 of 512 numbers 3 s.
    """
    n, d = len(view.snapshot), view.encoding.identity.dimension
    return 2 + n * min(labelled, SAMPLE) * d / 1e10 + labelled * d / 2e6


def of_kind(screen: Screen, kind: str | None, *, wanted: bool, k: int = 24) -> list[str]:
    """Labelled images that a filter gets wrong, the surest mistakes first.

    Parameters
    ----------
    kind : str or None
        Only of this label; None for all.
    wanted : bool
        Images to keep that are dropped, else images to drop that are kept.
    """
    s = screen.screened
    every = s.lost if wanted else s.rubbish
    ids = every(screen.threshold, len(s.ids))
    if kind is not None:
        code = s.kinds.index(kind) if kind in s.kinds else -1
        its = {s.ids[row] for row in np.flatnonzero(s.kind == code)}
        ids = [id for id in ids if id in its]
    return ids[:k]


def scores(screen: Screen, ids: Sequence[str]) -> list[float]:
    """Of each image the score that the figures are made of."""
    row_of = {id: row for row, id in enumerate(screen.screened.ids)}
    return [float(screen.screened.score[row_of[id]]) for id in ids]


def folder_name(name: str) -> str:
    """What a model's folder and its zip are called.

    Examples
    --------
    >>> folder_name("keep/plankton 2"), folder_name("..")
    ('keep-plankton-2', 'filter')
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "filter"


def zipped(screen: Screen) -> bytes:
    """A filter's folder as one zip; a few hundred kilobytes.

    Raises
    ------
    CoreError
        If it cannot be written.
    """
    root = folder_name(screen.name)
    stream = io.BytesIO()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / root
        export_screen(screen, folder)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.iterdir()):
                packed.write(path, f"{root}/{path.name}")
    return stream.getvalue()
