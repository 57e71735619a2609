"""The next screen of images to decide on together, and growing a set by its nearest images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.errors import NotFoundError, RangeError
from core.neighbours import coarse_similarities
from core.search import mean_direction
from core.suggestions import Suggestions

STRATEGIES = {
    "sure": (
        "Large sure groups first: the screens that label most images an action. Where only small "
        "ones are left, images unlike anything labelled come before them."
    ),
    "borderline": "Images whose decision settles most of the others still undecided.",
    "new": "Images unlike anything labelled, grouped by likeness: possible new kinds.",
}
LOOKED_AT = 4_000
"""Images compared with each other at most, the first of those that qualify, evenly spaced."""
WORTH_A_SCREEN = 0.5
"""Share of a screen below which a sure group waits while something unfamiliar can fill more."""
STOP_SHARE = 0.5
STOP_SCREENS = 2

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Screen:
    """Images that should all be one kind."""

    label: str | None
    """What they are proposed to be; None where they are for a person to name."""
    ids: list[str]
    """In the order to show; none when nothing is left."""
    confidence: list[float | None]
    """For each, that it is of `label`, 0 to 1; None where that cannot be told."""
    likeliest: list[tuple[tuple[str, float | None], ...]]
    """For each, at most 5 labels with their confidences."""
    why: str
    """One sentence: why these."""
    strategy: str


def next_screen(
    suggestions: Suggestions, strategy: str, size: int, *, skip: Collection[str] = ()
) -> Screen:
    """The next images to decide on together.

    Parameters
    ----------
    suggestions : Suggestions
    strategy : one of `STRATEGIES`
    size : int
        How many images at most, at least 1.
    skip : ids
        Images not to show: decided since, or sent back.

    Returns
    -------
    Screen
        Where a strategy has nothing left another takes over, and `why` says so; without any ids
        when no undecided image is left.

    Raises
    ------
    RangeError
        If the strategy is unknown or size is below 1.
    """
    if strategy not in STRATEGIES:
        raise RangeError(
            f"there is no strategy {strategy!r}; expected one of {', '.join(STRATEGIES)}"
        )
    if size < 1:
        raise RangeError(f"a screen of {size} images; expected at least 1")
    left = np.ones(len(suggestions), dtype=np.bool_)
    if skip:
        passed = set(skip)
        left = np.array([id not in passed for id in suggestions.ids], dtype=np.bool_)
    if not left.any():
        return Screen(None, [], [], [], "Nothing is left: every image is decided.", strategy)
    if not suggestions.kinds:
        return _first(suggestions, left, size, strategy)
    ways: dict[str, Callable[[Suggestions, NDArray[np.bool_], int], Screen | None]] = {
        "sure": _sure,
        "borderline": _borderline,
        "new": _new,
    }
    screen = ways[strategy](suggestions, left, size)
    if screen is not None and strategy == "sure" and len(screen.ids) < size * WORTH_A_SCREEN:
        strange = int((left & suggestions.unfamiliar).sum())
        if strange > len(screen.ids):  # small groups wait until they have grown
            screen = _new(suggestions, left, size)
    if screen is not None:
        return screen
    other = _new(suggestions, left, size) if strategy != "new" else _sure(suggestions, left, size)
    return other if other is not None else _unknown(suggestions, left, size, strategy)


def _sure(s: Suggestions, left: NDArray[np.bool_], size: int) -> Screen | None:
    """The group, and as much of it, from which most images are labelled an action."""
    able = left & s.known & ~s.unfamiliar
    best, chosen = 0.0, None
    for kind in np.unique(s.likeliest[able, 0]):
        places = np.flatnonzero(able & (s.likeliest[:, 0] == kind))
        places = _surest(s, places, size)
        # accepting costs one action, and each image that is wrong one more
        wrong = float((1 - s.shares[places, 0].astype(np.float64)).sum())
        gain = len(places) / (1 + wrong)
        if gain > best + 1e-9:
            best, chosen = gain, places
    if chosen is None:
        return None
    label = s.kinds[s.likeliest[chosen[0], 0]]
    if s.calibrated:
        wrong = float((1 - s.shares[chosen, 0]).sum())
        why = f"{_images(chosen)} that should be {label}: about {wrong:.0f} of them may not be."
    else:
        why = f"{_images(chosen)} most like what is labelled {label}; {s.why['confidence']}."
    return _screen(s, chosen, label, why, "sure")


def _borderline(s: Suggestions, left: NDArray[np.bool_], size: int) -> Screen | None:
    """Doubtful images that are nearer to many undecided ones than anything labelled is."""
    able = np.flatnonzero(left & s.known & ~s.unfamiliar)
    if not len(able):
        return None
    doubt = 1 - (s.shares[able, 0] - s.shares[able, 1])
    looked = able[_spaced(len(able))]
    near = np.asarray(s.vectors[s.rows[looked]])
    among = _spaced(int(left.sum()))
    others = np.flatnonzero(left)[among]
    similar = coarse_similarities(near, np.asarray(s.vectors[s.rows[others]]))
    moved = (similar > 1 - s.distance[others][:, None]).sum(axis=0)
    worth = doubt[_spaced(len(able))] * moved
    kinds = s.likeliest[looked, 0]
    best, chosen = -1.0, looked[:0]
    for kind in np.unique(kinds):
        of = np.flatnonzero(kinds == kind)
        of = of[np.argsort(-worth[of], kind="stable")][:size]
        if worth[of].sum() > best + 1e-9:
            best, chosen = float(worth[of].sum()), looked[of]
    label = s.kinds[s.likeliest[chosen[0], 0]]
    why = (
        f"{_images(chosen)} between {label} and other kinds: deciding them settles most of what "
        "is undecided around them."
    )
    return _screen(s, chosen, label, why, "borderline")


def _new(s: Suggestions, left: NDArray[np.bool_], size: int) -> Screen | None:
    """The closest group among the unfamiliar, or among the unknown where none is unfamiliar."""
    pool = np.flatnonzero(left & s.unfamiliar)
    why = "unlike anything labelled, but like each other: perhaps a new kind."
    if not len(pool):
        pool = np.flatnonzero(left & ~s.known)
        why = "of no label that is likely enough, but like each other."
    if not len(pool):
        return None
    chosen = _alike(s, pool, size)
    return _screen(s, chosen, None, f"{_images(chosen)} {why}", "new")


def _first(s: Suggestions, left: NDArray[np.bool_], size: int, strategy: str) -> Screen:
    """Nothing is labelled: the middle of the largest cluster, or the closest group."""
    groups = np.where(left, s.clusters[s.rows], -1)
    if not (groups >= 0).any():
        chosen = _alike(s, np.flatnonzero(left), size)
        why = "that are most like each other: nothing is labelled yet. Give them a name."
    else:
        number = int(np.bincount(groups[groups >= 0]).argmax())
        chosen = _central(s, np.flatnonzero(groups == number), size)
        why = f"from the middle of cluster {number}: nothing is labelled yet. Give them a name."
    return _screen(s, chosen, None, f"{_images(chosen)} {why}", strategy)


def _unknown(s: Suggestions, left: NDArray[np.bool_], size: int, strategy: str) -> Screen:
    chosen = _alike(s, np.flatnonzero(left), size)
    why = f"{_images(chosen)} that are left, like each other."
    return _screen(s, chosen, None, why, strategy)


def _alike(s: Suggestions, pool: Rows, size: int) -> Rows:
    """The tightest group of a pool: an image and those nearest to it, nearest first."""
    looked = pool[_spaced(len(pool))]
    vectors = np.asarray(s.vectors[s.rows[looked]])
    similar = vectors @ vectors.T
    k = min(size, len(looked))
    nearest = np.partition(similar, len(looked) - k, axis=1)[:, len(looked) - k :]
    first = int(nearest.mean(axis=1).argmax())
    return looked[np.argsort(-similar[first], kind="stable")[:k]]


def _central(s: Suggestions, pool: Rows, size: int) -> Rows:
    """Those of a pool nearest to its mean, nearest first."""
    looked = s.vectors[s.rows[pool[_spaced(len(pool))]]]
    middle = looked.mean(axis=0, dtype=np.float64).astype(np.float32)
    similar = coarse_similarities(s.vectors, middle[None], s.rows[pool])[0]
    return pool[np.argsort(-similar, kind="stable")[:size]]


def _surest(s: Suggestions, places: Rows, size: int) -> Rows:
    """By confidence, and of equal ones the nearer to what is labelled first."""
    return places[np.lexsort((places, s.distance[places], -s.shares[places, 0]))][:size]


def _spaced(n: int) -> Rows:
    if n <= LOOKED_AT:
        return np.arange(n)
    return np.linspace(0, n - 1, LOOKED_AT).astype(np.int64)


def _screen(s: Suggestions, places: Rows, label: str | None, why: str, strategy: str) -> Screen:
    each = [s.at(int(place)) for place in places]
    return Screen(
        label,
        [one.id for one in each],
        [dict(one.likeliest).get(label) if label is not None else None for one in each],
        [one.likeliest for one in each],
        why,
        strategy,
    )


def _images(places: Rows) -> str:
    return "1 image" if len(places) == 1 else f"{len(places):,} images"


def grow(
    vectors: Vectors,
    ids: Sequence[str],
    seeds: Collection[str],
    *,
    undecided: Collection[str],
    rejected: Collection[str] = (),
    size: int,
) -> list[str]:
    """The undecided images most like a set that grows, nearest first, ties by id.

    Call it again with what was accepted among the seeds and what was not among the rejected.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    ids : n strings
    seeds : ids, at least one
        What it began from and what was accepted since.
    undecided : ids
        Which images may be shown; seeds and rejected ones are not.
    rejected : ids
        Images it should not be like.
    size : int
        How many at most, at least 1.

    Raises
    ------
    NotFoundError
        If a seed is not among ids.
    RangeError
        If size is below 1, or the seeds cancel each other out.
    """
    if size < 1:
        raise RangeError(f"a screen of {size} images; expected at least 1")
    place = {id: row for row, id in enumerate(ids)}
    missing = next((id for id in seeds if id not in place), None)
    if missing is not None:
        raise NotFoundError(
            f"there is no image {missing!r} among these {len(ids)}; grow from images that are here"
        )
    away = [place[id] for id in rejected if id in place]
    towards = mean_direction(vectors, [place[id] for id in seeds], away)
    shown = set(undecided) - set(seeds) - set(rejected)
    rows = np.array(sorted(place[id] for id in shown if id in place), dtype=np.int64)
    similar = coarse_similarities(vectors, towards[None], rows)[0].tolist()
    ranked = sorted(zip(similar, rows.tolist(), strict=True), key=lambda s: (-s[0], ids[s[1]]))
    return [ids[row] for _, row in ranked[:size]]


def stop_hint(screens: Sequence[tuple[int, int]]) -> str | None:
    """A sentence that says it is time to stop growing, or None.

    Parameters
    ----------
    screens : (rejected, shown) of each screen so far, the oldest first

    Examples
    --------
    >>> stop_hint([(0, 24), (2, 24)]) is None
    True
    >>> stop_hint([(0, 24), (14, 24), (20, 24)])
    '34 of the last 48 were rejected: the group probably ends here.'
    """
    last = screens[-STOP_SCREENS:]
    rejected, shown = sum(r for r, _ in last), sum(n for _, n in last)
    if len(last) < STOP_SCREENS or rejected <= STOP_SHARE * shown:
        return None
    return f"{rejected} of the last {shown} were rejected: the group probably ends here."
