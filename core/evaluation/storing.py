"""A finished evaluation, kept in the workspace as one file and read back whole or in short."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import labels
from core.errors import NotFoundError, RangeError, WorkspaceError
from core.evaluation.classes import rows_behind
from core.evaluation.figures import TITLES, Figure, absent
from core.evaluation.measuring import Measured
from core.evaluation.unlabelled import shared_share
from core.library import Library
from core.results import Column, load_result, read_meta, save_result
from core.workspace import Workspace, slug

KIND = "evaluation"

PREFIX = "joined:"
"""Begins the name of encoders put side by side; their names follow, a + between."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found out about some encoders on one collection."""

    ids: list[str]
    """The images that were measured, in an order of their own."""
    codes: NDArray[np.int64]
    """(n,) place of each image's label among `kinds`; empty without labels."""
    kinds: list[str]
    meta: dict[str, Any]
    """What `evaluate --json` prints: figures, comparisons, parameters and what it covers."""
    scores: dict[str, dict[str, NDArray[np.float64]]]
    """encoder -> score -> (n,), by the names in `core.evaluation.measuring.SCORES`."""
    decided: dict[str, dict[str, NDArray[np.int64]]]
    """encoder -> ``knn`` or ``probe`` -> (n,) the kind each image was given."""
    near: dict[str, NDArray[np.int64]]
    """encoder -> (n, up to 24) rows of the nearest others, the nearest first."""

    @property
    def encoders(self) -> list[str]:
        """Those asked for, and what they make side by side; baselines are not among them."""
        return [row["encoder"] for row in self.meta["encoders"]]

    def row(self, encoder: str) -> dict[str, Any]:
        """One row of the table.

        Raises
        ------
        NotFoundError
            If it is not in the table.
        """
        rows = [*self.meta["encoders"], *self.meta["baselines"]]
        for row in rows:
            if row["encoder"] == encoder:
                found: dict[str, Any] = row
                return found
        known = ", ".join(row["encoder"] for row in rows)
        raise NotFoundError(f"encoder {encoder!r} was not evaluated; there are {known}")

    def figure(self, encoder: str, name: str) -> Figure:
        """One figure of one encoder."""
        there = self.row(encoder).get(name)
        return absent("it was not measured") if there is None else Figure.from_json(there)

    @property
    def figures(self) -> list[str]:
        """Names of what was measured, in the order of tables."""
        rows = [*self.meta["encoders"], *self.meta["baselines"]]
        return [name for name in TITLES if any(name in row for row in rows)]

    def confusion(self, encoder: str, *, way: str = "probe") -> NDArray[np.int64]:
        """(kinds, kinds) images by what they are (rows) and what was decided (columns)."""
        from core.evaluation.classes import confusion

        return confusion(self.codes, self._decided(encoder, way), len(self.kinds))

    def cell(self, encoder: str, kind: str, taken_for: str, *, way: str = "probe") -> list[str]:
        """The ids behind a cell of the confusion matrix.

        Raises
        ------
        NotFoundError
            If there is no such kind.
        """
        for name in (kind, taken_for):
            if name not in self.kinds:
                raise NotFoundError(f"no kind {name!r} was evaluated; see `kinds`")
        rows = rows_behind(
            self.codes,
            self._decided(encoder, way),
            kind=self.kinds.index(kind),
            taken_for=self.kinds.index(taken_for),
        )
        return [self.ids[row] for row in rows]

    def _decided(self, encoder: str, way: str) -> NDArray[np.int64]:
        self.row(encoder)
        ways = self.decided.get(encoder, {})
        if way not in ways:
            raise RangeError(
                f"{way!r} decided nothing for {encoder!r}; there is {', '.join(ways) or 'none'}"
            )
        return ways[way]

    def neighbours(self, encoder: str, id: str) -> list[str]:
        """The ids of the nearest others of an image, the nearest first.

        Raises
        ------
        NotFoundError
            If the image was not among those measured.
        """
        self.row(encoder)
        try:
            row = self.ids.index(id)
        except ValueError:
            raise NotFoundError(f"image {id!r} was not among those evaluated") from None
        return [self.ids[other] for other in self.near[encoder][row]]

    def shared(self, id: str, encoders: Sequence[str]) -> list[str]:
        """The nearest others of an image that all these encoders find, in the order of the first.

        Raises
        ------
        NotFoundError
            If the image was not among those measured.
        """
        lists = [self.neighbours(encoder, id) for encoder in encoders]
        every = set(lists[0]).intersection(*lists[1:])
        return [other for other in lists[0] if other in every]

    def least_shared(self, first: str, second: str, *, most: int = 24) -> list[tuple[str, float]]:
        """Ids whose nearest others the two encoders share least, with the share; for no labels."""
        for encoder in (first, second):
            self.row(encoder)
        share = shared_share(self.near[first], self.near[second])
        order = np.argsort(share, kind="stable")[:most]
        return [(self.ids[row], float(share[row])) for row in order]


