"""A filter from a collection's labels, and from a filter the folder to carry away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import encoders, labels, screens
from core.bundling import encoder_fields, versions, write_bundle
from core.catalogue import nearby
from core.encoders.card import Card, Identity
from core.errors import EncoderError, NotFoundError, RangeError
from core.learning import learning_curve
from core.library import Library, View
from core.outcome import Screened
from core.progress import Meter, Report, nobody
from core.promise import check_target
from core.ranging import value_range_of
from core.screen import Screen
from core.screening import Trained, train
from core.snapshot import fingerprint_of
from core.workspace import now

TARGET = 0.99

QUANTILES = 21
"""Of scores and similarities of all images of the collection, 0 %, 5 %, ... 100 %: a later day's
images are compared with its mix, which that of the labels seldom is."""

_FILE = re.compile(r"(\d+):\d{15,}")
"""A local file's stamp: bytes, and its time in nanoseconds."""


def train_screen(
    library: Library,
    view: View,
    *,
    name: str,
    keep: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    target: float = TARGET,
    seed: int,
    report: Report = nobody,
) -> Screen:
    """Train on the validated labels of a view; `core.screens.save` keeps what comes.

    Files of the same content count once, so that none is judged by a copy of itself.

    Parameters
    ----------
    name : str
        What the model is called.
    keep, drop : labels, optional
        What to keep and what to drop. One of them will do: every other validated label is then on
        the other side.
    target : float
        Recall to aim at, 0.5 to 0.999.
    seed : int

    Raises
    ------
    NotFoundError
        If nothing is validated as one of these labels.
    RangeError
        If no label is named, one is on both sides, there are too few labels, or the target or
        the model's name will not do.
    """
    screens.check_model_name(name)
    check_target(target)
    ids = view.snapshot.ids
    said = labels.current(library.catalogue, view.collection.uid)
    label = [
        said[id].label if id in said and said[id].status == "validated" else None for id in ids
    ]
    wanted, unwanted = _sides(label, keep, drop)
    truth = np.array([1 if one in wanted else 0 if one in unwanted else -1 for one in label], "i1")
    samples, sizes, first = _catalogued(library, view)
    copies = _copies(first, truth)
    truth[copies] = -1
    rows = np.flatnonzero(truth >= 0)
    vectors = np.asarray(view.snapshot.vectors[rows])
    meter = Meter(report, "Training", 3)
    made = train(vectors, truth[rows] == 1, samples=[samples[row] for row in rows], seed=seed)
    meter.advance()
    curve = learning_curve(vectors, truth[rows] == 1, folds=made.folds, seed=seed)
    meter.advance()
    nearest = made.model.nearest(view.snapshot.vectors)
    nearest[rows] = made.nearest
    screened = _screened(view, made, rows, truth, label, samples, sizes, nearest)
    meter.advance()
    begun = Screen(
        name=name,
        collection=view.collection.name,
        identity=view.encoding.identity,
        fit=view.encoding.fit,
        made_by=view.encoding.made_by,
        keep=tuple(sorted(wanted)),
        drop=tuple(sorted(unwanted)),
        target=target,
        threshold=0.0,
        promised=False,
        labels_needed=0,
        familiar_from=made.familiar_from,
        seed=seed,
        value_range=value_range_of(view.collection.options),
        training={
            "images": len(rows),
            "keep": int((truth == 1).sum()),
            "drop": int((truth == 0).sum()),
            "copies_left_out": len(copies),
            "fingerprint": _fingerprint([ids[row] for row in rows], vectors, truth[rows]),
            "unfamiliar_share": float(screened.unfamiliar.mean()),
            "quantiles": {
                "score": _quantiles(screened.score),
                "nearest": _quantiles(nearest),
                "of": len(ids),
            },
        },
        learning={
            "points": [asdict(point) for point in curve.points],
            "gain": None if curve.gain is None else asdict(curve.gain),
            "why": curve.why,
        },
        why=made.why,
        versions=versions(),
        model=made.model,
        screened=screened,
        created=now(),
    )
    return begun.at_target(target)


def _sides(
    label: Sequence[str | None], keep: Sequence[str] | None, drop: Sequence[str] | None
) -> tuple[set[str], set[str]]:
    """Labels to keep and labels to drop."""
    there = {one for one in label if one is not None}
    if not keep and not drop:
        raise RangeError("no label is named to keep or to drop; name those of one side")
    for one in (*(keep or ()), *(drop or ())):
        if one not in there:
            raise NotFoundError(f"no image is validated as {one!r}; {nearby(one, sorted(there))}")
    unwanted = there - set(keep or ()) if drop is None else set(drop)
    wanted = there - unwanted if keep is None else set(keep)
    if both := sorted(wanted & unwanted):
        raise RangeError(f"{both[0]!r} is to be kept and dropped; name it on one side")
    if not wanted or not unwanted:
        side, other = ("drop", "keep") if wanted else ("keep", "drop")
        raise RangeError(
            f"nothing is left to {side}: every validated label is to {other}; label images to "
            f"{side} too"
        )
    return wanted, unwanted


