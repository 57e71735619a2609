"""A collection as a table: ids, uris, metadata, labels, clusters, map coordinates, vectors.

Parquet holds every text as it is. In a csv file a text that a spreadsheet would run (`core.cells`)
gets an apostrophe in front, and is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core import labels
from core.analysis import cluster_names, clusters_of, maps, placed_map
from core.cells import is_formula
from core.errors import CoreError, SourceError
from core.library import Library, View
from core.progress import Report, nobody
from core.writing import whole_file

FORMATS = ("csv", "parquet", "ecotaxa")
PICTURED = ("zip", "sheet")
"""Formats that other parts write: original images, a contact sheet."""
FIXED = ("id", "uri", "label", "label_status", "cluster", "cluster_name", "x", "y", "vector")

OWN = {
    "sample": "string",
    "um_per_px": "Float64",
    "width": "Int64",
    "height": "Int64",
    "content_hash": "string",
}
"""What the catalogue itself knows of an image, by type."""


def export(
    library: Library,
    view: View,
    *,
    to: Path,
    format: str,
    vectors: bool = False,
    clustering: str | None = None,
    ids: Sequence[str] | None = None,
    report: Report = nobody,
) -> dict[str, Any]:
    """Write a view as a table, or for EcoTaxa; the file is whole or not there.

    Parameters
    ----------
    to : Path
        The file to write; an older one is replaced.
    format : {"csv", "parquet", "ecotaxa"}
        The last is a zip with the images; see `core.ecotaxa_export.export_ecotaxa`.
    vectors : bool
        Add a list column ``vector`` (parquet only).
    clustering : str, optional
        Its name; the newest by default, for EcoTaxa none. Noise is -1. Where people named
        clusters, the column ``cluster_name`` says so.
    ids : sequence of str, optional
        Only these images, in this order.

    Returns
    -------
    dict
        ``file``, ``format``, ``images``, and ``escaped``: csv cells that got an apostrophe.

    Raises
    ------
    CoreError
        If the format is unknown or the file cannot be written.
    NotFoundError
        If there is no such clustering.
    """
    if format not in FORMATS:
        raise CoreError(f"format is {format!r}; expected one of {', '.join(FORMATS + PICTURED)}")
    if vectors and format != "parquet":
        raise CoreError(f"vectors do not fit a {format} file; use --format parquet with --vectors")
    if not to.parent.is_dir():
        raise SourceError(f"{to.parent} is no folder; expected one to write {to.name} into")
    if format == "ecotaxa":
        from core.ecotaxa_export import export_ecotaxa

        members: dict[str, int | None] = {}
        if clustering is not None:
            found, _ = clusters_of(library, view, view.snapshot.ids, name=clustering)
            members = dict(zip(view.snapshot.ids, found, strict=True))
        return export_ecotaxa(library, view, to=to, ids=ids, clusters=members, report=report)
    frame = table(library, view, vectors=vectors, clustering=clustering, ids=ids)
    frame, escaped = _escape(frame) if format == "csv" else (frame, 0)
    with whole_file(to) as path:
        if format == "csv":
            frame.to_csv(path, index=False, encoding="utf-8", errors="backslashreplace")
        else:
            frame.to_parquet(path, index=False)
    return {"file": str(to), "format": format, "images": len(frame), "escaped": escaped}


def _escape(frame: Any) -> tuple[Any, int]:
    """An apostrophe before texts that a spreadsheet would run, and before how many."""
    count = 0
    for name in frame.columns:
        if frame[name].dtype != "string":
            continue
        harmful = [isinstance(text, str) and is_formula(text) for text in frame[name]]
        if any(harmful):
            frame.loc[harmful, name] = "'" + frame.loc[harmful, name]
            count += sum(harmful)
    names = {name: f"'{name}" for name in frame.columns if is_formula(name)}
    return frame.rename(columns=names), count + len(names)


def csv_bytes(library: Library, view: View, ids: Sequence[str]) -> bytes:
    """These images' rows as CSV; spreadsheets read it as UTF-8."""
    frame, _ = _escape(table(library, view, ids=ids))
    text: str = frame.to_csv(index=False)
    return text.encode("utf-8-sig", "backslashreplace")


def table(
    library: Library,
    view: View,
    *,
    vectors: bool = False,
    clustering: str | None = None,
    ids: Sequence[str] | None = None,
) -> Any:
    """The table as a pandas DataFrame."""
    import pandas as pd

    rows = {id: row for row, id in enumerate(view.snapshot.ids)}
    wanted = list(view.snapshot.ids if ids is None else [id for id in ids if id in rows])
    images = library.catalogue.images(view.collection.uid, None if ids is None else wanted)
    by_id = {image.id: image for image in images}
    wanted = [id for id in wanted if id in by_id]
    known = labels.current(library.catalogue, view.collection.uid)
    clusters, chosen = clusters_of(library, view, wanted, name=clustering)
    columns: dict[str, Any] = {
        "id": pd.array(wanted, dtype="string"),
        "uri": pd.array([by_id[id].uri for id in wanted], dtype="string"),
        "label": pd.array(
            [known[id].label if id in known else None for id in wanted], dtype="string"
        ),
        "label_status": pd.array(
            [known[id].status if id in known else None for id in wanted], dtype="string"
        ),
        "cluster": pd.array(clusters, dtype="Int64"),
    }
    if given := cluster_names(chosen):
        called = [None if c is None else given.get(c) for c in clusters]
        columns["cluster_name"] = pd.array(called, dtype="string")
    made = maps(library, view)
    if made:
        placed = placed_map(library, view, method="umap" if "umap" in made else "pca")
        where = placed.coordinates[[rows[id] for id in wanted]]
        columns["x"], columns["y"] = where[:, 0], where[:, 1]
    else:
        columns["x"] = columns["y"] = pd.array([None] * len(wanted), dtype="Float32")
    for name, kind in OWN.items():
        columns[name] = pd.array([getattr(by_id[id], name) for id in wanted], dtype=kind)
    names = dict.fromkeys(key for id in wanted for key in by_id[id].metadata)
    for name in names:
        free = name
        while free in columns or free in FIXED or (free != name and free in names):
            free = f"meta_{free}"
        columns[free] = _column([by_id[id].metadata.get(name) for id in wanted])
    if vectors:
        matrix = np.asarray(view.snapshot.vectors)
        columns["vector"] = [matrix[rows[id]] for id in wanted]
    return pd.DataFrame(columns)


def _column(values: Sequence[Any]) -> Any:
    """Values as one type that has a place for none: whole numbers stay whole, a mixture is text."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.array(values, dtype="boolean")
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pd.array(values, dtype="Int64")
    if float in kinds and kinds <= {int, float}:
        finite = [None if v is None or not math.isfinite(v) else float(v) for v in values]
        return pd.array(finite, dtype="Float64")
    return pd.array([None if v is None else str(v) for v in values], dtype="string")
