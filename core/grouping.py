"""Clusters as a person meets them: what is typical of each, what does not belong, what is near.

An image's place is judged by centres: a cluster's centre is the mean direction of its vectors, and
what counts is the distance to the own centre beside that to the nearest other one. With a = own
and b = other distance, the margin (b - a) / max(a, b) is a silhouette of centres, 1 at the own
centre, 0 halfway, below 0 nearer to another. From it come three bands:

- central: margin of at least `CLEAR`;
- borderline: between 0 and `CLEAR`;
- doubtful: below 0, it is nearer to another cluster's centre than to its own.

Where there is no other cluster, all are central. An outlier lies farther from its own centre than
Tukey's fence, the upper quartile of its cluster's distances and half as much again as the
quartiles' difference.

References: Hruschka, de Castro & Campello (2004), doi 10.1109/ICDM.2004.10073 (silhouettes of
centres); Tukey (1977), Exploratory Data Analysis (fences).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analysis import cluster_names, clusters_of
from core.arrays import Vectors
from core.columns import Choices, Columns, Numbers
from core.editing import revision_of
from core.edits import NOISE, called
from core.errors import NotFoundError
from core.library import Library, View
from core.neighbours import blocks
from core.wording import Measured, Suggestion, guessed, in_words, measured

CLEAR = 0.2
BANDS = ("central", "borderline", "doubtful")
FENCE = 1.5
ENOUGH = 8
"""Images below which no quartile says what is far."""
PICTURES = 6
NEAREST = 6
LABELLED = 3
"""Labelled images below which a label says nothing of a cluster."""
MAJORITY = 0.5

UNCOVERED = -2
"""The number of images that came after the clustering was made."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Where each image lies among the clusters; arrays have one entry a row of the vectors."""

    labels: NDArray[np.int64]
    """Number of its cluster, `NOISE` or `UNCOVERED`."""
    numbers: list[int]
    """Of the clusters that have images, ascending."""
    centres: Vectors
    """(k, d) unit rows, or zeros where a cluster's vectors cancel out."""
    own: NDArray[np.float32]
    """Distance to the own centre, NaN for what is in no cluster."""
    other: NDArray[np.float32]
    """Distance to the nearest other centre, NaN where there is none."""
    band: NDArray[np.int8]
    """Place among `BANDS`; -1 for what is in no cluster."""
    outlier: NDArray[np.bool_]

    def members(self, number: int) -> Rows:
        """A cluster's rows: central, then borderline, then doubtful, the nearest to it first.

        Of noise those first that lie nearest to a cluster.
        """
        rows = np.flatnonzero(self.labels == number)
        far = self.other if number == NOISE else self.own
        order = np.lexsort((rows, np.nan_to_num(far[rows], nan=9.0), self.band[rows]))
        return rows[order].astype(np.int64)

    def nearest(self, number: int) -> list[tuple[int, float]]:
        """Other clusters and the distances of their centres, the nearest first."""
        here = self.numbers.index(number)
        distances = 1 - self.centres @ self.centres[here]
        order = [i for i in np.argsort(distances, kind="stable").tolist() if i != here]
        return [(self.numbers[i], max(float(distances[i]), 0.0)) for i in order[:NEAREST]]


def place_images(vectors: Vectors, labels: NDArray[np.integer[Any]]) -> Places:
    """Judge every image's place in its cluster; see above for the rules.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        May be a memory map: it is read in blocks.
    labels : (n,) integers
        -1 for noise, -2 for images to leave aside.
    """
    matrix = np.asarray(vectors)
    n, dimension = matrix.shape
    wide = np.asarray(labels, np.int64)
    numbers = [int(c) for c in np.unique(wide) if c >= 0]
    k = len(numbers)
    centres = np.zeros((k, dimension))
    members = [np.flatnonzero(wide == number) for number in numbers]
    for i, rows in enumerate(members):
        for part in blocks(len(rows), dimension * 4):
            centres[i] += matrix[rows[part]].sum(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(centres[i]))
        centres[i] = centres[i] / length if length > 1e-6 * len(rows) else 0.0
    unit = centres.astype(np.float32)
    own = np.full(n, np.nan, np.float32)
    other = np.full(n, np.nan, np.float32)
    place = np.full(n, -1)
    for i, rows in enumerate(members):
        place[rows] = i
    for part in blocks(n, 4 * (dimension + k)) if k else ():
        distances = 1 - matrix[part] @ unit.T
        np.clip(distances, 0.0, 2.0, out=distances)
        inside = np.flatnonzero(place[part] >= 0)
        at = (inside, place[part][inside])
        own[part][inside] = distances[at]
        distances[at] = np.inf
        nearest = distances.min(axis=1)
        other[part] = np.where(np.isinf(nearest), np.nan, nearest)
    band = _bands(own, other)
    outlier = np.zeros(n, bool)
    for rows in members:
        outlier[rows] = _outliers(own[rows])
    return Places(wide, numbers, unit, own, other, band, outlier)


