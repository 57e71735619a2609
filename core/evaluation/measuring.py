"""All that is measured of one encoder on labelled images: figures and per-image scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.evaluation import classes, clusters, influence, retrieval
from core.evaluation.bootstrap import Resamples
from core.evaluation.figures import NEW, TITLES, Figure, absent
from core.evaluation.neighbours import Near, rank, votes
from core.evaluation.probe import folds_of, probe
from core.progress import Meter, Progress, Report, nobody

KEPT = 24
"""Neighbours kept of each image."""
PRECISIONS = (1, 5, 24)
VOTERS = 5
"""Neighbours that vote for an image's kind."""

FIGURES = tuple(TITLES)

SCORES = {
    "precision_at_1": "precision_at_1",
    "precision_at_5": "precision_at_5",
    "precision_at_24": "precision_at_24",
    "mean_average_precision": "average_precision",
    "knn_accuracy": "knn_right",
    NEW: "knn_new_right",
    "linear_probe_accuracy": "probe_right",
    "label_silhouette": "silhouette",
}
"""Figures that are means, and the per-image scores they are means of."""

Codes = NDArray[np.int64]
Of = Callable[..., float]


@dataclass
class Measured:
    """What one encoder is worth."""

    encoder: str
    dimension: int
    figures: dict[str, Figure]
    """One for each of `FIGURES`; those of new samples only where samples are known."""
    chance: dict[str, Figure] = field(default_factory=dict)
    """What shuffled labels give."""
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """(n,) each, by the names in `SCORES`."""
    pseudo: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """(n,) for some of the scores: as intervals are to see them, by `core.evaluation.influence`."""
    decided: dict[str, Codes] = field(default_factory=dict)
    """``knn`` and ``probe``: (n,) the kind each image was given."""
    near: Near | None = None
    """(n, up to 24) rows of the nearest others."""
    more: dict[str, Any] = field(default_factory=dict)
    """What is kept beside the figures, ready for JSON."""

    def put(
        self,
        figure: str,
        scores: NDArray[np.float64],
        resamples: Resamples,
        gains: NDArray[np.float64] | None = None,
    ) -> None:
        """Keep per-image scores and the figure that is their mean."""
        name = SCORES[figure]
        self.scores[name] = scores
        if gains is not None:
            self.pseudo[name] = influence.pseudo_values(scores, gains)
        self.figures[figure] = resamples.mean(scores, self.pseudo.get(name))


def measure(
    name: str,
    vectors: Vectors,
    codes: Codes,
    resamples: Resamples,
    *,
    samples: Codes | None = None,
    clustering: bool = True,
    seed: int,
    report: Report = nobody,
) -> Measured:
    """Measure one encoder.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        In an order that says nothing about kinds.
    codes : (n,) int
        The kind of each image.
    samples : (n,) int, optional
        The sample of each image: the probe is tested on other samples than it was trained on.
    clustering : bool
        False leaves out what clusters have to do with labels.

    Returns
    -------
    Measured
        A figure that cannot be had has None and says why.
    """
    n = len(codes)
    named = [each for each in FIGURES if each != NEW or samples is not None]
    made = Measured(name, vectors.shape[1], {each: absent("not measured") for each in named})
    kinds = len(np.unique(codes))
    if kinds < 2 or n < 3:
        why = f"{n:,} images of {kinds} {'kind' if kinds == 1 else 'kinds'}; expected 2 kinds"
        if kinds > 1:
            why = f"{n} images; expected 3 or more"
        made.figures = {each: absent(why) for each in named}
        return made
    _retrieve(made, vectors, codes, samples, resamples, seed, report)
    _probe(made, vectors, codes, samples, resamples, seed, report)
    _group(made, vectors, codes, resamples, clustering, seed, report)
    return made


def unmeasured(name: str, vectors: Vectors, report: Report = nobody) -> Measured:
    """An encoder of which nothing but its neighbours can be told: no image has a label."""
    why = "no image has a validated label"
    made = Measured(name, vectors.shape[1], {each: absent(why) for each in FIGURES if each != NEW})
    n = len(vectors)
    if n > 2:
        meter = Meter(report, f"Neighbours of every image ({name})", n)
        made.near = rank(vectors, k=min(KEPT, n - 1), tell=meter.advance).near
    return made


def _retrieve(
    made: Measured,
    vectors: Vectors,
    codes: Codes,
    samples: Codes | None,
    resamples: Resamples,
    seed: int,
    report: Report,
) -> None:
    n, name = len(codes), made.encoder
    meter = Meter(report, f"Neighbours of every image ({name})", n)
    k = min(KEPT + 1, n - 1)
    ranked = rank(vectors, k=k, codes=codes, samples=samples, tell=meter.advance)
    near, made.near = ranked.near, ranked.near[:, :KEPT]
    for k in PRECISIONS:
        figure = f"precision_at_{k}"
        if k > n - 1:
            made.figures[figure] = absent(f"{n} images; expected more than {k}")
            continue
        scores = retrieval.precision(near, codes, k=k)
        made.put(figure, scores, resamples, influence.of_precision(near, codes, k=k))

        def shuffled(labels: NDArray[np.integer], k: int = k) -> float:
            return float(retrieval.precision(near, labels, k=k).mean())

        made.chance[figure] = retrieval.by_chance(codes, shuffled, seed=seed)
    assert ranked.average_precision is not None
    made.put("mean_average_precision", ranked.average_precision, resamples, ranked.gains)
    made.chance["mean_average_precision"] = Figure(
        float(retrieval.average_precision_by_chance(codes).mean()), why="exact: no interval"
    )
    voters = near[:, :VOTERS]
    gains = influence.of_votes(near, codes, k=VOTERS)
    _decide(made, "knn", votes(codes[voters]), codes, resamples, gains)
    made.chance["knn_accuracy"] = retrieval.by_chance(
        codes, lambda c: float((votes(c[voters]) == c).mean()), seed=seed
    )
    if samples is not None:
        _vote_elsewhere(made, ranked.elsewhere, codes, resamples, seed)


