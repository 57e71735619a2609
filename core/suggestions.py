"""Labels proposed for undecided images, from validated ones: neighbours, clusters and a head."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, check_vectors
from core.calibration import Calibration, Reliability, held_out, spread_folds
from core.errors import NotFoundError, RangeError, ShapeError
from core.neighbours import BLOCK_BYTES, nearest_first
from core.ways import Head, Shares, best_weights, member_counts, mixed_shares

WAYS = ("neighbours", "cluster", "head")
FLOOR = 0.3
"""Confidence below which an image stays unknown."""
NEIGHBOURS = 15
LIKELIEST = 5
EVIDENCE = 5
WARMTH = 0.06
"""A neighbour this much less similar than the nearest has 1/e of its vote."""
HEAD_NEEDS = 40
CALIBRATION_NEEDS = 60
MOST_LEARNED = 20_000
"""Labels the head and the calibration are fitted on: beyond, a drawn part of them."""
FOLDS = 5
FAMILIAR = 0.98
"""Share of labelled images that are nearer to another than the distance from which one is new."""


@dataclass(frozen=True)
class Suggestion:
    """What is proposed for one image."""

    id: str
    label: str | None
    """None where it is unknown: nothing is labelled yet, or the confidence is below the floor."""
    confidence: float | None
    """0 to 1, how often such suggestions are right; None while that cannot be told."""
    how: str | None
    """Which of `WAYS` speaks most for the label."""
    evidence: tuple[str, ...]
    """Validated images of that label it was concluded from, nearest first, at most 5."""
    likeliest: tuple[tuple[str, float | None], ...]
    """At most 5 labels with their confidences, the likeliest first."""
    unfamiliar: bool
    """It is further from everything labelled than labelled images are from each other."""


@dataclass(frozen=True)
class Suggestions:
    """What is proposed for m undecided images, as arrays; `of` gives one as words."""

    ids: list[str]
    """The m undecided images, in the order of the collection."""
    rows: NDArray[np.int64]
    """(m,) their rows in `vectors`."""
    kinds: list[str]
    """Every validated label, by name; the numbers below point into it."""
    likeliest: NDArray[np.int32]
    """(m, 5) kinds, the likeliest first, -1 where there are fewer."""
    shares: Shares
    """(m, 5) how likely each is: confidences where `calibrated`, else uncalibrated shares."""
    how: NDArray[np.int8]
    """(m,) place in `WAYS`, -1 for none."""
    evidence: NDArray[np.int64]
    """(m, 5) rows of `vectors`, nearest first, -1 where there are fewer."""
    unfamiliar: NDArray[np.bool_]
    """(m,)"""
    distance: NDArray[np.float32]
    """(m,) 1 - cosine to the nearest validated image; 2 where there is none."""
    labelled: int
    """How many validated images it was learned from."""
    calibrated: bool
    reliability: Reliability | None
    """What was said of held-out labels against what was right; None while not calibrated."""
    why: dict[str, str]
    """For each of "head", "cluster" and "confidence" that could not be had, the reason."""
    floor: float
    weights: dict[str, float]
    """What each way counts for; they sum to 1."""
    vectors: Vectors = field(repr=False)
    every_id: Sequence[str] = field(repr=False)
    """The ids of `vectors`."""
    clusters: NDArray[np.int64] = field(repr=False)
    """(n,) cluster of each row of `vectors`, -1 for none."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(m,) which have a label proposed: at or above the floor."""
        return (self.likeliest[:, 0] >= 0) & (self.shares[:, 0] >= self.floor)

    def shifted(self, shift: float) -> Suggestions:
        """The same with confidences moved by so much in log odds; as they are if uncalibrated."""
        if not self.calibrated or not shift:
            return self
        moved = Calibration(1.0, shift).spread(self.shares)
        return replace(self, shares=np.where(self.shares > 0, moved, np.float32(0)))

    def of(self, id: str) -> Suggestion:
        """One image's suggestion.

        Raises
        ------
        NotFoundError
            If it is not among the undecided images.
        """
        try:
            return self.at(self.ids.index(id))
        except ValueError:
            raise NotFoundError(
                f"there is no suggestion for {id!r}; expected one of {len(self)} undecided images"
            ) from None

    def at(self, place: int) -> Suggestion:
        """The suggestion at a place in `ids`."""
        named = tuple(
            (self.kinds[kind], float(share) if self.calibrated else None)
            for kind, share in zip(self.likeliest[place], self.shares[place], strict=True)
            if kind >= 0
        )
        there = bool(named) and float(self.shares[place, 0]) >= self.floor
        return Suggestion(
            id=self.ids[place],
            label=named[0][0] if there else None,
            confidence=named[0][1] if there else None,
            how=WAYS[self.how[place]] if there else None,
            evidence=tuple(self.every_id[row] for row in self.evidence[place] if row >= 0)
            if there
            else (),
            likeliest=named,
            unfamiliar=bool(self.unfamiliar[place]),
        )


