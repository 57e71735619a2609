"""What samples are made of: images counted by kind and by sample, station, depth, date...

A kind is a cluster or a label. Images without one, such as noise, are shown apart and left out of
diversity unless asked for otherwise: a group of leftovers is no kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core import diversity
from core.analysis import clusters_of
from core.binning import Groups, day_of, grouped, together
from core.catalogue import nearby
from core.columns import FIRST, PRIVATE, Choices, Columns, Field, Numbers, named
from core.errors import NotFoundError, RangeError
from core.filtering import Filter, passing
from core.labels import Label, current
from core.library import Library, View

ALL = "all"
"""In place of a column: everything as one group."""

MAX_GROUPS = 5_000
WITHOUT = ("apart", "out", "counted")
"""What is done with images without a kind: shown apart and not counted in diversity, left out
altogether, or counted as kinds of their own."""
ORDERS = ("value", "date", "similar", "images")
OF = ("cluster", "label")


@dataclass(frozen=True)
class Kind:
    """What images are counted as."""

    name: str
    place: int | None = None
    """Its place among all kinds of the collection, as the map colours them; None for no kind."""
    noise: bool = False
    apart: bool = False
    """Somebody said that it shall not count as a kind, such as detritus."""

    @property
    def none(self) -> bool:
        """Whether it is no kind: leftovers, or set apart."""
        return self.apart or self.place is None


@dataclass(frozen=True)
class Kinds:
    """The kind of every image."""

    codes: NDArray[np.int64]
    """Place among `kinds`."""
    kinds: list[Kind]
    validated: NDArray[np.bool_] | None = None
    """Of labels: whether somebody, or the import, says that it is so."""

    @property
    def none(self) -> NDArray[np.bool_]:
        """Which of `kinds` are no kind."""
        return np.array([kind.none for kind in self.kinds], bool)


@dataclass(frozen=True)
class Group:
    """One bar."""

    name: str
    day: float | None = None
    """Its date as `datetime.date.toordinal` counts, where it has one."""
    missing: bool = False
    """Whether it holds the images that have no value."""


@dataclass(frozen=True)
class Composition:
    """Counts of each kind in each group, and what follows from them."""

    title: str
    """What groups are: "Depth (m)"."""
    binned: str
    """How values were made groups; empty where each is one."""
    groups: list[Group]
    kinds: list[Kind]
    """The most frequent first; those that are none come last."""
    counts: NDArray[np.int64]
    """(groups, kinds)"""
    counted: NDArray[np.bool_]
    """Which kinds count in diversity."""
    without: int
    """Images that pass and have no kind, shown or not."""
    rarefied_to: int | None
    richness: NDArray[np.int64]
    shannon: NDArray[np.float64]
    evenness: NDArray[np.float64]
    rarefied: NDArray[np.float64]
    group_of: NDArray[np.int64]
    """Each image's group, -1 for those that are not counted."""
    kind_of: NDArray[np.int64]

    @property
    def images(self) -> NDArray[np.int64]:
        """How many images each group shows."""
        shown: NDArray[np.int64] = self.counts.sum(axis=1)
        return shown

    @property
    def shares(self) -> NDArray[np.float64]:
        """Counts by the images of their group; 0 in a group of none."""
        return self.counts / np.maximum(self.images, 1)[:, None]

    def rows(self, group: int, kinds: Sequence[int]) -> list[int]:
        """Rows of the view's vectors whose images are of these kinds in a group."""
        there = (self.group_of == group) & np.isin(self.kind_of, kinds)
        return [int(row) for row in np.flatnonzero(there)]


def kinds_of(
    library: Library,
    view: View,
    *,
    of: str = "cluster",
    clustering: str | None = None,
    validated: bool = False,
) -> Kinds:
    """The cluster, or the label, of every image of a view.

    Parameters
    ----------
    of : {"cluster", "label"}
    clustering : str, optional
        Its name; the newest by default.
    validated : bool
        Count only labels that are validated.

    Raises
    ------
    NotFoundError
        If there is no such clustering, or no label at all.
    """
    ids = view.snapshot.ids
    name = view.collection.name
    if of == "cluster":
        clusters, made = clusters_of(library, view, ids, name=clustering)
        if made is None:
            raise NotFoundError(
                f"collection {name!r} has no clustering yet; make one with `map --collection "
                f"{name}`, or count labels with --of label"
            )
        return of_clusters(clusters, made.get("names", {}))
    if of != "label":
        raise RangeError(f"what is counted is {of!r}; expected one of {', '.join(OF)}")
    known = current(library.catalogue, view.collection.uid)
    found = of_labels([known.get(id) for id in ids], validated=validated)
    if all(kind.place is None for kind in found.kinds):
        raise NotFoundError(
            f"no image of collection {name!r} has a {'validated ' if validated else ''}label yet; "
            "label some, or count clusters with --of cluster"
        )
    return found