def _vote_elsewhere(
    made: Measured, near: Near | None, codes: Codes, resamples: Resamples, seed: int
) -> None:
    """As an image of a new sample would be judged: its own sample's often look like it."""
    if near is None or near.shape[1] < VOTERS:
        made.figures[NEW] = absent(f"a sample leaves fewer than {VOTERS} images of others")
        return
    voters = near[:, :VOTERS]
    right = (votes(codes[voters]) == codes).astype(np.float64)
    made.put(NEW, right, resamples, influence.of_votes(near, codes, k=VOTERS))
    made.chance[NEW] = retrieval.by_chance(
        codes, lambda c: float((votes(c[voters]) == c).mean()), seed=seed
    )


def _probe(
    made: Measured,
    vectors: Vectors,
    codes: Codes,
    samples: Codes | None,
    resamples: Resamples,
    seed: int,
    report: Report,
) -> None:
    meter = Meter(report, f"Training a classifier ({made.encoder})", len(codes))
    folds = folds_of(codes, samples=samples, seed=seed)
    decided = probe(vectors, codes, folds, tell=meter.advance)
    _decide(made, "probe", decided, codes, resamples)


def _decide(
    made: Measured,
    way: str,
    decided: Codes,
    codes: Codes,
    resamples: Resamples,
    gains: NDArray[np.float64] | None = None,
) -> None:
    prefix = "knn" if way == "knn" else "linear_probe"
    right = (decided == codes).astype(np.float64)
    made.decided[way] = decided
    made.put(f"{prefix}_accuracy", right, resamples, gains)
    for name, of in (
        ("macro_f1", classes.macro_f1),
        ("balanced_accuracy", classes.balanced_accuracy),
    ):

        def drawn(weights: NDArray[np.floating], of: Of = of) -> float:
            return of(codes, decided, weights)

        made.figures[f"{prefix}_{name}"] = resamples.figure(of(codes, decided), drawn, share=True)


def _group(
    made: Measured,
    vectors: Vectors,
    codes: Codes,
    resamples: Resamples,
    clustering: bool,
    seed: int,
    report: Report,
) -> None:
    report(Progress(f"Silhouette of the labels ({made.encoder})", 0, None))
    silhouette = clusters.silhouettes(vectors, codes)
    if silhouette is None:
        made.figures["label_silhouette"] = absent("every image has a kind of its own")
    else:
        made.put("label_silhouette", silhouette, resamples)
    if not clustering:
        for name in ("ami", "ari"):
            made.figures[name] = absent("clusters were left out")
        return
    report(Progress(f"Clusters against labels ({made.encoder})", 0, None))
    groups = clusters.clustered(vectors, seed=seed)
    made.figures |= clusters.agreement(codes, groups, resamples)
    made.more["clusters"] = int(groups.max(initial=-1)) + 1
    made.more["noise_share"] = round(float((groups == -1).mean()), 6)


def ceilings(codes: Codes, samples: Codes | None = None) -> dict[str, float]:
    """What a perfect encoder gets: 1 only where every kind has an image more than are looked at.

    Nothing else shows what the only image of a kind is: nobody is right about it; nor, of a new
    sample, about a kind that no other sample has.
    """
    if not len(codes):
        return {}
    found = {f"precision_at_{k}": retrieval.precision_ceiling(codes, k=k) for k in PRECISIONS}
    found["mean_average_precision"] = retrieval.average_precision_ceiling(codes)
    alone = found["mean_average_precision"]
    found |= dict.fromkeys(("knn_accuracy", "linear_probe_accuracy", "label_silhouette"), alone)
    if samples is not None:
        found[NEW] = retrieval.elsewhere(codes, samples).astype(np.float64)
    counts = np.bincount(codes)
    of_kinds = (counts[counts > 0] > 1).astype(np.float64)
    found |= {f"{way}_balanced_accuracy": of_kinds for way in ("knn", "linear_probe")}
    return {name: round(float(scores.mean()), 6) for name, scores in found.items()}


def as_json(made: Measured) -> Mapping[str, Any]:
    """The row of the table."""
    return {
        "encoder": made.encoder,
        **{name: figure.as_json() for name, figure in made.figures.items()},
        "chance": {name: figure.as_json() for name, figure in made.chance.items()},
        "dimension": made.dimension,
        **made.more,
    }
