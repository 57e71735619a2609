"""Maps and clusterings of a collection: made from its vectors, kept in the workspace."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import numpy as np

from core import clustering, labels, projection, trust
from core.arrays import Coordinates
from core.errors import NotFoundError, RangeError, WorkspaceError
from core.library import Library, View
from core.progress import Progress, Report, nobody
from core.results import read_meta
from core.workspace import check_name


def make_map(
    library: Library, view: View, *, method: str = "umap", seed: int, report: Report = nobody
) -> dict[str, Any]:
    """Project a view, keep the result, and say what was done."""
    _can_keep(library, view)
    started = time.monotonic()
    made = projection.project(
        view.snapshot.vectors, method=method, seed=seed, on_progress=_steps(report)
    )
    made = replace(made, parameters={**made.parameters, **_provenance(view)})
    _check_there(library, view)
    path = library.workspace.projection(view.collection.uid, view.encoding.encoder, method)
    projection.save_projection(path, made, view.snapshot.ids, view.snapshot.fingerprint)
    return {
        "method": made.method,
        "points": len(view.snapshot),
        "seconds": round(time.monotonic() - started, 3),
        "why": made.why,
    }


def make_clustering(
    library: Library,
    view: View,
    *,
    method: str,
    k: int | None = None,
    fineness: int = 0,
    name: str | None = None,
    seed: int,
    report: Report = nobody,
) -> dict[str, Any]:
    """Cluster a view, keep the result under a name (by default its method), and say what came."""
    _can_keep(library, view)
    called = name or method
    check_clustering_name(called)
    _keep_edited(library, view, called)
    started = time.monotonic()
    made = clustering.cluster(
        view.snapshot.vectors,
        method=method,
        k=k,
        fineness=fineness,
        seed=seed,
        on_progress=_steps(report),
    )
    made = replace(made, parameters={**made.parameters, **_provenance(view)})
    _check_there(library, view)
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, called)
    clustering.save_clustering(path, made, view.snapshot.ids, view.snapshot.fingerprint)
    return {
        "name": called,
        "method": made.method,
        **clustering.describe_fields(made),
        "seconds": round(time.monotonic() - started, 3),
    }


def check_clustering_name(name: str) -> None:
    """Refuse what a clustering cannot be called.

    Raises
    ------
    RangeError
        Saying what is expected.
    """
    check_name(name, "clustering name")


def _keep_edited(library: Library, view: View, name: str) -> None:
    """Refuse to put what was computed in the place of what people decided."""
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, name)
    with suppress(WorkspaceError, NotFoundError):
        if "edited" in read_meta(path):
            raise RangeError(
                f"clustering {name!r} holds edits made by hand, which are not overwritten; "
                "choose another --name"
            )


def _check_there(library: Library, view: View) -> None:
    """Refuse to save what was computed of a collection that is gone by now.

    No lock is held meanwhile: a result is one file that takes its place in one step, so others may
    index for the minutes that computing takes.
    """
    if view.collection.uid not in {c.uid for c in library.catalogue.collections()}:
        raise NotFoundError(
            f"collection {view.collection.name!r} was deleted while this was computed; "
            "nothing was kept"
        )


def _provenance(view: View) -> dict[str, Any]:
    """What made the vectors, and when this was made of them: a copied file has another time."""
    identity = view.encoding.identity
    generation = view.encoding.generation
    return {
        "encoder": identity.as_json(),
        "generation": generation,
        "at": datetime.now(UTC).isoformat(),
    }


def _can_keep(library: Library, view: View) -> None:
    """Refuse before minutes of computing what could not be done or kept after them."""
    if not os.access(library.workspace.root, os.W_OK):
        raise library.workspace.unwritable(PermissionError(errno.EACCES, "Permission denied"))
    if not len(view.snapshot):
        raise NotFoundError(
            f"collection {view.collection.name!r} has no vectors of {view.encoding.encoder!r} yet; "
            "index images first"
        )


def _steps(report: Report) -> Any:
    def tell(message: str, fraction: float | None) -> None:
        done = 0 if fraction is None else round(fraction * 100)
        report(Progress(message, done, None if fraction is None else 100))

    return tell


@dataclass(frozen=True)
class Placed:
    """A stored map brought up to date: every image of the view has a place."""

    coordinates: Coordinates
    """In the order of the view's ids."""
    late: int
    """How many came after the map was made and were placed by their neighbours."""
    meta: dict[str, Any]


