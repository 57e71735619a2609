"""Labels looked at again: probable mistakes, near-duplicates that disagree, kinds that overlap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, check_vectors
from core.calibration import spread_folds
from core.errors import RangeError
from core.neighbours import BLOCK_BYTES, nearest_first
from core.ways import Head, Shares, best_weights, mixed_shares

NEEDS = 60
"""Labels from which mistakes can be told; fewer are looked through by eye as fast."""
KIND_NEEDS = 5
"""Images a kind must have to be judged: each fifth is held out once."""
FOLDS = 5
NEIGHBOURS = 15
WARMTH = 0.06
"""A neighbour this much less similar than the nearest has 1/e of its vote."""
MOST_LEARNED = 20_000
"""Images a regression is fitted on: beyond, a drawn part of them."""
MOST_LIMIT = 2_000
"""Images the limit of near-duplicates is measured on."""
NEAR_SHARE = 0.1
"""Near-duplicates lie within this share of the distance that images usually have to the next."""
EVIDENCE = 5
MOST_TOLD = 2_000
"""Mistakes and groups of near-duplicates that are told: by then one checks again."""
BETWEEN = 48
STEADY = 10
"""Images added to each kind without a confusion, so that one of five is no match for large ones."""

Report = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Mistake:
    """An image whose label is probably wrong."""

    id: str
    label: str
    share: float
    """How likely the label is, by images and a regression that did not know it, 0 to 1."""
    likelier: str
    probability: float
    others: tuple[tuple[str, float], ...]
    """The likeliest labels but the one given, at most 5, the likeliest first."""
    near_label: tuple[str, ...]
    """The nearest images of its label, nearest first, at most 5."""
    near_likelier: tuple[str, ...]
    confident: bool
    """Whether confident learning, too, takes it for a mistake, not for a kind hard to tell."""


@dataclass(frozen=True)
class Duplicates:
    """Images nearly the same, of different labels."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    distance: float
    """1 - cosine of the nearest two that disagree."""


@dataclass(frozen=True)
class Overlap:
    """Two kinds whose images are taken for each other."""

    labels: tuple[str, str]
    images: tuple[int, int]
    confused: tuple[int, int]
    """Images of the first that seem the second, and the other way round."""
    neighbours: tuple[float, float]
    """Share of the 15 nearest of the first's images that are of the second, and back, 0 to 1."""
    overlap: float
    """What the pairs are ranked by: the larger of the two shares taken for the other, 0 to 1."""
    between: tuple[str, ...]
    """Images that may be either, the most undecided first."""


@dataclass(frozen=True)
class Checked:
    """What looking again at labels found."""

    labelled: int
    judged: int
    """Labels that mistakes were sought among: those of kinds large enough."""
    mistakes: list[Mistake] = field(default_factory=list)
    """The most probable first."""
    duplicates: list[Duplicates] = field(default_factory=list)
    """The nearest first."""
    overlaps: list[Overlap] = field(default_factory=list)
    """The most overlapping first."""
    more: int = 0
    """Probable mistakes behind the first 2,000, not listed."""
    limit: float | None = None
    """Distance within which images count as near-duplicates."""
    why: dict[str, str] = field(default_factory=dict)
    """For each of "mistakes", "duplicates" and "overlaps" that could not be had, the reason; for
    "rare" which kinds were too small to be judged."""


