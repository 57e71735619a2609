"""What a map shows: points, groups with colours and counts, and what each row stands for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analysis import cluster_names, clusterings, clusters_of, placed_map
from core.arrays import Coordinates
from core.columns import BUILT_IN, PRIVATE, Choices, Columns, Numbers, named
from core.edits import called
from core.errors import NotFoundError
from core.library import Library, View

GROUPS = 40
"""Groups shown by name and colour; what is smaller becomes "other"."""

BINS = 6
"""A number with many values is shown in so many groups of about equal size."""

OUTSIDE = 0xFFFF
"""The group of points that do not pass the filter: drawn faintly, never hovered or gathered."""

FEW = 12
"""A number with up to so many values is shown value by value."""

REST = "#70757A"
GREY = "#9AA0A6"
NONE = "#C3C7CC"
COLOURS = (
    "#2F7ED8", "#E8743B", "#19A979", "#BF399E", "#DDB100", "#6C8893", "#945ECF", "#13A4B4",
    "#ED4A7B", "#525DF4", "#8CB400", "#C0504D", "#00867D", "#B07AA1", "#D18F00", "#5B8C5A",
    "#7B6CF6", "#A05A2C", "#3BA3EC", "#E377C2",
)  # fmt: skip
RAMP = ("#3B4CC0", "#4F8FE0", "#35B5A8", "#8BC34A", "#F2B134", "#D7433B")


@dataclass(frozen=True)
class MapData:
    """A map at one moment; rows mean nothing beyond its revision."""

    revision: str
    ids: list[str]
    coordinates: Coordinates
    late: int
    """Images that came after the map was made, placed by their neighbours."""
    meta: Mapping[str, Any]
    rows: NDArray[np.int64]
    """Each point's row among the view's vectors."""

    def row(self, id: str) -> int | None:
        """An image's row, None when it is not on the map."""
        return self._row_of.get(id)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.ids)}


def map_data(library: Library, view: View, *, method: str) -> MapData:
    """The stored map of a view, every image in its place.

    Raises
    ------
    NotFoundError
        If no map was made yet.
    """
    placed = placed_map(library, view, method=method)
    known = library.catalogue.stamps(view.collection.uid)
    keep = [row for row, id in enumerate(view.snapshot.ids) if id in known]
    coordinates = placed.coordinates[keep]
    ids = [view.snapshot.ids[row] for row in keep]
    digest = hashlib.blake2b(digest_size=8)
    digest.update(view.snapshot.version.encode())
    digest.update(f"{view.encoding.generation} {len(ids)} {method}".encode())
    digest.update(coordinates.tobytes())
    rows = np.asarray(keep, dtype=np.int64)
    return MapData(digest.hexdigest(), ids, coordinates, placed.late, placed.meta, rows)


def among(data: MapData, points: Sequence[int], rows: Sequence[int]) -> list[int]:
    """Those of some points whose images are among these rows of the view's vectors."""
    chosen = np.asarray(points, np.int64)
    return [int(p) for p in chosen[np.isin(data.rows[chosen], rows)]]


def colourings(library: Library, view: View, known: Columns) -> dict[str, str]:
    """key -> title of everything the points can be coloured by, the most telling first."""
    found = {f"cluster:{c['name']}": f"Cluster ({c['name']})" for c in clusterings(library, view)}
    found |= {
        name: name.capitalize()
        for name in BUILT_IN
        if name == "size" or _has_words(known.by_name.get(name))
    }
    for name in known.by_name:
        if name not in (*BUILT_IN, *PRIVATE):
            title, unit = named(name)
            found[f"meta:{name}"] = f"{title} ({unit})" if unit else title
    return found


def _has_words(column: Any) -> bool:
    return isinstance(column, Choices) and bool((column.codes >= 0).any())


