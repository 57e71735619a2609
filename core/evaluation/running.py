"""Evaluate encoders on a collection: gather, measure, compare, keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from core import labels
from core.arrays import Vectors
from core.errors import RangeError
from core.evaluation import storing
from core.evaluation.bootstrap import FEW_SAMPLES, TIMES, Resamples
from core.evaluation.measuring import (
    KEPT,
    VOTERS,
    Measured,
    as_json,
    ceilings,
    measure,
)
from core.evaluation.probe import FOLDS
from core.evaluation.storing import PREFIX, Evaluation, evaluation_of, name_of
from core.evaluation.subject import BY_SIZE, Subject, joined, size_vectors, subject, vectors_of
from core.library import Library, View
from core.progress import Report, nobody
from core.reduction import library_versions
from core.workspace import now


def evaluate(
    library: Library,
    collection: str,
    encoders: Sequence[str] = (),
    *,
    join: bool = False,
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
    made, baselines = _measured(views, on, join, seed, report)
    meta = _meta(views, on, made, baselines)
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


def _measured(
    views: Sequence[View], on: Subject, join: bool, seed: int, report: Report
) -> tuple[list[Measured], list[Measured]]:
    resamples = Resamples(len(on), samples=on.samples, seed=seed)
    every: list[tuple[str, Vectors]] = [
        (view.encoding.encoder, vectors_of(view, on.ids)) for view in views
    ]
    if join:
        name = PREFIX + "+".join(name for name, _ in every)
        every.append((name, joined([vectors for _, vectors in every])))
    made = [
        measure(name, vectors, on.codes, resamples, samples=on.samples, seed=seed, report=report)
        for name, vectors in every
    ]
    sizes = size_vectors(on.sizes) if len(on) > 2 else None
    if sizes is None:
        return made, []
    alone = measure(
        BY_SIZE,
        sizes,
        on.codes,
        resamples,
        samples=on.samples,
        clustering=False,
        seed=seed,
        report=report,
    )
    alone.more["dimension"] = 1
    return made, [alone]


def _meta(
    views: Sequence[View], on: Subject, made: Sequence[Measured], baselines: Sequence[Measured]
) -> dict[str, Any]:
    notes = list(on.notes)
    if not baselines:
        notes.append("sizes are not known of all images: nothing to compare with sorting by size")
    return {
        "images": len(on),
        "classes": len(on.kinds),
        "of": on.of,
        "labelled": on.labelled,
        "encoders": [as_json(each) for each in made],
        "baselines": [as_json(each) for each in baselines],
        "ceiling": ceilings(on.codes) if len(on.kinds) > 1 else {},
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