def of_clusters(clusters: Sequence[int | None], names: Mapping[str, str] | None = None) -> Kinds:
    """Clusters as kinds: -1 is noise, None is an image that the clustering does not cover.

    Parameters
    ----------
    names : mapping
        What people call clusters: ``{"3": "Copepods"}``.
    """
    called = names or {}
    real = sorted({c for c in clusters if c is not None and c >= 0})
    words = [called.get(str(c)) or f"cluster {c}" for c in real]
    often = Counter([*words, "noise", "not clustered yet"])
    words = [w if often[w] == 1 else f"{w} (cluster {c})" for w, c in zip(words, real, strict=True)]
    kinds = [Kind(word, place) for place, word in enumerate(words)]
    kinds += [Kind("noise", noise=True), Kind("not clustered yet")]
    place_of: dict[int | None, int] = {c: place for place, c in enumerate(real)}
    place_of |= {-1: len(real), None: len(real) + 1}
    return Kinds(np.array([place_of[c] for c in clusters], np.int64), kinds)


def of_labels(labels: Sequence[Label | None], *, validated: bool = False) -> Kinds:
    """Labels as kinds, the most frequent first; one that was rejected is none."""
    words = [_word(label, validated) for label in labels]
    often = Counter(word for word in words if word is not None)
    real = sorted(often, key=lambda word: -often[word])  # equally frequent: as they first came
    kinds = [Kind(word, place) for place, word in enumerate(real)]
    none = "no validated label" if validated else "no label"
    kinds.append(Kind(f"({none})" if none in often else none))
    place_of: dict[str | None, int] = {word: place for place, word in enumerate(real)}
    codes = np.array([place_of.get(word, len(real)) for word in words], np.int64)
    sure = np.array([label is not None and label.status == "validated" for label in labels], bool)
    return Kinds(codes, kinds, sure)


def _word(label: Label | None, validated: bool) -> str | None:
    if label is None or label.status == "rejected" or (validated and label.status != "validated"):
        return None
    return label.label


def set_apart(kinds: Kinds, names: Collection[str]) -> Kinds:
    """The same, but these do not count as kinds.

    Raises
    ------
    NotFoundError
        If there is no such kind.
    """
    there = [kind.name for kind in kinds.kinds]
    for name in names:
        if name not in there:
            raise NotFoundError(f"nothing is called {name[:80]!r}; {nearby(name, there)}")
    fresh = [replace(kind, apart=True) if kind.name in names else kind for kind in kinds.kinds]
    return replace(kinds, kinds=fresh)


def ways(fields: Sequence[Field], known: Columns, *, of: str) -> dict[str, str]:
    """column -> title of what images can be grouped by, what people look for first at the front."""

    def rank(name: str) -> tuple[int, int]:
        words = [n for n, part in enumerate(FIRST) if part in name.lower()]
        late = {"size": 1, "label": 2}.get(name, 0)
        return (0, 0) if name == "sample" else (1 + late, min(words, default=9))

    names = {field.name for field in fields} - ({"label"} if of == "label" else set())
    if has_samples(known):
        names.add("sample")  # be it one only
    order = [name for name in known.by_name if name in names - {*PRIVATE}]
    found = {name: grouped_title(name, known) for name in sorted(order, key=rank)}
    return {**found, ALL: "all together"}


def has_samples(known: Columns) -> bool:
    """Whether some image has a sample."""
    column = known.by_name.get("sample")
    return isinstance(column, Choices) and bool((column.codes[known.known] >= 0).any())


def grouped_title(name: str, known: Columns) -> str:
    """A column's title with its unit."""
    title, unit = named(name)
    unit = known.size_unit if name == "size" else unit
    return title + (f" ({unit})" if unit else "")


def composed(
    known: Columns,
    kinds: Kinds,
    *,
    by: str,
    only: Filter | None = None,
    without: str = "apart",
    order: str | None = None,
    rarefy: int | None = None,
) -> Composition:
    """Count images by kind and by a column's values.

    Parameters
    ----------
    by : str
        A column, or `ALL`.
    only : Filter, optional
        Only images that pass are counted, and only their values make groups.
    without : {"apart", "out", "counted"}
        What is done with images without a kind; see `WITHOUT`.
    order : {"value", "date", "similar", "images"}, optional
        Of the groups; by default the first of `orders`. Images without a value come last.
    rarefy : int, optional
        Images drawn for the rarefied richness; by default as many as the smallest group counts.

    Raises
    ------
    CoreError
        If there is no such column, it has too many values, or an option is none of these.
    """
    if without not in WITHOUT:
        raise RangeError(f"images without a kind are {without!r}; expected {', '.join(WITHOUT)}")
    passes = passing(known, only or Filter())
    groups = _groups(known, by, passes)
    if len(groups.names) > MAX_GROUPS:
        raise RangeError(
            f"{by!r} has {len(groups.names):,} values; expected at most {MAX_GROUPS:,}: choose "
            "a column that many images share"
        )
    dates = _dates(known) if isinstance(known.by_name.get(by), Choices) else None
    bars, codes = _bars(groups, by, passes, dates)
    shown, kind_of, counts = _counted(kinds, codes, len(bars), out=without == "out")
    counted = np.array([without == "counted" or not kind.none for kind in shown], bool)
    drawn = _drawn(bars, counts[:, counted], rarefy)
    at = _order(bars, counts, counted, order)
    place = np.full(len(bars) + 1, -1, np.int64)  # the last is for -1
    place[at] = np.arange(len(at))
    counts = counts[at]
    bars = [bars[n] for n in at]
    real = counts[:, counted]
    return Composition(
        groups.title,
        groups.binned,
        bars,
        shown,
        counts,
        counted,
        int(np.count_nonzero(kinds.none[kinds.codes] & passes)),
        drawn,
        diversity.richness(real),
        diversity.shannon(real),
        diversity.evenness(real),
        diversity.rarefied(real, drawn) if drawn else np.full(len(bars), np.nan),
        np.where(kind_of >= 0, place[codes], -1),
        kind_of,
    )


