"""Evaluate encoders on a collection: gather, measure, compare, keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from core import analysis, labels
from core.arrays import Vectors
from core.errors import RangeError
from core.evaluation import storing
from core.evaluation.bootstrap import FEW_SAMPLES, TIMES, Resamples
from core.evaluation.compare import BY, compare
from core.evaluation.efficiency import DRAWS, efficiency
from core.evaluation.kinds import per_kind
from core.evaluation.measuring import (
    KEPT,
    VOTERS,
    Measured,
    as_json,
    ceilings,
    measure,
    unmeasured,
)
from core.evaluation.pixels import cost, joined_cost, looked_into, robustness_json
from core.evaluation.probe import FOLDS
from core.evaluation.storing import PREFIX, Evaluation, evaluation_of, name_of
from core.evaluation.subject import BY_SIZE, Subject, joined, size_vectors, subject, vectors_of
from core.evaluation.unlabelled import agreements, nearly_same
from core.evaluation.verdict import verdict
from core.library import Library, View
from core.progress import Meter, Progress, Report, nobody
from core.reduction import library_versions
from core.workspace import now


def evaluate(
    library: Library,
    collection: str,
    encoders: Sequence[str] = (),
    *,
    join: bool = False,
    robustness: bool = False,
    seed: int,
    report: Report = nobody,
) -> Evaluation:
    """Measure what encoders are worth on the labelled images of a collection, and keep it.

    Parameters
    ----------
    encoders : names, optional
        By default the one the collection was first indexed with. The same images and labels are
        used for all: those that have vectors of each.
    join : bool
        Measure the encoders side by side as one more; takes two or more.
    robustness : bool
        Encode some hundred pictures anew, unchanged and changed: whether neighbours are kept, and
        what encoding costs here.
    seed : int

    Raises
    ------
    NotFoundError
        If the collection, or vectors of an encoder, are not there.
    RangeError
        If an encoder is named twice, or one alone is to be joined.
    """
    started = time.monotonic()
    views = _views(library, collection, encoders)
    names = [view.encoding.encoder for view in views]
    if join and len(names) < 2:
        raise RangeError(f"--joined puts encoders side by side, and there is {names[0]}; name two")
    revision = labels.revision(library.catalogue, views[0].collection.uid)
    on = subject(library, views, seed=seed)
    if not len(on):
        on = subject(library, views, seed=seed, labelled=False)
    every = _every(views, on, join)
    resamples = Resamples(len(on), samples=on.samples, seed=seed)
    if len(on.codes):
        made, baselines = _measured(every, on, resamples, seed, report)
    else:
        made, baselines = [unmeasured(n, v, report) for n, v in every], []
    _look_into(library, views, every, on, made, robustness, seed, report)
    report(Progress("Comparing", 0, None))
    meta = _meta(views, on, made, baselines)
    meta["comparisons"] = compare(made, baselines, on.ids, on.codes, resamples)
    meta["without_labels"] = _without_labels(library, views, every, on, made, resamples)
    _said(meta["encoders"], meta)
    meta |= {
        "name": name_of([*names, *(["joined"] if join else [])]),
        "collection": views[0].collection.name,
        "seed": seed,
        "at": now(),
        "labels_revision": revision,
        "seconds": round(time.monotonic() - started, 3),
    }
    found = evaluation_of(on.ids, on.codes, on.kinds, [*made, *baselines], meta)
    storing.save(library.workspace, views[0].collection.uid, found)
    return found


def _views(library: Library, collection: str, encoders: Sequence[str]) -> list[View]:
    there = library.catalogue.collection(collection)
    asked: Sequence[str | None] = encoders or [None]
    views = [library.vectors(there, encoder) for encoder in asked]
    names = [view.encoding.encoder for view in views]
    if len(set(names)) < len(names):
        raise RangeError(f"encoders are {', '.join(names)}; name each once")
    return views


def _every(views: Sequence[View], on: Subject, join: bool) -> list[tuple[str, Vectors]]:
    """Each encoder's vectors of the images, and those side by side."""
    every = [(view.encoding.encoder, vectors_of(view, on.ids)) for view in views]
    if join:
        name = PREFIX + "+".join(name for name, _ in every)
        every.append((name, joined([vectors for _, vectors in every])))
    return every


