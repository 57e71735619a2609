"""40,000 images: more than Chroma reads at once, in everything that reads them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core import labels
from core.analysis import make_map, placed_map
from core.arrays import Vectors
from core.catalogue import Encoding, NewImage
from core.doctor import examine
from core.encoders.card import Identity
from core.exporting import export
from core.library import Library, View
from core.managing import delete, summary
from core.matching import similar_to_id
from core.settings import Settings
from core.store import Store
from core.workspace import now
from tests.core.conftest import rows_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

N, D = 40_000, 32
ENCODER = "precomputed:made-up"


@dataclass
class Large:
    library: Library
    ids: list[str]
    vectors: Vectors

    @property
    def view(self) -> View:
        return self.library.vectors(self.library.catalogue.collection("large"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    library = Library.open(Settings(workspace=tmp_path_factory.mktemp("large") / "workspace"))
    catalogue = library.catalogue
    collection = catalogue.create("large", encoder=ENCODER, options={})
    encoding = Encoding(ENCODER, Identity(ENCODER, "none", 1, D), generation=1, created=now())
    catalogue.put_encoding(collection.uid, encoding)
    catalogue.add_root(collection.uid, "made", "/made")
    ids, vectors = [f"made/{n:05d}.png" for n in range(N)], rows_of(N, D)
    with library.workspace.writing("a test"):
        store = Store.open(library.settings, library.workspace)
        writer = store.vectors(library.workspace, collection.uid, encoding)
        writer.put(ids, [f"/{id}" for id in ids], vectors)
        writer.close()
    catalogue.put_images(
        collection.uid,
        (
            NewImage(id, "made", id[5:], stamp="1", content_hash="", metadata={"row": row})
            for row, id in enumerate(ids)
        ),
    )
    yield Large(library, ids, vectors)
    library.close()


def test_all_are_counted(large: Large):
    (entry,) = summary(large.library)
    assert entry == {"name": "large", "encoder": ENCODER, "dimension": D, "images": N}
    assert large.view.snapshot.ids == large.ids
    np.testing.assert_array_equal(large.view.snapshot.vectors, large.vectors)


@pytest.mark.parametrize("row", [0, 32_766, 32_767, 39_999])
def test_the_nearest_are_those_of_all(large: Large, row: int):
    found = similar_to_id(large.library, large.view, large.ids[row], k=24)
    distances = 1 - large.vectors.astype(np.float64) @ large.vectors[row].astype(np.float64)
    distances[row] = -1
    truth = np.argsort(distances, kind="stable")[:25]
    assert found.exact
    assert [match.image.id for match in found.matches] == [large.ids[r] for r in truth]
    assert found.matches[0].distance == 0
    np.testing.assert_allclose(
        [match.distance for match in found.matches[1:]], distances[truth[1:]], atol=1e-5
    )


def check_map(large: Large, method: str) -> None:
    said = make_map(large.library, large.view, method=method, seed=0)
    assert (said["method"], said["points"]) == (method, N)
    placed = placed_map(large.library, large.view, method=method)
    assert placed.coordinates.shape == (N, 2) and placed.late == 0
    assert np.isfinite(placed.coordinates).all()


def test_a_map_by_pca(large: Large):
    check_map(large, "pca")


def test_a_map_by_umap(large: Large):
    check_map(large, "umap")


def test_exported_as_csv(large: Large, tmp_path: Path):
    uid = large.view.collection.uid
    decisions = [labels.Decision(id, "Salp") for id in large.ids[::2]]
    labels.record(large.library.catalogue, uid, decisions, by="ann", how="bulk")
    export(large.library, large.view, to=tmp_path / "large.csv", format="csv")
    with (tmp_path / "large.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == large.ids
    assert [row["row"] for row in rows] == [str(n) for n in range(N)]
    assert {row["label"] for row in rows[::2]} == {"Salp"}
    assert {row["label"] for row in rows[1::2]} == {""}
    assert rows[-1]["uri"] == "/made/39999.png"


def test_exported_as_parquet_with_vectors(large: Large, tmp_path: Path):
    import pyarrow.parquet as pq

    to = tmp_path / "large.parquet"
    export(large.library, large.view, to=to, format="parquet", vectors=True)
    table = pq.read_table(to)
    assert table["id"].to_pylist() == large.ids
    np.testing.assert_array_equal(
        np.asarray(table["vector"].to_pylist(), dtype=np.float32), large.vectors
    )


def check_whole(large: Large) -> None:
    view = large.view
    order = {id: row for row, id in enumerate(view.snapshot.ids)}
    assert len(order) == N == len(view.snapshot)
    rows = np.asarray(view.snapshot.vectors)[[order[id] for id in large.ids]]
    np.testing.assert_allclose(rows, large.vectors, atol=2e-7)
    with large.library.workspace.writing("a test"):
        store = Store.open(large.library.settings, large.library.workspace)
        writer = store.vectors(large.library.workspace, view.collection.uid, view.encoding)
        assert set(writer.ids()) == set(large.ids) and writer.count() == N
    assert examine(large.library) == {"ok": True, "problems": []}


def test_a_lost_snapshot_is_rebuilt_from_chroma(large: Large):
    view = large.view
    shutil.rmtree(large.library.workspace.snapshots(view.collection.uid))
    found = examine(large.library)
    assert not found["ok"] and "the snapshot cannot be read" in found["problems"][0]
    mended = examine(large.library, repair=True)
    assert mended["ok"] and len(mended["repaired"]) == 1
    check_whole(large)


def test_a_lost_chroma_is_rebuilt_from_the_snapshot(large: Large):
    store = Store.open(large.library.settings, large.library.workspace)
    for name in store.names():
        store.drop_named(name)
    found = examine(large.library)
    (problem,) = found["problems"]
    assert "40,000 vectors are in the snapshot and not in the store" in problem
    assert examine(large.library, repair=True)["ok"]
    check_whole(large)


def test_deleted(large: Large):
    delete(large.library, "large")
    assert summary(large.library) == []
    assert Store.open(large.library.settings, large.library.workspace).names() == []
    assert not [p for p in large.library.workspace.root.glob("*/*") if p.parent.name != "chroma"]