def check_labels(
    vectors: Vectors,
    ids: Sequence[str],
    validated: Mapping[str, str],
    *,
    confirmed: Collection[str] = (),
    within: float | None = None,
    seed: int,
    on_progress: Report | None = None,
) -> Checked:
    """Look through validated labels for what a person should look at again.

    How likely each label is, is told by what did not know it: the similarity-weighted vote of its
    15 nearest labelled images, and a regression fitted on the other four fifths, weighed so that
    labels are foretold best. A label is a probable mistake where another is likelier; the least
    likely come first: of 5 % of labels replaced that finds all, and as many among the first, where
    confident learning alone leaves out a quarter (`benchmarks/label_mistakes.py`). Which of them
    it finds too is told.

    Work is done in blocks of 64 MB beside a copy of the labelled vectors; time grows with the
    square of their number (100,000 of 64 numbers: minutes).

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        May be a memory map.
    ids : n strings
    validated : id -> label
        Ids that are not among `ids` are left out.
    confirmed : ids
        Labels a person confirmed on being asked: no mistakes, and duplicates of which all are
        confirmed are no disagreement.
    within : float, optional
        Distance (1 - cosine) of near-duplicates; by default a tenth of the median distance of
        labelled images to their nearest.
    seed : int
        Of folds, and of what is drawn where images are many.
    on_progress : optional
        Told what is done and which share of all, 0 to 1.

    Returns
    -------
    Checked
        The same for the same arguments.

    Raises
    ------
    ShapeError
        If vectors are not unit rows, one an id.
    RangeError
        If `within` is not in 0 to 2.

    References
    ----------
    Northcutt, Jiang & Chuang (2021), Confident learning, doi 10.1613/jair.1.12125 (by cleanlab).
    Dudani (1976), doi 10.1109/TSMC.1976.5408784 (weighted votes).
    """
    check_vectors(vectors, rows=len(ids))
    if within is not None and not 0 <= within <= 2:
        raise RangeError(f"within is {within}; expected a distance of 0 to 2")
    tell = on_progress or (lambda _message, _share: None)
    rows = np.array([row for row, id in enumerate(ids) if id in validated], dtype=np.int64)
    kinds = sorted({validated[ids[row]] for row in rows})
    number = {kind: code for code, kind in enumerate(kinds)}
    codes = np.array([number[validated[ids[row]]] for row in rows], dtype=np.int64)
    n = len(rows)
    if n < 2 or len(kinds) < 2:
        few = f"{_count(n, 'label')} of {_count(len(kinds), 'kind')}: needs 2 kinds with labels"
        return Checked(n, 0, why=dict.fromkeys(("mistakes", "duplicates", "overlaps"), few))
    known = _Known(
        np.ascontiguousarray(vectors[rows]), [ids[row] for row in rows], kinds, codes, confirmed
    )
    near, similar = _nearest(known.vectors, tell)
    limit = _limit(similar, seed) if within is None else within
    duplicates = _duplicates(known, near, similar, limit)
    large = np.flatnonzero(np.bincount(codes) >= KIND_NEEDS)
    judged = np.flatnonzero(np.isin(codes, large))
    why = {}
    if rare := len(kinds) - len(large):
        why["rare"] = (
            f"{_count(n - len(judged), 'label')} of {_count(rare, 'kind')} with fewer than "
            f"{KIND_NEEDS} images cannot be judged"
        )
    if len(judged) < NEEDS or len(large) < 2:
        few = (
            f"{_count(len(judged), 'label')} of {_count(len(large), 'kind')} with {KIND_NEEDS} "
            f"images or more: needs {NEEDS} labels of 2 such kinds"
        )
        why |= dict.fromkeys(("mistakes", "overlaps"), few)
        return Checked(n, len(judged), duplicates=duplicates, limit=limit, why=why)
    shares = _unseen_shares(known, judged, large, near, similar, seed, tell)
    tell("Ranking what was found", 0.95)
    mistakes, more = _mistakes(known, judged, large, shares)
    overlaps = _overlaps(known, judged, large, shares, near)
    return Checked(n, len(judged), mistakes, duplicates, overlaps, more, limit, why)


