"""The methods: what each is for, its defaults for the size at hand, and how it is run again."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.clustering.space import NOISE, Reduced, images_text, silhouette

LADDER = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
"""Numbers of clusters that are tried where none is given."""
IMAGES_A_CLUSTER = 5
"""Fewer on average, and the ladder ends."""
FINENESS = range(-2, 3)
"""From much coarser to much finer; each step doubles or halves what a method is steered by."""
MINIBATCH_ABOVE = 50_000
HDBSCAN_POINTS = 50_000
"""HDBSCAN here is quadratic: 20,000 x 50 took 12 s on one core."""
WARD_POINTS = 20_000
"""Ward is quadratic in time and memory: 20,000 took 39 s and 3 GB."""
EVOC_NEEDS = 40
"""Different images below which EVoC's 15 neighbours are a third of everything."""

EVOC_SHARES = (200, 100, 50, 25, 12)
"""EVoC's smallest cluster is tried at the images divided by each of these."""

Points = NDArray[np.float32]
Found = NDArray[np.integer]
Progress = Callable[[str, float | None], None]
Cut = Callable[[int], Found]
"""k -> a label each, in any numbering."""


@dataclass(frozen=True)
class Wish:
    """What a person asked for."""

    k: int | None = None
    fineness: int = 0

    @property
    def factor(self) -> float:
        """How many times as many clusters."""
        return 2.0**self.fineness


@dataclass(frozen=True)
class Outcome:
    """What a method made of the images."""

    labels: Found
    """-1 for noise, else in any numbering."""
    parameters: dict[str, Any]
    """All that `again` needs."""
    why: dict[str, str]
    """For each wish that could not be met whole, the reason."""


class Again(Protocol):
    """A method with settled parameters, on `share` of the images they were settled on."""

    def __call__(
        self, points: Points, parameters: dict[str, Any], *, share: float, seed: int
    ) -> Found: ...


@dataclass(frozen=True)
class Method:
    """What `cluster` and a form have to know of a method."""

    title: str
    plain: str
    """What it does, in one line without its jargon."""
    takes_k: bool
    reduces: bool
    """Whether it is run on the reduced space; else on the vectors."""
    find: Callable[[Points, Reduced, Wish, int, Progress], Outcome]
    """Points, the reduced space (the same, if it reduces), wish, seed, progress."""
    again: Again