def _bands(own: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int8]:
    with np.errstate(invalid="ignore", divide="ignore"):
        margin = (other - own) / np.maximum(own, other)
    margin = np.where(np.isnan(other), 1.0, np.nan_to_num(margin))  # both 0: in between
    band = np.where(margin >= CLEAR, 0, np.where(margin >= 0, 1, 2))
    return np.where(np.isnan(own), -1, band).astype(np.int8)


def _outliers(distances: NDArray[np.float32]) -> NDArray[np.bool_]:
    if len(distances) < ENOUGH:
        return np.zeros(len(distances), bool)
    low, high = np.percentile(distances, [25, 75])
    # of copies all distances are equal but for roundings
    fence: NDArray[np.bool_] = distances > high + FENCE * (high - low) + 1e-5
    return fence


@dataclass(frozen=True)
class SizeRange:
    """How large most of a cluster's images are: 10th to 90th percentile."""

    low: float
    high: float
    unit: str
    """µm or px."""
    of: str
    """``ESD``, or ``frame``: the longest side of the picture."""

    def said(self) -> str:
        """Examples
        --------
        >>> SizeRange(12.34, 1234.5, "µm", "ESD").said()
        'ESD 12.3 to 1,234 µm'
        """
        low, high = (f"{v:.3g}" if v < 1_000 else f"{v:,.0f}" for v in (self.low, self.high))
        return f"{self.of} {low if low == high else f'{low} to {high}'} {self.unit}"


@dataclass(frozen=True)
class Commonest:
    """The label that most labelled images of a cluster have."""

    label: str
    count: int
    labelled: int

    @property
    def share(self) -> float:
        return self.count / self.labelled


@dataclass(frozen=True)
class Group:
    """One cluster, or noise, as a card shows it."""

    number: int
    name: str | None
    """What people named it."""
    size: int
    share: float
    """Of the images that the clustering covers."""
    central: tuple[str, ...]
    """Ids of its most central images, copies left out; of noise some all along."""
    sizes: SizeRange | None
    label: Commonest | None
    stability: float | None
    """0 to 1; None where it was not measured."""
    suggested: Suggestion | None
    bands: tuple[int, int, int]
    """How many are central, borderline, doubtful."""
    outliers: int

    @property
    def called(self) -> str:
        """Its name, or its number."""
        return called(self.number, {self.number: self.name} if self.name else {})

    def as_json(self) -> dict[str, Any]:
        sizes, label = self.sizes, self.label
        return {
            "cluster": self.number,
            "name": self.name,
            "size": self.size,
            "share": self.share,
            "size_range": None
            if sizes is None
            else {"low": sizes.low, "high": sizes.high, "unit": sizes.unit, "of": sizes.of},
            "label": None
            if label is None
            else {"label": label.label, "share": label.share, "labelled": label.labelled},
            "stability": self.stability,
            "suggested": None if self.suggested is None else self.suggested.as_json(),
            **dict(zip(BANDS, self.bands, strict=True)),
            "outliers": self.outliers,
            "central_images": list(self.central),
        }


@dataclass(frozen=True)
class Grouping:
    """A clustering of a view with a card for each cluster."""

    name: str
    meta: Mapping[str, Any]
    revision: str
    """See `core.editing.revision_of`."""
    ids: list[str]
    places: Places
    groups: tuple[Group, ...]
    """By number."""
    noise: Group | None
    uncovered: int
    """Images that came after the clustering was made."""

    def group(self, number: int) -> Group:
        """One cluster, or noise as -1.

        Raises
        ------
        NotFoundError
            If there is none of that number.
        """
        for each in (*self.groups, *([self.noise] if self.noise else [])):
            if each.number == number:
                return each
        raise NotFoundError(
            f"there is no {called(number, {})} in clustering {self.name!r}; choose one that is"
        )

    def members(self, number: int) -> Rows:
        """Rows of a cluster in the order of `Places.members`."""
        return self.places.members(number)

    def as_json(self) -> dict[str, Any]:
        edited = self.meta.get("edited")
        clusters = []
        for group in self.groups:
            near = self.places.nearest(group.number)
            listed = [{"cluster": number, "distance": round(d, 6)} for number, d in near]
            clusters.append(group.as_json() | {"nearest": listed})
        return {
            "clustering": self.name,
            "images": len(self.ids) - self.uncovered,
            "not_covered": self.uncovered,
            "clusters": clusters,
            "noise": None if self.noise is None else self.noise.as_json(),
            "edited_from": edited["from"]["name"] if edited else None,
            "edits": edited["edits"] if edited else [],
            "revision": self.revision,
            "why": {}
            if any(group.stability is not None for group in self.groups)
            else {"stability": "it was not measured cluster by cluster"},
        }