def suggest(
    vectors: Vectors,
    ids: Sequence[str],
    validated: Mapping[str, str],
    *,
    undecided: Collection[str] | None = None,
    clusters: Sequence[int | None] | None = None,
    ruled_out: Mapping[str, Collection[str]] | None = None,
    floor: float = FLOOR,
    seed: int,
) -> Suggestions:
    """Propose a label for every undecided image, with a confidence that means what it says.

    Three ways each give every label a share: the similarity-weighted vote of the 15 nearest
    validated images, the validated members of the image's cluster, and a logistic regression. Their
    mean, weighted so that held-out labels are foretold best, is calibrated on labels that the
    regression had not seen and images that had no vote of their own, and on what was ruled out.

    Work is done in blocks of 64 MB beside a copy of the validated vectors.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        May be a memory map.
    ids : n strings
    validated : id -> label
        Ids that are not among `ids` are left out.
    undecided : ids, optional
        Which images to propose for; by default all that are not validated.
    clusters : n integers or None, optional
        Each image's cluster, -1 or None for none.
    ruled_out : id -> labels, optional
        What a person said an image is not: it is not proposed again.
    floor : float
        Confidence below which an image stays unknown, 0 to 1.
    seed : int
        Of the folds, and of the labels learned from where there are more than 20,000.

    Returns
    -------
    Suggestions
        The same for the same arguments.

    Raises
    ------
    ShapeError
        If vectors are not unit rows, or ids or clusters are not one a row.
    RangeError
        If the floor is not in 0 to 1.

    References
    ----------
    Dudani (1976), doi 10.1109/TSMC.1976.5408784 (weighted votes).
    Wolpert (1992), doi 10.1016/S0893-6080(05)80023-1 (combining by held-out predictions).
    """
    check_vectors(vectors, rows=len(ids))
    if not 0 <= floor <= 1:
        raise RangeError(f"the floor is {floor}; expected a confidence of 0 to 1")
    if clusters is not None and len(clusters) != len(ids):
        raise ShapeError(f"{len(clusters)} clusters for {len(ids)} images; expected one each")
    groups = np.array(
        [-1 if c is None else c for c in clusters] if clusters is not None else [-1] * len(ids),
        dtype=np.int64,
    )
    wanted = None if undecided is None else set(undecided)
    rows = np.array(
        [
            row
            for row, id in enumerate(ids)
            if id not in validated and (wanted is None or id in wanted)
        ],
        dtype=np.int64,
    )
    known = np.array([row for row, id in enumerate(ids) if id in validated], dtype=np.int64)
    kinds = sorted({validated[ids[row]] for row in known})
    number = {kind: code for code, kind in enumerate(kinds)}
    codes = np.array([number[validated[ids[row]]] for row in known], dtype=np.int64)
    not_these = (
        {
            row: [number[label] for label in ruled_out[ids[row]] if label in number]
            for row in rows.tolist()
            if ids[row] in ruled_out
        }
        if ruled_out
        else {}
    )
    learned = _Learned(vectors, known, codes, len(kinds), groups, not_these, seed=seed)
    m = len(rows)
    found = Suggestions(
        ids=[ids[row] for row in rows],
        rows=rows,
        kinds=kinds,
        likeliest=np.full((m, LIKELIEST), -1, dtype=np.int32),
        shares=np.zeros((m, LIKELIEST), dtype=np.float32),
        how=np.full(m, -1, dtype=np.int8),
        evidence=np.full((m, EVIDENCE), -1, dtype=np.int64),
        unfamiliar=np.ones(m, dtype=np.bool_),
        distance=np.full(m, 2.0, dtype=np.float32),
        labelled=len(known),
        calibrated=learned.calibration is not None,
        reliability=learned.reliability,
        why=learned.why,
        floor=floor,
        weights=dict(zip(WAYS, learned.weights.tolist(), strict=True)),
        vectors=vectors,
        every_id=ids,
        clusters=groups,
    )
    if len(known):
        step = max(1, BLOCK_BYTES // (8 * max(len(known), vectors.shape[1])))
        for start in range(0, m, step):
            learned.propose(found, slice(start, min(m, start + step)))
    return found


class _Learned:
    """What the validated images teach: three ways to a share of each kind, and what they weigh."""

    def __init__(
        self,
        vectors: Vectors,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        kinds: int,
        groups: NDArray[np.int64],
        ruled_out: Mapping[int, list[int]],
        *,
        seed: int,
    ) -> None:
        self.all, self.rows, self.codes, self.kinds = vectors, rows, codes, kinds
        self.vectors = np.ascontiguousarray(vectors[rows])
        self.groups = groups
        self.counts = member_counts(groups[rows], codes, kinds, int(groups.max(initial=-1)) + 1)
        self.why: dict[str, str] = {}
        self.weights = np.array([1.0, 0.0, 0.0])
        self.head: Head | None = None
        self.calibration: Calibration | None = None
        self.reliability: Reliability | None = None
        self.new_from = 2.0
        self.ruled_out = ruled_out
        if not (groups >= 0).any():
            self.why["cluster"] = "no clustering yet: make one on the page Clusters"
        self._learn(seed)

    def _learn(self, seed: int) -> None:
        n = len(self.rows)
        if n < HEAD_NEEDS or self.kinds < 2:
            self.why["head"] = f"{n} labels of {self.kinds} kinds: needs {HEAD_NEEDS} labels of 2"
        if n < CALIBRATION_NEEDS or self.kinds < 2:
            self.why["confidence"] = (
                f"not calibrated yet: {n} labels of {self.kinds} kinds, needs {CALIBRATION_NEEDS} "
                "labels of 2"
            )
        if n < 2:
            return
        chance = np.random.default_rng(seed)
        part = np.arange(n)
        if n > MOST_LEARNED:
            part = np.sort(chance.choice(n, MOST_LEARNED, replace=False))
        votes, near = np.zeros((len(part), self.kinds), np.float32), np.zeros(len(part), np.float32)
        step = max(1, BLOCK_BYTES // (8 * max(n, self.vectors.shape[1])))
        for start in range(0, len(part), step):
            some = part[start : start + step]
            votes[start : start + step], _, near[start : start + step] = self._vote(
                self.vectors[some], itself=some
            )
        if n >= FOLDS:
            # each labelled image as if it were not labelled: what is further off is new
            self.new_from = float(np.quantile(1 - near, FAMILIAR))
        ways = [votes, self._members(self.rows[part], itself=self.codes[part])]
        folds = spread_folds(self.codes[part], FOLDS, seed=seed)
        x, y = self.vectors[part], self.codes[part]
        if "head" in self.why:
            ways.append(np.zeros_like(votes))
        else:
            unseen = np.zeros_like(votes)
            for fold in range(FOLDS):
                out = folds == fold
                unseen[out] = Head(x[~out], y[~out], self.kinds).shares(x[out])
            ways.append(unseen)
            self.head = Head(x, y, self.kinds)
        can = (True, "cluster" not in self.why, self.head is not None)
        self.weights = best_weights(ways, y, can)
        if "confidence" in self.why:
            return
        mixed = self._mix(ways)
        top = mixed.argmax(axis=1)
        score, right = mixed[np.arange(len(part)), top].astype(np.float64), top == y
        # what was sent back without a name is of a kind that the labels do not know
        wrong = self._sent_back()
        score, right = np.append(score, wrong), np.append(right, np.zeros(len(wrong), np.bool_))
        folds = np.append(folds, np.arange(len(wrong)) % FOLDS)
        self.reliability = held_out(score, right, folds)
        self.calibration = Calibration.fit(score, right)

    def _sent_back(self) -> NDArray[np.float64]:
        """Shares of what would be proposed for images of which a person said that it is not so."""
        rows = np.array([row for row, kinds in self.ruled_out.items() if kinds], dtype=np.int64)
        if not len(rows):
            return np.empty(0)
        mixed = np.concatenate(
            [
                self._mix(self._ways(some, self._vote(self.all[some])[0]))
                for some in self._some(rows)
            ]
        )
        top = mixed.argmax(axis=1)
        said = [kind in self.ruled_out[row] for row, kind in zip(rows.tolist(), top, strict=True)]
        found: NDArray[np.float64] = mixed[np.arange(len(rows)), top][said].astype(np.float64)
        return found

    def _some(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Rows in blocks of `BLOCK_BYTES` of similarities to all that is labelled."""
        step = max(1, BLOCK_BYTES // (8 * max(len(self.rows), self.all.shape[1])))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]

    def _ways(self, rows: NDArray[np.int64], votes: Shares) -> list[Shares]:
        """What each way says of undecided rows."""
        head = self.head.shares(np.asarray(self.all[rows])) if self.head else np.zeros_like(votes)
        return [votes, self._members(rows), head]

    def _vote(
        self, queries: Vectors, itself: NDArray[np.int64] | None = None
    ) -> tuple[Shares, NDArray[np.int64], Shares]:
        """(b, kinds) shares, (b, k) nearest validated, nearest first, (b,) similarity of the first.

        `itself` says which validated image each query is, so that it has no vote.
        """
        similar = queries @ self.vectors.T
        b, n = similar.shape
        if itself is not None:
            similar[np.arange(b), itself] = -2.0
        k = min(NEIGHBOURS, n - (itself is not None))
        near, of = nearest_first(similar, k)
        votes = np.exp((of - of[:, :1]) / WARMTH)
        shares = np.zeros((b, self.kinds), dtype=np.float32)
        np.add.at(shares, (np.arange(b)[:, None], self.codes[near]), votes)
        shares /= shares.sum(axis=1, keepdims=True)
        return shares, near, of[:, 0]

    def _members(self, rows: NDArray[np.int64], itself: NDArray[np.int64] | None = None) -> Shares:
        """(b, kinds) share of each kind among the validated images of each row's cluster."""
        shares = np.zeros((len(rows), self.kinds), dtype=np.float32)
        inside = np.flatnonzero(self.groups[rows] >= 0)
        shares[inside] = self.counts[self.groups[rows[inside]]]
        if itself is not None:
            shares[inside, itself[inside]] -= 1
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
        return shares

    def _mix(self, ways: Sequence[Shares]) -> Shares:
        return mixed_shares(ways, self.weights)

    def propose(self, found: Suggestions, part: slice) -> None:
        """Fill in one block of undecided images."""
        rows = found.rows[part]
        queries = np.asarray(self.all[rows])
        votes, near, nearest = self._vote(queries)
        ways = self._ways(rows, votes)
        mixed = self._mix(ways)
        for place, row in enumerate(rows.tolist() if self.ruled_out else []):
            if kinds := self.ruled_out.get(row):
                mixed[place, kinds] = 0
                mixed[place] /= max(mixed[place].sum(), np.float32(1e-12))
        k = min(LIKELIEST, self.kinds)
        order = np.argsort(-mixed, axis=1, kind="stable")[:, :k]
        top, each = order[:, 0], np.arange(len(rows))
        shares = np.take_along_axis(mixed, order, axis=1)
        there = shares > 0
        if self.calibration is not None:
            shares = self.calibration.spread(shares)
        found.likeliest[part, :k] = np.where(there, order, -1)
        found.shares[part, :k] = np.where(there, shares, 0)
        said = np.stack([w * way[each, top] for w, way in zip(self.weights, ways, strict=True)])
        found.how[part] = said.argmax(axis=0)
        found.distance[part] = np.clip(1 - nearest, 0, 2)
        found.unfamiliar[part] = found.distance[part] > self.new_from
        found.evidence[part] = self._evidence(queries, rows, top, near, found.how[part])

    def _evidence(
        self,
        queries: Vectors,
        rows: NDArray[np.int64],
        top: NDArray[np.int64],
        near: NDArray[np.int64],
        how: NDArray[np.int8],
    ) -> NDArray[np.int64]:
        """(b, 5) rows of validated images of the kind proposed, nearest first."""
        out = np.full((len(rows), EVIDENCE), -1, dtype=np.int64)
        for i, kind in enumerate(top):
            voters = near[i][self.codes[near[i]] == kind]
            if how[i] == WAYS.index("cluster") or not len(voters):
                of_kind = self.codes == kind
                if how[i] == WAYS.index("cluster"):
                    of_kind &= self.groups[self.rows] == self.groups[rows[i]]
                voters = np.flatnonzero(of_kind)
                similar = self.vectors[voters] @ queries[i]
                voters = voters[np.argsort(-similar, kind="stable")]
            some = voters[:EVIDENCE]
            out[i, : len(some)] = self.rows[some]
        return out
