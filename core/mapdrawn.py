"""A map as it is drawn: coloured, filtered, and above 100,000 points a sample of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analysis import clusters_of
from core.columns import Choices, Columns
from core.filtering import Filter, passing
from core.library import Library, View
from core.mapdata import OUTSIDE, MapData, groups_of, note
from core.mapdensity import density
from core.mapsample import LIMIT, sample_rows
from core.mapshape import inside
from core.mapwire import bitmap, pack

NOISE = -1
UNKNOWN = -2
FAINT = 0.1
"""Of the places, what points that do not pass the filter get at most while others want them."""
EXTRAS = 20_000
"""Selected points that a sample lacks and that are drawn with it."""


@dataclass(frozen=True)
class Drawn:
    """What one page shows of a map; rows mean nothing beyond the map's revision."""

    data: MapData
    groups: list[dict[str, Any]]
    codes: NDArray[np.int64]
    """The group of each point, `OUTSIDE` for those that do not pass the filter."""
    clusters: NDArray[np.int64]
    """The cluster of each point, negative for noise and none; empty where all are drawn."""
    labels: NDArray[np.int64]
    """The label of each point, -1 for none; empty where all are drawn."""
    note: str
    limit: int

    @property
    def sampled(self) -> bool:
        """Whether some points are not drawn at first."""
        return len(self.codes) > self.limit

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Which points are drawn at first, ascending."""
        return _chosen(self, np.arange(len(self.codes)))


def drawn(
    library: Library,
    view: View,
    data: MapData,
    known: Columns,
    *,
    colour: str,
    only: Filter | None = None,
    limit: int = LIMIT,
) -> Drawn:
    """Colour a map and, where not all of it can be drawn, learn what must be.

    Raises
    ------
    NotFoundError
        If there is nothing of that name to colour by.
    """
    passes = passing(known, only)[data.rows] if only else None
    groups, codes = groups_of(library, view, data, known, colour, passes)
    clusters = labels = np.zeros(0, np.int64)
    if len(codes) > limit:
        found, _ = clusters_of(library, view, data.ids)
        clusters = np.array([UNKNOWN if c is None else c for c in found], np.int64)
        column = known.by_name.get("label")
        labels = np.full(len(codes), UNKNOWN, np.int64)
        if isinstance(column, Choices):
            labels = column.codes[data.rows].astype(np.int64)
    return Drawn(data, groups, codes, clusters, labels, note(view, data), limit)


def _chosen(of: Drawn, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of some rows that are drawn; what does not pass the filter gives way."""
    if len(rows) <= of.limit:
        return rows
    passes = of.codes[rows] != OUTSIDE
    there, beyond = rows[passes], rows[~passes]
    places = of.limit - min(len(beyond), int(of.limit * FAINT))
    clusters, labels = of.clusters[there], of.labels[there]
    picked = sample_rows(
        of.data.coordinates[there],
        of.codes[there],
        limit=places,
        whole=[clusters, labels],
        always=[labels >= 0, clusters == NOISE],
    )
    same = np.zeros(len(beyond), np.int64)
    faint = sample_rows(of.data.coordinates[beyond], same, limit=of.limit - len(picked))
    return np.sort(np.concatenate([there[picked], beyond[faint]]))


def points(of: Drawn) -> bytes:
    """The map as it is drawn at first.

    See `core.mapwire.pack`. The header is ``{"n", "passing", "drawn", "shown", "groups", "note",
    "x", "y"}``: how many points there are, pass the filter, are sent, and are both; and from where
    to where all of them lie. The arrays are float32 x, float32 y, uint16 group (65,535 for what
    does not pass), and, where not all points are sent, uint32 row.
    """
    ends = [[float(axis.min()), float(axis.max())] if len(axis) else [0.0, 1.0]
            for axis in of.data.coordinates.T]  # fmt: skip
    return _packed(of, of.rows, {"note": of.note, "groups": of.groups, "x": ends[0], "y": ends[1]})


def region(of: Drawn, x: tuple[float, float], y: tuple[float, float]) -> bytes:
    """All points of a part of the map, or a sample of them where there are too many.

    As `points`, with ``"of"``: how many that pass lie there.
    """
    there = inside(of.data.coordinates, x, y)
    rows = _chosen(of, np.flatnonzero(there))
    here = int(np.count_nonzero(there & (of.codes != OUTSIDE)))
    return _packed(of, rows, {"of": here}, rows_too=True)


def some(of: Drawn, rows: Sequence[int]) -> bytes:
    """These points, as `points`; rows that do not exist are left out."""
    asked = np.asarray([row for row in rows if 0 <= row < len(of.codes)], np.int64)
    return _packed(of, asked, {}, rows_too=True)


def held(of: Drawn, rows: Sequence[int] | NDArray[np.int64]) -> bytes:
    """A selection: a bit a point, and those of its points that the sample lacks, up to 20,000.

    As `points`, with ``"selected"``: how many there are, and the bits after the other arrays.
    """
    n = len(of.codes)
    chosen = np.asarray(rows, np.int64)
    chosen = np.unique(chosen[(chosen >= 0) & (chosen < n)])
    missing = np.setdiff1d(chosen, of.rows, assume_unique=True)
    if len(missing) > EXTRAS:
        missing = missing[np.linspace(0, len(missing) - 1, EXTRAS).astype(np.int64)]
    header = {"selected": len(chosen)}
    return _packed(of, missing, header, rows_too=True, bits=bitmap(n, chosen))


def _packed(
    of: Drawn,
    rows: NDArray[np.int64],
    header: Mapping[str, Any],
    *,
    rows_too: bool = False,
    bits: NDArray[np.uint8] | None = None,
) -> bytes:
    codes = of.codes[rows]
    arrays: list[NDArray[Any]] = [
        of.data.coordinates[rows, 0].astype(np.float32),
        of.data.coordinates[rows, 1].astype(np.float32),
        codes.astype(np.uint16),
    ]
    if rows_too or of.sampled:
        arrays.append(rows.astype(np.uint32))
    if bits is not None:
        arrays.append(bits)
    counted = {
        "n": len(of.codes),
        "passing": int(np.count_nonzero(of.codes != OUTSIDE)),
        "drawn": len(rows),
        "shown": int(np.count_nonzero(codes != OUTSIDE)),
    }
    return pack({**counted, **header}, arrays)


def shades(of: Drawn, hidden: Collection[str] = ()) -> bytes:
    """How densely the points lie that pass and whose group is not hidden, all of them.

    See `core.mapwire.pack`: ``{"width", "height", "x", "y"}``, then uint8 shades, the row with the
    lowest y first.
    """
    made = density(of.data.coordinates, _visible(of, hidden))
    height, width = made.shades.shape
    header = {"width": width, "height": height, "x": made.x, "y": made.y}
    return pack(header, [made.shades])


def within(
    of: Drawn, x: Sequence[float], y: Sequence[float], hidden: Collection[str] = ()
) -> list[int]:
    """Rows inside a box or polygon, whether drawn or not; hidden groups and the rest left out.

    Raises
    ------
    CoreError
        If the shape is none; see `core.mapshape.inside`.
    """
    there = inside(of.data.coordinates, x, y) & _visible(of, hidden)
    rows: list[int] = np.flatnonzero(there).tolist()
    return rows


def _visible(of: Drawn, hidden: Collection[str]) -> NDArray[np.bool_]:
    shown = np.zeros(OUTSIDE + 1, bool)
    shown[: len(of.groups)] = [group["name"] not in hidden for group in of.groups]
    visible: NDArray[np.bool_] = shown[of.codes]
    return visible