def name_of(encoders: Sequence[str]) -> str:
    """What an evaluation of these encoders is called."""
    return " + ".join(encoders)


def path_of(workspace: Workspace, uid: str, name: str) -> Path:
    """Where an evaluation lies."""
    return workspace.evaluations(uid) / f"{slug(name)}.parquet"


def evaluation_of(
    ids: list[str],
    codes: NDArray[np.int64],
    kinds: list[str],
    rows: Sequence[Measured],
    meta: dict[str, Any],
) -> Evaluation:
    """Put together what was measured."""
    return Evaluation(
        ids=ids,
        codes=codes,
        kinds=kinds,
        meta=meta,
        scores={made.encoder: made.scores for made in rows},
        decided={made.encoder: made.decided for made in rows},
        near={made.encoder: made.near.astype(np.int64) for made in rows if made.near is not None},
    )


def save(workspace: Workspace, uid: str, evaluation: Evaluation) -> Path:
    """Keep an evaluation; one of the same encoders is replaced in one step.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    columns: dict[str, Column] = {"id": evaluation.ids}
    if len(evaluation.codes):
        columns["code"] = evaluation.codes.astype(np.int32)
    rows = [r["encoder"] for r in (*evaluation.meta["encoders"], *evaluation.meta["baselines"])]
    for number, encoder in enumerate(rows):
        for name, scores in evaluation.scores.get(encoder, {}).items():
            columns[f"{number}.score.{name}"] = scores.astype(np.float32)
        for way, decided in evaluation.decided.get(encoder, {}).items():
            columns[f"{number}.decided.{way}"] = decided.astype(np.int32)
        near = evaluation.near.get(encoder)
        for place in range(0 if near is None else near.shape[1]):
            assert near is not None
            columns[f"{number}.near.{place}"] = near[:, place].astype(np.int32)
    path = path_of(workspace, uid, evaluation.meta["name"])
    meta = {**evaluation.meta, "kind": KIND, "kinds": evaluation.kinds}
    save_result(path, columns, meta)
    return path


def load(workspace: Workspace, uid: str, name: str) -> Evaluation:
    """An evaluation as `save` kept it.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    WorkspaceError
        If it is damaged.
    """
    result = load_result(path_of(workspace, uid, name))
    meta = dict(result.meta)
    kinds = list(meta.pop("kinds"))
    rows = [row["encoder"] for row in (*meta["encoders"], *meta["baselines"])]
    scores: dict[str, dict[str, NDArray[np.float64]]] = {encoder: {} for encoder in rows}
    decided: dict[str, dict[str, NDArray[np.int64]]] = {encoder: {} for encoder in rows}
    near: dict[str, list[NDArray[np.int64]]] = {encoder: [] for encoder in rows}
    for column, values in result.columns.items():
        number, _, rest = column.partition(".")
        what, _, which = rest.partition(".")
        if not which:
            continue
        encoder = rows[int(number)]
        if what == "score":
            scores[encoder][which] = np.asarray(values, np.float64)
        elif what == "decided":
            decided[encoder][which] = np.asarray(values, np.int64)
        else:
            near[encoder].append(np.asarray(values, np.int64))
    codes = result.columns.get("code", [])
    return Evaluation(
        ids=result.ids,
        codes=np.asarray(codes, np.int64),
        kinds=kinds,
        meta=meta,
        scores=scores,
        decided=decided,
        near={encoder: np.stack(each, axis=1) for encoder, each in near.items() if each},
    )


def listed(workspace: Workspace, uid: str) -> list[dict[str, Any]]:
    """The meta of every evaluation of a collection, the newest first; a damaged one hides none."""
    folder = workspace.evaluations(uid)
    found = []
    for path in folder.glob("*.parquet") if folder.is_dir() else ():
        with suppress(WorkspaceError, NotFoundError):
            meta = read_meta(path)
            if meta.get("kind") == KIND:
                found.append(meta)
    found.sort(key=lambda meta: (meta["at"], meta["name"]), reverse=True)
    return found


def outdated(library: Library, uid: str, meta: dict[str, Any]) -> list[str]:
    """What changed since an evaluation was made, in words; empty while it still holds."""
    from core.snapshot import open_snapshot

    encodings = {e.encoder: e for e in library.catalogue.encodings(uid)}
    found = []
    for encoder, covered in meta["covers"].items():
        encoding = encodings.get(encoder)
        if encoding is None:
            found.append(f"the vectors of {encoder} are gone")
            continue
        folder = library.workspace.snapshot(uid, encoder, encoding.generation)
        try:
            now = open_snapshot(folder).fingerprint
        except (NotFoundError, WorkspaceError):
            found.append(f"the vectors of {encoder} cannot be read")
            continue
        if now != covered["fingerprint"]:
            found.append(f"the vectors of {encoder} changed")
    if labels.revision(library.catalogue, uid) != meta["labels_revision"]:
        found.append("labels changed")
    return found