def groups_of(
    library: Library,
    view: View,
    data: MapData,
    known: Columns,
    colour: str,
    passes: NDArray[np.bool_] | None = None,
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """Named, coloured and counted groups, and which one each point is in.

    Parameters
    ----------
    passes : (n,) bool, optional
        Which points pass the filter: only these are counted, the others are `OUTSIDE`. A group
        has the same colour whatever passes.

    Raises
    ------
    NotFoundError
        If there is nothing of that name to colour by.
    """
    kind, _, name = colour.partition(":")
    if kind == "cluster":
        clusters, chosen = clusters_of(library, view, data.ids, name=name or None)
        groups, codes = _cluster_groups(clusters, cluster_names(chosen))
    else:
        column = known.by_name.get(name if kind == "meta" else kind)
        if column is None or (kind != "meta" and (name or kind not in BUILT_IN)):
            raise NotFoundError(f"nothing is called {colour!r} to colour by; choose from the list")
        groups, codes = _column_groups(column, data.rows)
    return (groups, codes) if passes is None else _within(groups, codes, passes)


def _within(
    groups: list[dict[str, Any]], codes: NDArray[np.int64], passes: NDArray[np.bool_]
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """What is left of the groups when only some points count."""
    counts = np.bincount(codes[passes], minlength=len(groups))
    kept = np.flatnonzero(counts)
    place = np.full(len(groups), OUTSIDE, np.int64)
    place[kept] = np.arange(len(kept))
    left = [{**groups[g], "count": int(counts[g])} for g in kept]
    return left, np.where(passes, place[codes], OUTSIDE)


def colour_of(number: int) -> str:
    """A colour of its own for each of the first forty groups.

    Examples
    --------
    >>> colour_of(0), colour_of(20)
    ('#2F7ED8', '#1C4B81')
    """
    colour = COLOURS[number % len(COLOURS)]
    if number % (2 * len(COLOURS)) < len(COLOURS):
        return colour
    parts = [int(colour[i : i + 2], 16) * 6 // 10 for i in (1, 3, 5)]  # the same, darker
    return "#" + "".join(f"{part:02X}" for part in parts)


def _cluster_groups(
    clusters: Sequence[int | None], names: Mapping[int, str]
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """A group a cluster, the largest of them; a cluster keeps its colour whatever others become."""
    counts = Counter(clusters)
    real = sorted(c for c in counts if c is not None and c >= 0)
    shown = sorted(sorted(real, key=lambda c: -counts[c])[:GROUPS])
    groups = [_group(called(c, names), colour_of(c), counts[c]) for c in shown]
    index: dict[int | None, int] = {c: i for i, c in enumerate(shown)}
    rest = [c for c in real if c not in index]
    if rest:
        index |= dict.fromkeys(rest, len(groups))
        groups.append(_group(f"{len(rest)} smaller", REST, sum(counts[c] for c in rest)))
    for value, name, colour in ((-1, "noise", GREY), (None, "not clustered yet", NONE)):
        if counts.get(value):
            index[value] = len(groups)
            groups.append(_group(name, colour, counts[value]))
    return groups, np.array([index[c] for c in clusters], np.int64)


def _group(name: str, colour: str, count: int) -> dict[str, Any]:
    return {"name": name, "colour": colour, "count": count}


def _column_groups(
    column: Choices | Numbers, rows: NDArray[np.int64]
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    if isinstance(column, Choices):
        return _word_groups(column.codes[rows].astype(np.int64), column.values, in_order=False)
    values = column.values[rows]
    different = np.unique(values[~np.isnan(values)])
    if len(different) > FEW:
        return _number_groups(values, dates=column.dates)
    codes = np.where(np.isnan(values), -1, np.searchsorted(different, values))
    names = [_number_text(v, dates=column.dates) for v in different]
    return _word_groups(codes.astype(np.int64), names, in_order=True)


def _word_groups(
    codes: NDArray[np.int64], words: Sequence[str], *, in_order: bool
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """A group a word, the most frequent first unless the words have an order of their own."""
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    there = [code for code in range(len(words)) if counts[code]]
    if not in_order:
        there.sort(key=lambda code: -counts[code])
    shown, rest = there[:GROUPS], there[GROUPS:]
    groups = [_group(words[c], colour_of(i), int(counts[c])) for i, c in enumerate(shown)]
    place = np.zeros(len(words) + 1, np.int64)  # the last is for -1, none
    place[shown] = np.arange(len(shown))
    if rest:
        place[rest] = len(groups)
        groups.append(_group(f"{len(rest)} others", REST, int(counts[rest].sum())))
    missing = int(np.count_nonzero(codes < 0))
    if missing:
        place[-1] = len(groups)
        groups.append(_group("none", NONE, missing))
    return groups, place[codes]


def _number_groups(
    values: NDArray[np.float64], *, dates: bool
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    missing = np.isnan(values)
    edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, BINS + 1)))
    if dates:
        edges = np.unique(np.round(edges))
    inner = edges[1:-1]
    codes = np.where(missing, len(inner) + 1, np.searchsorted(inner, values, side="right"))
    counts = np.bincount(codes, minlength=len(inner) + 2)
    texts = [_number_text(edge, dates=dates) for edge in edges]
    groups = [
        _group(
            f"{texts[i]} to {texts[i + 1]}",
            RAMP[round(i * (len(RAMP) - 1) / max(len(edges) - 2, 1))],
            int(counts[i]),
        )
        for i in range(len(edges) - 1)
    ]
    if counts[-1]:
        groups.append(_group("none", NONE, int(counts[-1])))
    return groups, codes.astype(np.int64)


def _number_text(value: float, *, dates: bool) -> str:
    return date.fromordinal(round(value)).isoformat() if dates else f"{value:.4g}"


def note(view: View, data: MapData) -> str:
    """What a reader of the map should know of it, in a sentence or none."""
    said = []
    if data.meta.get("why"):
        said.append(str(data.meta["why"]).rstrip(".") + ".")
    if data.late:
        covered = len(data.ids) - data.late
        said.append(
            f"The map covers {covered:,} of {len(data.ids):,} images; the others came later and "
            "are placed among their nearest neighbours."
        )
    generation = data.meta.get("parameters", {}).get("generation")
    refitted = generation is not None and generation != view.encoding.generation
    changed = not data.late and data.meta.get("fingerprint") != view.snapshot.fingerprint
    if refitted or changed:
        said.append("Vectors changed since this map was made; make it again to see them now.")
    return " ".join(said)