def _measured(
    every: Sequence[tuple[str, Vectors]],
    on: Subject,
    resamples: Resamples,
    seed: int,
    report: Report,
) -> tuple[list[Measured], list[Measured]]:
    def measured(name: str, vectors: Vectors, *, clustering: bool = True) -> Measured:
        return measure(
            name,
            vectors,
            on.codes,
            resamples,
            samples=on.samples,
            clustering=clustering,
            seed=seed,
            report=report,
        )

    made = []
    for name, vectors in every:
        one = measured(name, vectors)
        if one.scores:
            meter = Meter(report, f"Labels against accuracy ({name})", DRAWS)
            curve = efficiency(vectors, on.codes, samples=on.samples, seed=seed, tell=meter.advance)
            one.more["label_efficiency"] = curve.as_json()
            one.more["kinds"] = per_kind(one, on.codes, on.kinds, resamples)
        made.append(one)
    sizes = size_vectors(on.sizes) if len(on) > 2 else None
    if sizes is None or len(on.kinds) < 2:
        return made, []
    alone = measured(BY_SIZE, sizes, clustering=False)
    alone.dimension = 1
    return made, [alone]


def _look_into(
    library: Library,
    views: Sequence[View],
    every: Sequence[tuple[str, Vectors]],
    on: Subject,
    made: Sequence[Measured],
    asked: bool,
    seed: int,
    report: Report,
) -> None:
    """Put robustness and cost beside the figures."""
    of = {view.encoding.encoder: view for view in views}
    for (name, vectors), one in zip(every, made, strict=True):
        if name not in of:
            one.more["cost"] = joined_cost([each.more["cost"] for each in made if each is not one])
            continue
        found, memory = None, None
        if asked and len(on) > 1:
            found, memory = looked_into(
                library, of[name], on.ids, vectors, seed=seed, report=report
            )
            one.more["robustness"] = robustness_json(found)
        one.more["cost"] = cost(name, vectors.shape[1], len(on), found, memory)


def _said(rows: Sequence[dict[str, Any]], meta: dict[str, Any]) -> None:
    """Put a verdict beside the figures of each row."""
    for row in rows:
        gaps = [
            pair["differences"]
            for pair in meta["comparisons"]
            if pair["encoders"] == [BY_SIZE, row["encoder"]]
        ]
        name = next((each for each in BY if gaps and each in gaps[0]), None)
        by_size = gaps[0][name] if name else None
        row["verdict"] = verdict(row, ceiling=meta["ceiling"], by_size=by_size).as_json()


def _without_labels(
    library: Library,
    views: Sequence[View],
    every: Sequence[tuple[str, Vectors]],
    on: Subject,
    made: Sequence[Measured],
    resamples: Resamples,
) -> dict[str, Any]:
    near = {one.encoder: one.near for one in made if one.near is not None}
    alone = {view.encoding.encoder: view for view in views}
    clusterings = []
    for name, view in alone.items():
        kept = next((c for c in analysis.clusterings(library, view) if "edited" not in c), None)
        if kept is None:
            why = f"no clustering of {name} was made; see `cluster`"
            clusterings.append({"encoder": name, "stability": None, "why": why})
        else:
            fields = ("name", "clusters", "noise_share", "stability", "verdict_sentence")
            clusterings.append({"encoder": name, **{field: kept.get(field) for field in fields}})
    return {
        "agreement": agreements({n: near[n] for n in alone if n in near}, resamples),
        "clusterings": clusterings,
        "copies": len(on) - len(np.unique(on.copies)),
        "nearly_same": {
            name: nearly_same(vectors, near[name]) for name, vectors in every if name in near
        },
    }


def _meta(
    views: Sequence[View], on: Subject, made: Sequence[Measured], baselines: Sequence[Measured]
) -> dict[str, Any]:
    notes = list(on.notes)
    if on.kinds and not baselines:
        notes.append("sizes are not known of all images: nothing to compare with sorting by size")
    return {
        "images": len(on.codes),
        "classes": len(on.kinds),
        "of": on.of,
        "labelled": on.labelled,
        "encoders": [as_json(each) for each in made],
        "baselines": [as_json(each) for each in baselines],
        "ceiling": ceilings(on.codes, on.samples) if len(on.kinds) > 1 else {},
        "intervals_by": "image" if on.samples is None else "sample",
        "samples": None if on.samples is None else len(on.sample_names),
        "notes": notes,
        "covers": {
            view.encoding.encoder: {
                "fingerprint": view.snapshot.fingerprint,
                "generation": view.encoding.generation,
                "identity": view.encoding.identity.as_json(),
            }
            for view in views
        },
        "kinds_counted": {
            kind: int(n) for kind, n in zip(on.kinds, on.counts.tolist(), strict=True)
        }
        if len(on.codes)
        else {},
        "parameters": {
            "neighbours_kept": KEPT,
            "neighbours_voting": VOTERS,
            "folds": FOLDS,
            "draws": TIMES,
            "few_samples": FEW_SAMPLES,
        },
        "versions": library_versions("numpy", "scipy", "scikit-learn", "umap-learn"),
    }