def grouping(
    library: Library,
    view: View,
    known: Columns,
    *,
    name: str | None = None,
    encode_text: Callable[[Sequence[str]], Vectors] | None = None,
) -> Grouping:
    """The clusters of a view.

    Parameters
    ----------
    known : Columns
        The view's columns.
    name : str, optional
        Of the clustering; the newest by default.
    encode_text : callable, optional
        Of an encoder that reads text, to guess names where neither labels nor measures give one.

    Raises
    ------
    NotFoundError
        If there is no clustering, or none of that name.
    """
    ids = view.snapshot.ids
    found, meta = clusters_of(library, view, ids, name=name)
    if meta is None:
        raise NotFoundError(
            f"collection {view.collection.name!r} has no clustering yet; make one with "
            f"`cluster --collection {view.collection.name} --method hdbscan`"
        )
    labels = np.array([UNCOVERED if c is None else c for c in found], np.int64)
    labels[~known.known] = UNCOVERED  # stored, and not catalogued yet
    places = place_images(view.snapshot.vectors, labels)
    measures = measured(library, view)
    lengths = _lengths(known, measures)
    covered = int(np.count_nonzero(labels != UNCOVERED))
    names = cluster_names(meta)
    groups = []
    noise = None
    members = {number: places.members(number) for number in [*places.numbers, NOISE]}
    for number, rows in members.items():
        if not len(rows):
            continue
        band = np.bincount(places.band[rows] + 1, minlength=4)
        made = Group(
            number=number,
            name=names.get(number),
            size=len(rows),
            share=len(rows) / covered,
            central=tuple(ids[row] for row in _pictures(rows, known, spread=number == NOISE)),
            sizes=None if lengths is None else _size_range(lengths, rows),
            label=_commonest(known, rows),
            stability=stability_of(meta, number),
            suggested=None,
            bands=(int(band[1]), int(band[2]), int(band[3])),
            outliers=int(places.outlier[rows].sum()),
        )
        if number == NOISE:
            noise = made
        else:
            groups.append(made)
    suggested = _suggested(
        groups, [members[g.number] for g in groups], measures, places, encode_text
    )
    groups = [replace(g, suggested=s) for g, s in zip(groups, suggested, strict=True)]
    return Grouping(
        meta["name"], meta, revision_of(meta), ids, places, tuple(groups), noise,
        len(ids) - covered,
    )  # fmt: skip


def stability_of(meta: Mapping[str, Any], number: int) -> float | None:
    """How well a cluster holds together when it is found again; None where not measured."""
    every = meta.get("cluster_stability") or []
    value = every[number] if 0 <= number < len(every) else None
    return None if value is None else float(value)


def _suggested(
    groups: Sequence[Group],
    members: Sequence[Rows],
    measures: Measured | None,
    places: Places,
    encode_text: Callable[[Sequence[str]], Vectors] | None,
) -> list[Suggestion | None]:
    """By labels where they agree, else by measures, else a guess in words."""
    out = [None if group.label is None else _by_labels(group.label) for group in groups]
    if measures is not None and None in out:
        out = [a or b for a, b in zip(out, in_words(measures, members), strict=True)]
    if encode_text is not None and None in out:
        out = [a or b for a, b in zip(out, guessed(places.centres, encode_text), strict=True)]
    return out


def _by_labels(found: Commonest) -> Suggestion | None:
    """The commonest label, if more than half of the labelled images have it."""
    if found.labelled < LABELLED or found.share <= MAJORITY:
        return None
    about = f"{found.count:,} of its {found.labelled:,} labelled images are called so."
    return Suggestion(found.label, "labels", about)


def _pictures(rows: Rows, known: Columns, *, spread: bool) -> list[int]:
    """Rows to show of a cluster: the first, files of the same content once; or all along."""
    _, first = np.unique(known.copies[rows], return_index=True)
    different: list[int] = rows[np.sort(first)].tolist()
    if spread and len(different) > PICTURES:
        last = len(different) - 1
        return [different[round(i * last / (PICTURES - 1))] for i in range(PICTURES)]
    return different[:PICTURES]


@dataclass(frozen=True)
class _Lengths:
    values: NDArray[np.float64]
    unit: str
    of: str


def _lengths(known: Columns, measures: Measured | None) -> _Lengths | None:
    """The best there is to say how large images are, the same for all clusters.

    The instrument's diameters where half of the images have one, else those measured in the
    pictures, else the pictures' sides; None where these are micrometres in part only.
    """
    esd = known.by_name.get("esd_um")
    if isinstance(esd, Numbers):
        values = np.where(np.isfinite(esd.values) & (esd.values > 0), esd.values, np.nan)
        if np.count_nonzero(~np.isnan(values)) * 2 >= len(values):
            return _Lengths(values, "µm", "ESD")
    if measures is not None:
        values = measures.of("ESD")
        return _Lengths(np.where(values > 0, values, np.nan), measures.unit, "ESD")
    size = known.by_name["size"]
    if isinstance(size, Numbers) and known.size_unit in ("µm", "px"):
        return _Lengths(size.values, known.size_unit, "frame")
    return None


def _size_range(lengths: _Lengths, rows: Rows) -> SizeRange | None:
    values = lengths.values[rows]
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [10, 90])
    return SizeRange(float(low), float(high), lengths.unit, lengths.of)


def _commonest(known: Columns, rows: Rows) -> Commonest | None:
    column = known.by_name.get("label")
    if not isinstance(column, Choices):
        return None
    codes = column.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=1)
    if not counts.sum():
        return None
    best = int(counts.argmax())
    return Commonest(column.values[best], int(counts[best]), int(counts.sum()))