def maps(library: Library, view: View) -> dict[str, dict[str, Any]]:
    """method -> meta of every map kept of this view."""
    found: dict[str, dict[str, Any]] = {}
    for method in projection.METHODS:
        path = library.workspace.projection(view.collection.uid, view.encoding.encoder, method)
        if path.exists():
            found[method] = read_meta(path)
    return found


def placed_map(library: Library, view: View, *, method: str = "umap") -> Placed:
    """The stored map, with images that came later placed among their neighbours.

    Raises
    ------
    NotFoundError
        If no map was made yet.
    """
    path = library.workspace.projection(view.collection.uid, view.encoding.encoder, method)
    if not path.exists():
        raise NotFoundError(
            f"collection {view.collection.name!r} has no {method} map yet; make it with "
            f"`project --collection {view.collection.name} --method {method}`"
        )
    stored = projection.load_projection(path)
    known = {id: row for row, id in enumerate(stored.ids)}
    ids = view.snapshot.ids
    out = np.zeros((len(ids), 2), np.float32)
    there = np.array([id in known for id in ids], dtype=bool)
    if there.any():
        out[there] = stored.coordinates[[known[id] for id in ids if id in known]]
    late = np.flatnonzero(~there)
    if len(late) and not there.any():
        raise NotFoundError(
            f"the {method} map of collection {view.collection.name!r} covers none of its images "
            f"any more; make it again with `project --collection {view.collection.name} "
            f"--method {method}`"
        )
    if len(late):
        vectors = np.asarray(view.snapshot.vectors)
        out[late] = projection.place(out[there], vectors[there], vectors[late])
    return Placed(out, len(late), stored.meta)


def clusterings(library: Library, view: View) -> list[dict[str, Any]]:
    """Every clustering kept of this view with its ``name`` and meta, the newest first."""
    folder = library.workspace.clusterings(view.collection.uid, view.encoding.encoder)
    if not folder.is_dir():
        return []
    found = []
    for path in folder.glob("*.parquet"):
        with suppress(WorkspaceError):  # a damaged one hides no other; `doctor` names it
            found.append({"name": unquote(path.stem), **read_meta(path)})
    found.sort(key=lambda each: (each["parameters"].get("at", ""), each["name"]), reverse=True)
    return found


def clusters_of(
    library: Library, view: View, ids: Sequence[str], *, name: str | None = None
) -> tuple[list[int | None], dict[str, Any] | None]:
    """Each id's cluster (-1 noise, None when the clustering does not cover it) and the meta.

    The newest clustering by default; all None when there is none.
    """
    every = clusterings(library, view)
    if name is not None and name not in {c["name"] for c in every}:
        listed = ", ".join(repr(c["name"]) for c in every) or "none yet"
        raise NotFoundError(f"no clustering is called {name!r}; there is {listed}")
    chosen = next((c for c in every if name is None or c["name"] == name), None)
    if chosen is None:
        return [None] * len(ids), None
    path = library.workspace.clustering(view.collection.uid, view.encoding.encoder, chosen["name"])
    stored = clustering.load_clustering(path)
    known = dict(zip(stored.ids, map(int, stored.labels), strict=True))
    return [known.get(id) for id in ids], chosen


def cluster_names(meta: Mapping[str, Any] | None) -> dict[int, str]:
    """number -> name of every cluster that people gave one."""
    return {int(number): name for number, name in ((meta or {}).get("names") or {}).items()}


def compared(library: Library, view: View, name: str, other: str) -> dict[str, Any]:
    """How far two clusterings of a view agree, on the images that both cover.

    Returns
    -------
    dict
        As `core.trust.agreement`: ``ari``, ``ami``, ``images``.
    """
    first, second = (
        clusters_of(library, view, view.snapshot.ids, name=n)[0] for n in (name, other)
    )
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    pairs = np.array(both, dtype=np.int64).reshape(-1, 2)
    return trust.agreement(pairs[:, 0], pairs[:, 1])


def against_labels(library: Library, view: View, name: str) -> dict[str, Any]:
    """How a clustering goes with the labels as they are now.

    Predicted and rejected labels are no truth and are left out.

    Returns
    -------
    dict
        As `core.trust.against_labels`: ``ami``, ``homogeneity``, ``completeness``, counts, ``why``.
    """
    clusters, _ = clusters_of(library, view, view.snapshot.ids, name=name)
    known = labels.current(library.catalogue, view.collection.uid)
    pairs = [
        (cluster, known[id].label if id in known and known[id].status == "validated" else None)
        for id, cluster in zip(view.snapshot.ids, clusters, strict=True)
        if cluster is not None
    ]
    return trust.against_labels(
        np.array([cluster for cluster, _ in pairs], dtype=np.int64), [word for _, word in pairs]
    )