def _catalogued(
    library: Library, view: View
) -> tuple[list[str | None], NDArray[np.float64], NDArray[np.int64]]:
    """Of each row its sample, its bytes (NaN unknown), and the first row of the same content."""
    ids = view.snapshot.ids
    row_of = {id: row for row, id in enumerate(ids)}
    samples: list[str | None] = [None] * len(ids)
    sizes = np.full(len(ids), np.nan)
    first = np.arange(len(ids), dtype=np.int64)
    seen: dict[str, int] = {}
    names = ("id", "sample", "stamp", "inner", "content_hash")
    for id, sample, stamp, inner, digest in library.catalogue.table(view.collection.uid, names):
        row = row_of.get(id)
        if row is None:
            continue
        samples[row] = sample
        if (found := _FILE.fullmatch(stamp)) and "#" not in inner:
            sizes[row] = float(found[1])
        if digest:
            first[row] = seen.setdefault(digest, row)
    return samples, sizes, first


def _copies(first: NDArray[np.int64], truth: NDArray[np.int8]) -> NDArray[np.int64]:
    """Labelled rows whose content another labelled row has already."""
    rows = np.flatnonzero(truth >= 0)
    _, once = np.unique(first[rows], return_index=True)
    return np.delete(rows, once)


def _screened(
    view: View,
    made: Trained,
    rows: NDArray[np.int64],
    truth: NDArray[np.int8],
    label: Sequence[str | None],
    samples: Sequence[str | None],
    sizes: NDArray[np.float64],
    nearest: NDArray[np.float32],
) -> Screened:
    score = made.model.score(view.snapshot.vectors)
    score[rows] = made.score
    kind, kinds = _coded([one if t >= 0 else None for one, t in zip(label, truth, strict=True)])
    sample, names = _coded(samples)
    return Screened(
        ids=list(view.snapshot.ids),
        score=score,
        unfamiliar=nearest < np.float32(made.familiar_from),
        truth=truth,
        kind=kind,
        kinds=kinds,
        sample=sample,
        samples=names,
        size_bytes=sizes,
        effect=made.effect,
        validated_by=made.validated_by,
    )


def _coded(words: Sequence[str | None]) -> tuple[NDArray[np.int32], list[str]]:
    """Each word's place among the words there are, -1 for none."""
    names = sorted({word for word in words if word is not None})
    place = {word: i for i, word in enumerate(names)}
    return np.array([-1 if w is None else place[w] for w in words], np.int32), names


def _fingerprint(ids: Sequence[str], vectors: Any, truth: NDArray[np.int8]) -> str:
    """The same for the same images, vectors and sides, in whatever order they came."""
    sides = sorted(f"{id}\n{side}" for id, side in zip(ids, truth.tolist(), strict=True))
    digest = hashlib.sha256("\n".join(sides).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{fingerprint_of(ids, vectors)}-{digest[:16]}"


def export_screen(screen: Screen, to: Path) -> dict[str, Any]:
    """Write a filter's folder: ONNX, a card, checksums; see `core.bundling.write_bundle`.

    Raises
    ------
    CoreError
        If the folder holds other files or cannot be written, or the encoder that vectors made
        elsewhere are of cannot be had.
    """
    figures, identity = screen.figures(), screen.identity
    if screen.made_by is not None:
        identity = encoders.load(screen.made_by).identity
    beside = ("model", "threshold", "target_recall", "promised", "labels_needed", "training")
    card = {
        "name": screen.name,
        "created": screen.created,
        "exported": now(),
        "collection": screen.collection,
        "seed": screen.seed,
        "encoder": encoder_fields(_card(identity), identity, screen.fit),
        "keep": list(screen.keep),
        "drop": list(screen.drop),
        "threshold": screen.threshold,
        "familiar_from": screen.familiar_from,
        "target_recall": screen.target,
        "promised": screen.promised,
        "labels_needed": screen.labels_needed,
        "training": dict(screen.training),
        "value_range": None if screen.value_range is None else list(screen.value_range),
        "trained_with": dict(screen.versions),
        "validation": {k: v for k, v in figures.items() if k not in (*beside, "keep", "drop")},
    }
    write_bundle(to, screen.model, card, fit=screen.fit)
    return {
        "model": screen.name,
        "folder": str(to),
        "threshold": screen.threshold,
        "target_recall": screen.target,
        "promised": screen.promised,
        "files": sorted(path.name for path in to.iterdir()),
    }


def _quantiles(values: NDArray[np.floating]) -> list[float]:
    return [float(v) for v in np.quantile(values, np.linspace(0, 1, QUANTILES))]


def _card(identity: Identity) -> Card:
    """The encoder's card; of vectors made elsewhere, what can be said of them."""
    try:
        return encoders.describe(identity.name)
    except EncoderError as error:
        return Card(
            name=identity.name,
            dimension=identity.dimension,
            weights=identity.weights,
            licence="not known here",
            download_mb=None,
            reads_text=False,
            about=f"Not described here: {error}",
        )