def _by_k(
    cut: Cut, points: Points, reduced: Reduced, wish: Wish, seed: int, tell: Progress
) -> Outcome:
    """The given k; or that of the ladder with the largest silhouette, made coarser or finer."""
    if wish.k is not None:
        return Outcome(cut(wish.k), {"k": wish.k, "k_by": "given"}, {})
    n, distinct = len(points), reduced.distinct
    most = min(distinct, max(2, n // IMAGES_A_CLUSTER), n - 1)
    ladder = [step for step in LADDER if step <= most]
    best, best_value, tried = 1, -np.inf, {}
    for position, step in enumerate(ladder):
        tell(f"trying {step} clusters", 0.2 + 0.2 * position / len(ladder))
        value, _ = silhouette(points, cut(step), seed=seed)
        if value is not None:
            tried[str(step)] = value
            if value > best_value:
                best, best_value = step, value
    parameters: dict[str, Any] = {"k": best, "k_by": "silhouette", "k_tried": tried}
    if not ladder:
        why = {"k": f"{distinct} different {images_text(distinct)}: too few to choose a k"}
        return Outcome(cut(best), parameters, why)
    k, why = scaled_k(best, wish, most)
    if k != best:
        parameters |= {"k": k, "k_by": "silhouette and fineness", "k_silhouette": best}
    return Outcome(cut(k), parameters, why)


def scaled_k(best: int, wish: Wish, most: int) -> tuple[int, dict[str, str]]:
    """A number of clusters made coarser or finer, at least 2, and why it could not be.

    Examples
    --------
    >>> scaled_k(6, Wish(fineness=1), 500), scaled_k(6, Wish(fineness=-1), 500)
    ((12, {}), (3, {}))
    >>> scaled_k(2, Wish(fineness=-1), 500)
    (2, {'fineness': '2 clusters are the coarsest there can be'})
    """
    k = min(max(2, round(best * wish.factor)), max(2, most))
    if wish.fineness and k == best:
        which = "coarsest" if wish.fineness < 0 else "finest"
        return k, {"fineness": f"{k} clusters are the {which} there can be"}
    return k, {}


def _kmeans_cut(points: Points, seed: int) -> Cut:
    @cache  # the chosen k was tried before
    def cut(k: int) -> Found:
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning

        k = min(k, len(points))  # a subsample may have fewer
        if len(points) > MINIBATCH_ABOVE:
            model = MiniBatchKMeans(n_clusters=k, n_init=3, batch_size=4096, random_state=seed)
        else:
            model = KMeans(n_clusters=k, n_init=4, random_state=seed)
        with warnings.catch_warnings():
            # copies may leave fewer clusters than k; `cluster` counts them and says so
            warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
            labels: Found = model.fit_predict(points)
        return labels

    return cut


def _find_kmeans(
    points: Points, reduced: Reduced, wish: Wish, seed: int, tell: Progress
) -> Outcome:
    return _by_k(_kmeans_cut(points, seed), points, reduced, wish, seed, tell)


def _again_kmeans(points: Points, parameters: dict[str, Any], *, share: float, seed: int) -> Found:
    return _kmeans_cut(points, seed)(parameters["k"])


def _ward_cut(points: Points, seed: int) -> Cut:
    """One tree, cut where it gives k clusters; beyond 20,000 points the tree is of a sample."""
    from scipy.cluster.hierarchy import fcluster, linkage

    fitted, follow = _sampled(points, WARD_POINTS, seed)
    tree = linkage(fitted, "ward") if len(fitted) > 1 else None

    def cut(k: int) -> Found:
        if tree is None:
            return np.zeros(len(points), dtype=np.int64)
        labels: Found = fcluster(tree, k, "maxclust") - 1
        return follow(labels)

    return cut


def _find_ward(points: Points, reduced: Reduced, wish: Wish, seed: int, tell: Progress) -> Outcome:
    found = _by_k(_ward_cut(points, seed), points, reduced, wish, seed, tell)
    return _say_sampled(found, len(points), WARD_POINTS, "Ward")


def _again_ward(points: Points, parameters: dict[str, Any], *, share: float, seed: int) -> Found:
    return _ward_cut(points, seed)(parameters["k"])


def _find_hdbscan(
    points: Points, reduced: Reduced, wish: Wish, seed: int, tell: Progress
) -> Outcome:
    n = len(points)
    usual = max(5, round(n / 200))
    smallest = max(3, round(usual / wish.factor))
    parameters: dict[str, Any] = {
        "min_cluster_size": smallest,
        "min_samples": min(smallest, 10),
    }
    why = {}
    if reduced.distinct > 1 and n < smallest:
        why["clusters"] = f"{n} {images_text(n)}: HDBSCAN needs {smallest} for one cluster"
    labels = _again_hdbscan(points, parameters, share=1, seed=seed)
    return _say_sampled(Outcome(labels, parameters, why), n, HDBSCAN_POINTS, "HDBSCAN")


def _again_hdbscan(points: Points, parameters: dict[str, Any], *, share: float, seed: int) -> Found:
    from sklearn.cluster import HDBSCAN

    n = len(points)
    fitted, follow = _sampled(points, HDBSCAN_POINTS, seed)
    smallest = _smaller(parameters["min_cluster_size"], share * len(fitted) / max(n, 1))
    if len(fitted) < smallest:
        return np.full(n, NOISE)
    samples = min(parameters["min_samples"], smallest)
    model = HDBSCAN(min_cluster_size=smallest, min_samples=samples, copy=True)
    labels: Found = model.fit_predict(fitted)
    return follow(labels)


def _find_evoc(points: Points, reduced: Reduced, wish: Wish, seed: int, tell: Progress) -> Outcome:
    """Its smallest cluster by the silhouette in the reduced space, times the share clustered.

    The library's own choice of 5, and of its most persistent layer, cut four separate kinds of 70
    to 150 vectors into 12 and called more than half of them noise.
    """
    n = len(points)
    parameters: dict[str, Any] = {"base_min_cluster_size": max(5, n // 50), "n_neighbors": 15}
    if reduced.distinct < EVOC_NEEDS:
        why = f"{reduced.distinct} different {images_text(reduced.distinct)}: EVoC needs "
        return Outcome(np.full(n, NOISE), parameters, {"clusters": f"{why}{EVOC_NEEDS}"})
    if "evoc" not in sys.modules:
        tell("loading EVoC: the first time it compiles, for some minutes", 0.2)
    best_value, tried = -np.inf, {}
    for position, share in enumerate(EVOC_SHARES):
        size = max(5, n // share)
        tell(f"trying groups of at least {size}", 0.2 + 0.2 * position / len(EVOC_SHARES))
        labels = _again_evoc(
            points, {**parameters, "base_min_cluster_size": size}, share=1, seed=seed
        )
        value, _ = silhouette(reduced.points, labels, seed=seed)
        if value is not None:
            tried[str(size)] = value = round(value * float((labels != NOISE).mean()), 6)
            if value > best_value:
                best_value, parameters["base_min_cluster_size"] = value, size
    parameters["size_tried"] = tried
    usual = parameters["base_min_cluster_size"]
    parameters["base_min_cluster_size"] = max(3, round(usual / wish.factor))
    return Outcome(_again_evoc(points, parameters, share=1, seed=seed), parameters, {})


def _again_evoc(points: Points, parameters: dict[str, Any], *, share: float, seed: int) -> Found:
    """Its finest layer."""
    if len(points) < EVOC_NEEDS:
        return np.full(len(points), NOISE)
    from evoc import EVoC

    model = EVoC(
        base_min_cluster_size=_smaller(parameters["base_min_cluster_size"], share),
        n_neighbors=parameters["n_neighbors"],
        random_state=seed,
    )
    model.fit(np.ascontiguousarray(points))
    labels: Found = model.cluster_layers_[0]
    return labels


def _smaller(size: int, share: float) -> int:
    """A smallest cluster that means the same on a share of the images."""
    return max(3, round(size * share))


def _sampled(points: Points, most: int, seed: int) -> tuple[Points, Callable[[Found], Found]]:
    """At most so many points, and how labels of theirs become labels of all: by the nearest."""
    n = len(points)
    if n <= most:
        return points, lambda labels: labels
    rows = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    fitted = points[rows]

    @cache
    def nearest() -> NDArray[np.int64]:
        from sklearn.neighbors import NearestNeighbors

        model = NearestNeighbors(n_neighbors=1).fit(fitted)
        found: NDArray[np.int64] = model.kneighbors(points, return_distance=False)[:, 0]
        return found

    return fitted, lambda labels: labels[nearest()]


def _say_sampled(found: Outcome, n: int, most: int, title: str) -> Outcome:
    parameters = {**found.parameters, "fitted_on": min(n, most)}
    why = dict(found.why)
    if n > most:
        why["sample"] = (
            f"{title} takes time with the square of the images: it ran on {most:,} of {n:,} drawn "
            "at random, and each of the others follows the nearest of these"
        )
    return Outcome(found.labels, parameters, why)


METHODS: dict[str, Method] = {
    "kmeans": Method(
        title="k-means",
        plain="Round groups of similar spread around their means; every image is in one.",
        takes_k=True,
        reduces=True,
        find=_find_kmeans,
        again=_again_kmeans,
    ),
    "agglomerative": Method(
        title="Agglomerative (Ward)",
        plain="Joins the two closest groups again and again; every image is in one.",
        takes_k=True,
        reduces=True,
        find=_find_ward,
        again=_again_ward,
    ),
    "hdbscan": Method(
        title="HDBSCAN",
        plain="Dense groups of any shape; images between them stay in no group.",
        takes_k=False,
        reduces=True,
        find=_find_hdbscan,
        again=_again_hdbscan,
    ),
    "evoc": Method(
        title="EVoC",
        plain="Dense groups found in the vectors themselves; doubtful images stay in no group.",
        takes_k=False,
        reduces=False,
        find=_find_evoc,
        again=_again_evoc,
    ),
}