def _groups(known: Columns, by: str, passes: NDArray[np.bool_]) -> Groups:
    column = known.by_name.get(by)
    if column is not None:
        return grouped(by, column, passes, unit=known.size_unit if by == "size" else "")
    if by == ALL:
        return together(passes)
    raise NotFoundError(
        f"there is no column {by[:80]!r} to group by; {nearby(by, [*known.by_name, ALL])}"
    )


def _dates(known: Columns) -> Numbers | None:
    """The first column of days."""
    every = (c for c in known.by_name.values() if isinstance(c, Numbers) and c.dates)
    return next(every, None)


def _bars(
    groups: Groups, by: str, passes: NDArray[np.bool_], dates: Numbers | None
) -> tuple[list[Group], NDArray[np.int64]]:
    """The groups, those without a value last, and which one each image that passes is in."""
    days = day_of(dates, groups) if dates else [None] * len(groups.names)
    bars = [Group(name, day) for name, day in zip(groups.names, days, strict=True)]
    codes = groups.codes
    missing = passes & (codes < 0)
    if missing.any():
        name = f"no {named(by)[0]}"
        name = f"({name})" if name in groups.names else name
        codes = np.where(missing, len(bars), codes)
        bars.append(Group(name, missing=True))
    return bars, codes


def _counted(
    kinds: Kinds, codes: NDArray[np.int64], bars: int, *, out: bool
) -> tuple[list[Kind], NDArray[np.int64], NDArray[np.int64]]:
    """The kinds there are, which one each image is, and how many of each are in each bar."""
    n = len(kinds.kinds)
    there = codes >= 0
    if out:
        there &= ~kinds.none[kinds.codes]
    counts = np.bincount(codes[there] * n + kinds.codes[there], minlength=bars * n)
    counts = counts.reshape(bars, n).astype(np.int64)
    often = counts.sum(axis=0)

    def rank(code: int) -> tuple[int, int, int]:
        kind = kinds.kinds[code]
        last = 2 if kind.place is None else int(kind.apart)
        return last, 0 if last == 2 else -int(often[code]), code

    order = sorted(np.flatnonzero(often).tolist(), key=rank)
    at = np.full(n, -1, np.int64)
    at[order] = np.arange(len(order))
    kind_of = np.where(there, at[kinds.codes], -1)
    return [kinds.kinds[code] for code in order], kind_of, counts[:, order]


def _drawn(bars: Sequence[Group], counts: NDArray[np.int64], asked: int | None) -> int | None:
    """How many images rarefied richness is for; None where no group counts any."""
    if asked is not None and asked < 1:
        raise RangeError(f"rarefied to {asked} images; expected 1 or more")
    totals = counts.sum(axis=1)[[not bar.missing for bar in bars]]
    smallest = int(totals[totals > 0].min(initial=np.iinfo(np.int64).max))
    if not (totals > 0).any():
        return None
    return smallest if asked is None else asked


def orders(bars: Sequence[Group]) -> list[str]:
    """Orders that mean something for these groups, the best first."""
    named_bars = [bar for bar in bars if not bar.missing]
    dated = len(named_bars) > 1 and all(bar.day is not None for bar in named_bars)
    several = ["similar", "images"] if len(named_bars) > 2 else []
    return [*(["date"] if dated else []), "value", *several]


def _order(
    bars: Sequence[Group],
    counts: NDArray[np.int64],
    counted: NDArray[np.bool_],
    asked: str | None,
) -> list[int]:
    if asked is not None and asked not in ORDERS:
        raise RangeError(f"order is {asked!r}; expected one of {', '.join(ORDERS)}")
    if asked == "date" and all(bar.day is None for bar in bars):
        raise RangeError(
            "order is 'date', and no group has a date of its own; expected value, similar or images"
        )
    order = asked or orders(bars)[0]
    at: list[int] = [n for n, bar in enumerate(bars) if not bar.missing]
    if order == "date":
        at.sort(key=lambda n: np.inf if (day := bars[n].day) is None else day)
    elif order == "images":
        at.sort(key=lambda n: -int(counts[n].sum()))
    elif order == "similar":
        at = diversity.alike_order(counts[at][:, counted]).tolist()
    return at + [n for n, bar in enumerate(bars) if bar.missing]
