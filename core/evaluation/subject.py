"""What encoders are measured on: images with a settled label and vectors of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import labels
from core.arrays import Vectors, unit_rows
from core.columns import Choices, Columns, Numbers, natural, read_columns
from core.errors import NotFoundError
from core.evaluation.retrieval import elsewhere
from core.library import Library, View

MOST = 20_000
"""Images an evaluation looks at; of more, so many are drawn."""

BY_SIZE = "size alone"
"""The row of the table that sorts by the longest side of the pictures."""


@dataclass(frozen=True)
class Subject:
    """Images, in an order that says nothing about them, and what is known of each."""

    ids: list[str]
    codes: NDArray[np.int64]
    """(n,) place of its label among `kinds`; empty without labels."""
    kinds: list[str]
    """Labels in natural order."""
    samples: NDArray[np.int64] | None
    """(n,) place of its sample among the samples; None unless all have one and there are two."""
    sample_names: list[str]
    sizes: NDArray[np.float64]
    """(n,) longest side, in micrometres where the pixel size is known; NaN where it is not."""
    size_unit: str
    copies: NDArray[np.int64]
    """(n,) the same number for files of the same content."""
    of: int
    """Images of the collection that have vectors of all these encoders."""
    labelled: int
    """How many of those have a settled label."""
    notes: list[str]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images of each kind."""
        return np.bincount(self.codes, minlength=len(self.kinds))


def subject(
    library: Library, views: Sequence[View], *, seed: int, labelled: bool = True
) -> Subject:
    """The images that can be measured.

    Only validated labels count: predicted ones may be the encoder's own, dubious ones may be wrong.

    Parameters
    ----------
    views : at least one
        The same collection, an encoder each.
    seed : int
        For the order of rows, which decides between equally near images: that of ids would favour
        their own folder, and with it their own kind.
    labelled : bool
        False: images without a label too, and no kinds.

    Raises
    ------
    NotFoundError
        If no image has vectors of all encoders.
    """
    first = views[0]
    there = library.catalogue.stamps(first.collection.uid).keys()
    each = [there & set(view.snapshot.ids) for view in views]
    common, some = set.intersection(*each), set.union(*each)
    if not common:
        listed = ", ".join(view.encoding.encoder for view in views)
        raise NotFoundError(
            f"no image of collection {first.collection.name!r} has vectors of all of {listed}; "
            "index it with each of them"
        )
    known = labels.current(library.catalogue, first.collection.uid)
    words = {
        id: said.label
        for id, said in known.items()
        if id in common and said.label and said.status == "validated"
    }
    chosen = sorted(words if labelled else common)
    order = np.random.default_rng(seed).permutation(len(chosen))[:MOST]
    ids = [chosen[row] for row in order]
    notes = []
    if len(some) > len(common):
        notes.append(
            f"{len(some) - len(common):,} of {len(some):,} images lack vectors of an encoder and "
            "are left out for all"
        )
    if len(chosen) > MOST:
        notes.append(f"{MOST:,} of {len(chosen):,} images were drawn and measured")
    kinds = sorted({words[id] for id in ids}, key=natural) if labelled else []
    place = {kind: number for number, kind in enumerate(kinds)}
    columns = read_columns(library, first)
    row_of = {id: row for row, id in enumerate(first.snapshot.ids)}
    rows = np.array([row_of[id] for id in ids], np.int64)
    samples, sample_names, why = _samples(columns, rows)
    if why:
        notes.append(why)
    codes = np.array([place[words[id]] for id in ids] if labelled else [], np.int64)
    if samples is not None and (number := _of_one_sample(codes, samples)):
        notes.append(
            f"{number:,} of {len(kinds):,} kinds are in one sample only: a classifier, tested on "
            "other samples than it was trained on, cannot know them"
        )
    size = columns.by_name["size"]
    assert isinstance(size, Numbers)
    copies = columns.copies[rows]
    doubles = len(rows) - len(np.unique(copies))
    if doubles:
        counted = f"{doubles:,} images are copies" if doubles > 1 else "one image is a copy"
        notes.append(f"{counted} of others, which any encoder finds: figures are higher for it")
    return Subject(
        ids=ids,
        codes=codes,
        kinds=kinds,
        samples=samples,
        sample_names=sample_names,
        sizes=size.values[rows],
        size_unit=columns.size_unit,
        copies=copies,
        of=len(common),
        labelled=len(words),
        notes=notes,
    )


def _of_one_sample(codes: NDArray[np.int64], samples: NDArray[np.int64]) -> int:
    """How many kinds only one sample has.

    Examples
    --------
    >>> _of_one_sample(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    1
    """
    return len(np.unique(codes[~elsewhere(codes, samples)])) if len(codes) else 0


def _samples(
    columns: Columns, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, list[str], str | None]:
    """The sample of each image, their names, and why there are none."""
    column = columns.by_name["sample"]
    assert isinstance(column, Choices)
    codes = column.codes[rows]
    lacking = int((codes < 0).sum())
    there = np.unique(codes[codes >= 0])
    if not len(there):
        why = "no samples are known: intervals and training are by image, not for new samples"
        return None, [], why
    if lacking:
        return None, [], f"{lacking:,} images have no sample: intervals and training are by image"
    if len(there) < 2:
        return None, [], "all images are of one sample: intervals and training are by image"
    names = [column.values[code] for code in there]
    return np.searchsorted(there, codes).astype(np.int64), names, None


def vectors_of(view: View, ids: Sequence[str]) -> Vectors:
    """(n, d) rows of these images, in their order."""
    row_of = {id: row for row, id in enumerate(view.snapshot.ids)}
    rows = np.array([row_of[id] for id in ids], np.int64)
    return np.ascontiguousarray(np.asarray(view.snapshot.vectors)[rows], np.float32)


def joined(vectors: Sequence[Vectors]) -> Vectors:
    """Encoders side by side, each scaled to rows of length 1, so that none drowns the others."""
    return unit_rows(np.concatenate([unit_rows(each) for each in vectors], axis=1))


def size_vectors(sizes: NDArray[np.float64]) -> Vectors | None:
    """Sizes as (n, 2) unit rows on half a circle: the nearer two are, the more alike in size.

    Returns
    -------
    (n, 2) float32 or None
        None where a size is unknown or all are equal.

    Examples
    --------
    >>> rows = size_vectors(np.array([10.0, 20.0, 40.0]))
    >>> (rows @ rows[0]).round(3).tolist()
    [1.0, 0.0, -1.0]
    """
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        return None
    logs = np.log(sizes)
    width = float(np.ptp(logs))
    if not width:
        return None
    angle = (logs - logs.min()) / width * np.pi
    return unit_rows(np.stack([np.cos(angle), np.sin(angle)], axis=1))