@dataclass(frozen=True)
class _Known:
    """The labelled images."""

    vectors: Vectors
    ids: list[str]
    kinds: list[str]
    codes: NDArray[np.int64]
    confirmed: Collection[str]


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _nearest(vectors: Vectors, tell: Report) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n, k) rows of the nearest others of every row, nearest first, and their similarities."""
    n = len(vectors)
    k = min(NEIGHBOURS, n - 1)
    near, similar = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    step = max(1, BLOCK_BYTES // (8 * n))
    for start in range(0, n, step):
        tell("Comparing labelled images", 0.5 * start / n)
        part = slice(start, min(n, start + step))
        block = vectors[part] @ vectors.T
        block[np.arange(len(block)), np.arange(part.start, part.stop)] = -2.0
        near[part], similar[part] = nearest_first(block, k)
    return near, similar


def _limit(similar: NDArray[np.float32], seed: int) -> float:
    first = np.clip(1 - similar[:, 0], 0, 2)
    if len(first) > MOST_LIMIT:
        first = np.random.default_rng(seed).choice(first, MOST_LIMIT, replace=False)
    return float(NEAR_SHARE * np.median(first))


def _duplicates(
    known: _Known, near: NDArray[np.int64], similar: NDArray[np.float32], limit: float
) -> list[Duplicates]:
    """Groups linked by pairs within the limit whose labels differ."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, k = near.shape
    one, other = np.repeat(np.arange(n), k), near.ravel()
    distance = np.clip(1 - similar.ravel(), 0, 2)
    # float32 leaves the same picture at a distance of about 1e-7
    linked = (distance <= limit + 1e-6) & (known.codes[one] != known.codes[other])
    one, other, distance = one[linked], other[linked], distance[linked]
    if not len(one):
        return []
    _, group = connected_components(
        coo_array((np.ones(len(one)), (one, other)), shape=(n, n)), directed=False
    )
    closest: dict[int, float] = {}
    for place, far in zip(group[one].tolist(), distance.tolist(), strict=True):
        closest[place] = min(far, closest.get(place, 2.0))
    members: dict[int, list[int]] = {place: [] for place in closest}
    for row in np.union1d(one, other).tolist():
        members[int(group[row])].append(row)
    found = [
        Duplicates(
            tuple(known.ids[row] for row in inside),
            tuple(known.kinds[known.codes[row]] for row in inside),
            round(closest[place], 6),
        )
        for place, inside in members.items()
        if not all(known.ids[row] in known.confirmed for row in inside)
    ]
    return sorted(found, key=lambda each: (each.distance, each.ids))[:MOST_TOLD]


def _unseen_shares(
    known: _Known,
    judged: NDArray[np.int64],
    large: NDArray[np.int64],
    near: NDArray[np.int64],
    similar: NDArray[np.float32],
    seed: int,
    tell: Report,
) -> Shares:
    """(judged, large) how likely each kind is for each image, its own label not known."""
    place = np.full(len(known.kinds), -1, dtype=np.int64)
    place[large] = np.arange(len(large))
    codes, x = place[known.codes[judged]], known.vectors[judged]
    votes = np.zeros((len(judged), len(large)), np.float32)
    of = place[known.codes[near[judged]]]
    weights = np.exp((similar[judged] - similar[judged][:, :1]) / np.float32(WARMTH))
    counted = of >= 0  # a vote for a kind too small to be judged is none
    image = np.repeat(np.arange(len(judged)), of.shape[1]).reshape(of.shape)
    np.add.at(votes, (image[counted], of[counted]), weights[counted])
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), np.float32(1e-12))
    unseen = np.zeros_like(votes)
    folds = spread_folds(codes, FOLDS, seed=seed)
    chance = np.random.default_rng(seed)
    for fold in range(FOLDS):
        tell(f"Asking a regression that has not seen them ({fold + 1} of {FOLDS})",
             0.5 + 0.09 * fold)  # fmt: skip
        out, learned = folds == fold, np.flatnonzero(folds != fold)
        if len(learned) > MOST_LEARNED:
            learned = np.sort(chance.choice(learned, MOST_LEARNED, replace=False))
        unseen[out] = Head(x[learned], codes[learned], len(large)).shares(x[out])
    ways = [votes, np.zeros_like(votes), unseen]
    return mixed_shares(ways, best_weights(ways, codes, (True, False, True)))


