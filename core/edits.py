"""Edits of a clustering by people, each one a step that is replayed from what was computed.

Numbers of clusters stay: what an edit does not touch is called afterwards what it was called
before, and a number that was used once is never given to another cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import NotFoundError, RangeError

NOISE = -1

LONGEST_NAME = 80

_LIKE_A_NUMBER = re.compile(r"(cluster\s*)?-?\d+|noise", re.IGNORECASE)

Labels: TypeAlias = NDArray[np.int32]
Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Rename:
    """Give a cluster a name; None takes it away."""

    cluster: int
    name: str | None


@dataclass(frozen=True)
class Merge:
    """Make one cluster of several; it keeps the number of the first, and its name if it has one."""

    clusters: tuple[int, ...]


@dataclass(frozen=True)
class Move:
    """Put images into a cluster, into noise (-1), or into a new cluster of their own (None)."""

    ids: tuple[str, ...]
    into: int | None


@dataclass(frozen=True)
class Dissolve:
    """Make noise of a cluster's images."""

    cluster: int


Change: TypeAlias = Rename | Merge | Move | Dissolve


@dataclass(frozen=True)
class Edit:
    """One edit as it is remembered."""

    what: str
    """rename, merge, move, dissolve or undo."""
    by: str
    at: str
    clusters: tuple[int, ...]
    """Renamed, merged or dissolved; where moved images came from."""
    into: int | None = None
    """Where images went."""
    name: str | None = None
    """What a cluster is called from then on."""
    images: int = 0
    """How many images have another cluster from then on."""
    undoes: int | None = None
    """Of an undo: the place of what it took back in the list of edits, from 0."""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "clusters": list(self.clusters)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Edit:
        return cls(**{**fields, "clusters": tuple(fields["clusters"])})

    def said(self) -> str:
        """What was done, in words.

        Examples
        --------
        >>> Edit("merge", "me", "", (3, 5), into=3, images=12).said()
        'merged cluster 5 into cluster 3 (12 images)'
        """
        many = f"{self.images:,} image{'' if self.images == 1 else 's'}"
        if self.what == "rename":
            to = f"renamed to “{self.name}”" if self.name else "given its number for a name again"
            return f"cluster {self.clusters[0]} {to}"
        if self.what == "merge":
            others = self.clusters[1:]
            listed = ", ".join(map(str, others))
            return (
                f"merged cluster{'' if len(others) == 1 else 's'} {listed} into cluster "
                f"{self.clusters[0]} ({many})"
            )
        if self.what == "dissolve":
            return f"dissolved cluster {self.clusters[0]} to noise ({many})"
        if self.what == "undo":
            return "took back the edit before"
        where = "noise" if self.into == NOISE else f"cluster {self.into}"
        return f"moved {many} to {where}"


@dataclass(frozen=True)
class State:
    """Which cluster each image is in, and what clusters are called."""

    labels: Labels
    names: dict[int, str]

    @property
    def sizes(self) -> dict[int, int]:
        """Images in each cluster that has any, noise not among them."""
        numbers, counts = np.unique(self.labels, return_counts=True)
        return {
            int(number): int(count)
            for number, count in zip(numbers, counts, strict=True)
            if number >= 0
        }


def called(number: int, names: Mapping[int, str]) -> str:
    """What a cluster is called.

    Examples
    --------
    >>> called(3, {3: "copepods"}), called(4, {3: "copepods"}), called(-1, {})
    ('copepods', 'cluster 4', 'noise')
    """
    return "noise" if number == NOISE else names.get(number, f"cluster {number}")


def live(edits: Sequence[Edit]) -> list[int]:
    """Places of the edits that were not taken back, in their order."""
    standing: list[int] = []
    for place, edit in enumerate(edits):
        if edit.what == "undo":
            standing.pop()
        else:
            standing.append(place)
    return standing


def replay(
    original: Labels,
    names: Mapping[int, str],
    edits: Sequence[Edit],
    moved: Mapping[int, Rows],
) -> State:
    """The state after these edits.

    Parameters
    ----------
    original : (n,) int32
        What was computed, -1 for noise.
    names : number -> name
        What clusters were called to begin with.
    edits : sequence of Edit
        All that were made, undone ones too.
    moved : place -> rows
        Of each move that stands, the rows that it moved.
    """
    state = State(original.copy(), dict(names))
    for place in live(edits):
        state = after(state, edits[place], moved.get(place))
    return state


