"""Edited clusterings: kept under a name of their own, with what they came from and every edit.

The first edit of a computed clustering makes another, which remembers the first; from then on
edits are added to it. It is one parquet file like any clustering, with two more columns: the
cluster each image had to begin with, and the moves it was part of, so that every step can be
replayed and the last one taken back.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.analysis import check_clustering_name, cluster_names, clusterings
from core.clustering import NOISE
from core.edits import (
    Change,
    Edit,
    Labels,
    Move,
    Rows,
    State,
    after,
    fresh_number,
    live,
    replay,
    step,
    touched,
)
from core.errors import LockedError, NotFoundError, RangeError, StaleError, WorkspaceError
from core.library import Library, View
from core.results import Column, Result, load_result, save_result
from core.workspace import NO_ROOM

SOMEONE = "someone"
"""Who edited, where nobody said."""

MAX_EDITS = 1_000
"""Of one clustering: their list is read with every page."""

WAIT_S = 10.0
"""An edit takes a second; one that waits longer than this for another is refused."""

_KEPT = ("kind", "method", "parameters", "fingerprint", "points")
"""What stays true of a clustering whose images were moved."""


@dataclass(frozen=True)
class Opened:
    """A clustering with what is needed to edit it."""

    name: str
    ids: list[str]
    original: Labels
    edits: list[Edit]
    moved: dict[int, Rows]
    """Of each move that stands, by its place among the edits, the rows it moved."""
    state: State
    meta: dict[str, Any]


def edit(
    library: Library,
    view: View,
    clustering: str,
    change: Change,
    *,
    by: str = SOMEONE,
    to: str | None = None,
    revision: str | None = None,
) -> dict[str, Any]:
    """Change a clustering and keep it: on disk when this returns.

    Parameters
    ----------
    clustering : str
        Its name. One that was computed stays as it is: the edit makes another.
    to : str, optional
        What the other is called, by default "NAME (edited)". Of an edited clustering it makes
        another too, which begins where that one stands.
    revision : str, optional
        `revision_of` what the person looked at.

    Returns
    -------
    dict
        ``clustering`` (the name it is kept under), ``from``, ``edit``, ``clusters``, ``noise``,
        ``edits`` (how many there are) and ``revision``.

    Raises
    ------
    StaleError
        If it was edited since that revision; nothing is changed then.
    NotFoundError, RangeError
        If the change cannot be made; see `core.edits.step`.
    LockedError, WorkspaceError
        If another edit does not end, or the file cannot be written.
    """
    _check_by(by)
    with _alone(library, view):
        held = open_edited(library, view, clustering)
        _check_revision(held, revision)
        held = _begin(library, view, held, to)
        rows = _rows(held, change.ids) if isinstance(change, Move) else np.zeros(0, np.int64)
        fresh = fresh_number(held.original, held.edits)
        made, going = step(held.state, change, rows, fresh=fresh, by=by, at=_now())
        state = after(held.state, made, going)
        moved = {**held.moved, len(held.edits): going} if made.what == "move" else held.moved
        return _keep(library, view, held, [*held.edits, made], moved, state)


def undo(
    library: Library,
    view: View,
    clustering: str,
    *,
    by: str = SOMEONE,
    revision: str | None = None,
) -> dict[str, Any]:
    """Take the last edit back that still stands, and remember that too; as `edit` otherwise.

    Raises
    ------
    RangeError
        If there is nothing left to take back.
    """
    _check_by(by)
    with _alone(library, view):
        held = open_edited(library, view, clustering)
        _check_revision(held, revision)
        standing = live(held.edits)
        if not standing:
            raise RangeError(f"clustering {clustering!r} has no edit to take back")
        last = held.edits[standing[-1]]
        made = Edit(
            "undo", by, _now(), last.clusters, into=last.into, name=last.name,
            images=last.images, undoes=standing[-1],
        )  # fmt: skip
        edits = [*held.edits, made]
        moved = {place: rows for place, rows in held.moved.items() if place != standing[-1]}
        begun = cluster_names({"names": held.meta["edited"].get("names")})
        state = replay(held.original, begun, edits, moved)
        return _keep(library, view, held, edits, moved, state)


def revision_of(meta: Mapping[str, Any]) -> str:
    """Changes with every edit, and when a clustering is made again under the same name."""
    edits = (meta.get("edited") or {}).get("edits", ())
    text = f"{meta['parameters'].get('at')} {meta.get('fingerprint')} {len(edits)}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def edits_of(meta: Mapping[str, Any]) -> list[Edit]:
    """Every edit of a clustering, the oldest first; none of a computed one."""
    return [Edit.from_json(fields) for fields in (meta.get("edited") or {}).get("edits", ())]


def last_edit(meta: Mapping[str, Any]) -> Edit | None:
    """What an undo would take back."""
    edits = edits_of(meta)
    standing = live(edits)
    return edits[standing[-1]] if standing else None


def free_name(clustering: str, taken: Sequence[str]) -> str:
    """What an edited clustering is called by default.

    Examples
    --------
    >>> free_name("hdbscan", ["hdbscan"]), free_name("hdbscan", ["hdbscan", "hdbscan (edited)"])
    ('hdbscan (edited)', 'hdbscan (edited 2)')
    """
    stem = clustering[:60].strip()
    name, count = f"{stem} (edited)", 1
    while name in taken:
        count += 1
        name = f"{stem} (edited {count})"
    return name


def open_edited(library: Library, view: View, clustering: str) -> Opened:
    """A clustering as it stands, every edit with it.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    WorkspaceError
        If its file is damaged.
    """
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, clustering)
    if not path.exists():
        listed = ", ".join(repr(c["name"]) for c in clusterings(library, view)) or "none yet"
        raise NotFoundError(f"no clustering is called {clustering!r}; there is {listed}")
    result = load_result(path, columns=("id", "cluster"))
    labels = np.asarray(result.columns["cluster"], np.int32)
    names = cluster_names(result.meta)
    if "edited" not in result.meta:
        return Opened(clustering, result.ids, labels, [], {}, State(labels, names), result.meta)
    original, moved = _steps_of(path, result)
    edits = edits_of(result.meta)
    return Opened(clustering, result.ids, original, edits, moved, State(labels, names), result.meta)


def _steps_of(path: Path, result: Result) -> tuple[Labels, dict[int, Rows]]:
    """What it began with, and which rows each move moved."""
    missing = sorted({"original", "moved"} - result.columns.keys())
    if missing:
        raise WorkspaceError(f"the edited clustering {path} has no column {', '.join(missing)}")
    rows: dict[int, list[int]] = {}
    for row, text in enumerate(result.columns["moved"]):
        for place in (text or "").split():
            rows.setdefault(int(place), []).append(row)
    moved = {place: np.array(found, np.int64) for place, found in rows.items()}
    return np.asarray(result.columns["original"], np.int32), moved


def _begin(library: Library, view: View, held: Opened, to: str | None) -> Opened:
    """What the edit is added to: the edited clustering itself, or a new one made of this."""
    edited = "edited" in held.meta
    if edited and to in (None, held.name):
        if len(held.edits) >= MAX_EDITS:
            raise RangeError(
                f"clustering {held.name!r} has {len(held.edits):,} edits, the most one can have; "
                "go on in another one that begins here: give a new name (--as NAME)"
            )
        return held
    name = to or free_name(held.name, ())
    check_clustering_name(name)
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, name)
    if path.exists():
        raise StaleError(
            f"a clustering called {name!r} is there already; look at it and edit that one, or "
            "choose another name (--as NAME)"
        )
    meta = {
        **held.meta,
        "edited": {
            "from": _origin(held),
            "names": {str(c): name for c, name in held.state.names.items()},
            "edits": [],
        },
    }
    return Opened(name, held.ids, held.state.labels, [], {}, held.state, meta)


def _origin(held: Opened) -> dict[str, Any]:
    """What is remembered of the clustering that was edited."""
    meta = {key: value for key, value in held.meta.items() if key not in ("edited", "names")}
    origin = {**meta, "name": held.name}
    if "edited" in held.meta:
        origin |= {"edits": len(held.edits), "from": held.meta["edited"]["from"]["name"]}
    return origin


def _keep(
    library: Library,
    view: View,
    held: Opened,
    edits: Sequence[Edit],
    moved: Mapping[int, Rows],
    state: State,
) -> dict[str, Any]:
    texts: dict[int, list[str]] = {}
    for place in sorted(moved):
        for row in moved[place].tolist():
            texts.setdefault(row, []).append(str(place))
    columns: dict[str, Column] = {
        "id": held.ids,
        "cluster": state.labels,
        "original": held.original,
        "moved": [" ".join(texts.get(row, ())) for row in range(len(held.ids))],
    }
    meta = _described(held, edits, state)
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, held.name)
    save_result(path, columns, meta)
    return {
        "clustering": held.name,
        "from": meta["edited"]["from"]["name"],
        "edit": edits[-1].as_json(),
        "clusters": meta["clusters"],
        "noise": meta["noise"],
        "edits": len(edits),
        "revision": revision_of(meta),
    }


def _described(held: Opened, edits: Sequence[Edit], state: State) -> dict[str, Any]:
    """What is said of it: figures of the computed one as long as they are about these clusters."""
    origin = held.meta["edited"]["from"]
    moved = touched(edits)
    if moved:
        why = "its clusters were edited by hand; the figures are those of what was computed"
        known = {key: origin[key] for key in _KEPT if key in origin}
        known |= {"silhouette": None, "stability": None, "seconds": 0.0}
        known["why"] = {"silhouette": why, "stability": why}
    else:
        known = {k: v for k, v in origin.items() if k not in ("name", "from", "edits")}
    if stability := origin.get("cluster_stability"):
        known["cluster_stability"] = [
            None if number in moved else value for number, value in enumerate(stability)
        ]
    noise = int(np.count_nonzero(state.labels == NOISE))
    return known | {
        "clusters": len(state.sizes),
        "noise": noise,
        "noise_share": noise / len(state.labels) if len(state.labels) else None,
        "names": {str(number): name for number, name in sorted(state.names.items())},
        "parameters": {**origin["parameters"], "at": datetime.now(UTC).isoformat()},
        "edited": {**held.meta["edited"], "edits": [e.as_json() for e in edits]},
    }


def _rows(held: Opened, ids: Sequence[str]) -> Rows:
    place = {id: row for row, id in enumerate(held.ids)}
    missing = [id for id in dict.fromkeys(ids) if id not in place]
    if missing:
        raise NotFoundError(
            f"{len(missing):,} of {len(ids):,} images are not covered by clustering "
            f"{held.name!r}, such as {missing[0]!r}; leave them out, or cluster again what is "
            "there now"
        )
    return np.array([place[id] for id in dict.fromkeys(ids)], np.int64)


def _check_by(by: str) -> None:
    if by != by.strip() or not by.isprintable() or not 1 <= len(by) <= 80:
        raise RangeError(f"--by is {by[:100]!r}; expected who edits, 1 to 80 printable characters")


def _check_revision(held: Opened, revision: str | None) -> None:
    if revision is None or revision == revision_of(held.meta):
        return
    last = held.edits[-1] if held.edits else None
    what = f" ({last.said()}, by {last.by})" if last else ""
    raise StaleError(
        f"clustering {held.name!r} changed since you looked{what}; nothing was done: look again, "
        "then edit"
    )


@contextlib.contextmanager
def _alone(library: Library, view: View) -> Iterator[None]:
    """One edit at a time; indexing may go on meanwhile, as it writes none of this."""
    from filelock import FileLock, Timeout

    folder = library.workspace.clusterings(view.collection.uid, view.encoding.encoder)
    if not os.access(library.workspace.root, os.W_OK):
        raise library.workspace.unwritable(PermissionError(errno.EACCES, "Permission denied"))
    lock = FileLock(folder / ".editing.lock", timeout=WAIT_S)
    try:
        if folder.is_dir():  # else there is no clustering, which is said when it is opened
            lock.acquire()
    except Timeout as error:
        raise LockedError(
            "clusters of this collection are being edited by another process; try again"
        ) from error
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise library.workspace.unwritable(error) from error
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