def _mistakes(
    known: _Known, judged: NDArray[np.int64], large: NDArray[np.int64], shares: Shares
) -> tuple[list[Mistake], int]:
    from cleanlab.filter import find_label_issues

    codes = np.searchsorted(large, known.codes[judged])
    said = shares.astype(np.float64) + 1e-9
    said /= said.sum(axis=1, keepdims=True)
    found = find_label_issues(
        codes, said, filter_by="predicted_neq_given", return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )  # fmt: skip
    confident = find_label_issues(codes, said, filter_by="confident_learning", n_jobs=1)
    asked = [at for at in found.tolist() if known.ids[judged[at]] not in known.confirmed]
    mistakes = []
    for at in asked[:MOST_TOLD]:
        row = judged[at]
        order = np.argsort(-shares[at], kind="stable")
        others = [kind for kind in order[: EVIDENCE + 1].tolist() if kind != codes[at]][:EVIDENCE]
        likelier = others[0]
        mistakes.append(
            Mistake(
                known.ids[row],
                known.kinds[known.codes[row]],
                round(float(shares[at, codes[at]]), 4),
                known.kinds[large[likelier]],
                round(float(shares[at, likelier]), 4),
                tuple((known.kinds[large[k]], round(float(shares[at, k]), 4)) for k in others),
                _nearest_of(known, row, int(known.codes[row])),
                _nearest_of(known, row, int(large[likelier])),
                bool(confident[at]),
            )
        )
    return mistakes, len(asked) - len(mistakes)


def _nearest_of(known: _Known, row: int, kind: int) -> tuple[str, ...]:
    some = np.flatnonzero(known.codes == kind)
    some = some[some != row]
    similar = known.vectors[some] @ known.vectors[row]
    return tuple(known.ids[i] for i in some[np.argsort(-similar, kind="stable")[:EVIDENCE]])


def _overlaps(
    known: _Known,
    judged: NDArray[np.int64],
    large: NDArray[np.int64],
    shares: Shares,
    near: NDArray[np.int64],
) -> list[Overlap]:
    codes, k = np.searchsorted(large, known.codes[judged]), len(large)
    top = shares.argmax(axis=1)
    confused = np.zeros((k, k), np.int64)
    np.add.at(confused, (codes, top), 1)
    place = np.full(len(known.kinds), k, dtype=np.int64)
    place[large] = np.arange(k)
    beside = np.zeros((k, k + 1))
    np.add.at(beside, (codes[:, None], place[known.codes[near[judged]]]), 1 / near.shape[1])
    images = np.bincount(codes, minlength=k)
    taken = confused / (images[:, None] + STEADY)
    found = []
    for a in range(k):
        for b in range(a + 1, k):
            if not confused[a, b] + confused[b, a]:
                continue
            either = np.flatnonzero((codes == a) | (codes == b))
            gap = np.abs(shares[either, a] - shares[either, b])
            # undecided between these two, not between others
            both = shares[either, a] + shares[either, b]
            order = np.argsort(gap - both, kind="stable")[:BETWEEN]
            between = either[order][both[order] >= 0.5]
            found.append(
                Overlap(
                    (known.kinds[large[a]], known.kinds[large[b]]),
                    (int(images[a]), int(images[b])),
                    (int(confused[a, b]), int(confused[b, a])),
                    (
                        round(float(beside[a, b] / images[a]), 4),
                        round(float(beside[b, a] / images[b]), 4),
                    ),
                    round(float(max(taken[a, b], taken[b, a])), 4),
                    tuple(known.ids[judged[i]] for i in between),
                )
            )
    return sorted(found, key=lambda each: (-each.overlap, each.labels))