def after(state: State, edit: Edit, rows: Rows | None = None) -> State:
    """The state after one more edit; `rows` are those that a move is about."""
    labels, names = state.labels.copy(), dict(state.names)
    if edit.what == "rename":
        if edit.name is None:
            names.pop(edit.clusters[0], None)
        else:
            names[edit.clusters[0]] = edit.name
    elif edit.what == "merge":
        first, others = edit.clusters[0], edit.clusters[1:]
        labels[np.isin(labels, others)] = first
        given = [names[c] for c in edit.clusters if c in names]
        if given:
            names[first] = given[0]
    elif edit.what == "dissolve":
        labels[labels == edit.clusters[0]] = NOISE
    elif rows is not None and edit.into is not None:
        labels[rows] = edit.into
    there = set(np.unique(labels).tolist())
    return State(labels, {c: name for c, name in names.items() if c in there})


def step(
    state: State, change: Change, rows: Rows, *, fresh: int, by: str, at: str
) -> tuple[Edit, Rows]:
    """What a change comes to in this state, and the rows that a move moves.

    Parameters
    ----------
    rows : (r,) int64
        Rows of a move's ids.
    fresh : int
        The number that a new cluster gets.

    Raises
    ------
    NotFoundError
        If a cluster is not there.
    RangeError
        If the change would change nothing, or a name will not do.
    """
    sizes, none = state.sizes, np.zeros(0, np.int64)
    if isinstance(change, Rename):
        _check_there(sizes, [change.cluster], "named")
        if change.name is not None:
            _check_name(change.name, change.cluster, state.names)
        elif change.cluster not in state.names:
            raise RangeError(f"cluster {change.cluster} has no name that could be taken away")
        return Edit("rename", by, at, (change.cluster,), name=change.name), none
    if isinstance(change, Merge):
        clusters = tuple(dict.fromkeys(change.clusters))
        _check_there(sizes, clusters, "merged: dissolve a cluster instead")
        if len(clusters) < 2:
            raise RangeError(f"{len(clusters)} cluster is named; expected 2 or more to merge")
        images = sum(sizes[c] for c in clusters[1:])
        return Edit("merge", by, at, clusters, into=clusters[0], images=images), none
    if isinstance(change, Dissolve):
        _check_there(sizes, [change.cluster], "dissolved")
        images = sizes[change.cluster]
        return Edit("dissolve", by, at, (change.cluster,), into=NOISE, images=images), none
    into = fresh if change.into is None else change.into
    if change.into is not None and into != NOISE:
        _check_there(sizes, [into], "")
    going = rows[state.labels[rows] != into]
    if not len(going):
        what = "no image is chosen" if not len(rows) else "all of them are there already"
        raise RangeError(f"{what}; expected images to move to {called(into, state.names)}")
    left = tuple(np.unique(state.labels[going]).tolist())
    return Edit("move", by, at, left, into=into, images=len(going)), going


def fresh_number(original: Labels, edits: Iterable[Edit]) -> int:
    """A number no cluster ever had, in edits that were taken back neither."""
    used = [e.into for e in edits if e.into is not None]
    return 1 + max(int(original.max(initial=NOISE)), *used, NOISE)


def touched(edits: Sequence[Edit]) -> set[int]:
    """Clusters that have not the images they were computed with."""
    found: set[int] = set()
    for place in live(edits):
        edit = edits[place]
        if edit.what != "rename":
            found |= {*edit.clusters, *([] if edit.into is None else [edit.into])}
    return found - {NOISE}


def _check_there(sizes: Mapping[int, int], clusters: Iterable[int], noise: str) -> None:
    for number in clusters:
        if number in sizes:
            continue
        if number == NOISE and noise:
            raise RangeError(f"noise is what is in no cluster; it cannot be {noise}")
        listed = ", ".join(map(str, list(sizes)[:40])) or "none, all of it is noise"
        more = f" and {len(sizes) - 40} more" if len(sizes) > 40 else ""
        raise NotFoundError(f"there is no cluster {number}; there is {listed}{more}")


def _check_name(name: str, cluster: int, names: Mapping[int, str]) -> None:
    if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise RangeError(
            f"the name is {name[:100]!r}; expected 1 to {LONGEST_NAME} printable characters "
            "without blanks at its ends"
        )
    if _LIKE_A_NUMBER.fullmatch(name):
        raise RangeError(
            f"the name is {name!r}, which is how clusters without a name are called; expected "
            "words of your own"
        )
    for other, taken in names.items():
        if taken.casefold() == name.casefold() and other != cluster:
            raise RangeError(
                f"cluster {other} is called {taken!r} already; merge the two, or choose another "
                "name"
            )
    if names.get(cluster) == name:
        raise RangeError(f"cluster {cluster} is called {name!r} already")
