"""Maps and clusterings made, kept and brought up to date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core import analysis
from core.clustering import METHODS
from core.errors import NotFoundError, RangeError
from core.indexing import index
from core.library import Library, View
from core.progress import Progress
from core.settings import Settings
from core.snapshot import Snapshot
from tests.core.conftest import Pictures
from tests.core.prepared import IDS, IMAGES, prepared


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    yield opened
    opened.close()


def look(library: Library, name: str = "run") -> View:
    return library.vectors(library.catalogue.collection(name))


def test_a_map_is_kept(library: Library):
    view = look(library)
    said: list[Progress] = []
    done = analysis.make_map(library, view, method="pca", seed=0, report=said.append)
    assert done["method"] == "pca"
    assert done["points"] == IMAGES
    assert done["seconds"] >= 0
    assert said
    assert set(analysis.maps(library, view)) == {"pca"}
    placed = analysis.placed_map(library, view, method="pca")
    assert placed.coordinates.shape == (IMAGES, 2)
    assert placed.late == 0
    assert placed.meta["parameters"]["encoder"] == view.encoding.identity.as_json()


def test_no_map_yet(library: Library):
    view = look(library)
    assert analysis.maps(library, view) == {}
    with pytest.raises(NotFoundError, match=r"has no umap map yet; make it with `project"):
        analysis.placed_map(library, view)


def test_images_that_came_later_are_placed_among_their_neighbours(
    library: Library, pictures: Pictures
):
    analysis.make_map(library, look(library), method="pca", seed=0)
    old = look(library)
    before = analysis.placed_map(library, old, method="pca").coordinates
    index(library, collection="run", source=str(pictures(3, seed=7, name="late")))
    view = look(library)
    placed = analysis.placed_map(library, view, method="pca")
    assert placed.late == 3
    where = dict(zip(view.snapshot.ids, placed.coordinates, strict=True))
    np.testing.assert_array_equal(np.stack([where[id] for id in old.snapshot.ids]), before)
    new = [where[id] for id in view.snapshot.ids if id.startswith("late/")]
    assert (np.stack(new) >= before.min(axis=0)).all()
    assert (np.stack(new) <= before.max(axis=0)).all()


def test_images_that_went_are_not_on_the_map(library: Library):
    view = look(library)
    analysis.make_map(library, view, method="pca", seed=0)
    part = View(view.collection, view.encoding, _without(view, IDS[:5]))
    placed = analysis.placed_map(library, part, method="pca")
    assert (len(placed.coordinates), placed.late) == (IMAGES - 5, 0)


def _without(view: View, gone: list[str]) -> Snapshot:
    rows = [row for row, id in enumerate(view.snapshot.ids) if id not in gone]
    kept = [view.snapshot.ids[row] for row in rows]
    return replace(view.snapshot, ids=kept, vectors=np.asarray(view.snapshot.vectors)[rows])


def test_a_map_of_other_images_is_refused(library: Library, pictures: Pictures):
    view = look(library)
    analysis.make_map(library, view, method="pca", seed=0)
    others = replace(view.snapshot, ids=[f"other/{id}" for id in view.snapshot.ids])
    with pytest.raises(NotFoundError, match="covers none of its images any more; make it again"):
        analysis.placed_map(library, View(view.collection, view.encoding, others), method="pca")


def test_a_clustering_is_kept(library: Library):
    view = look(library)
    done = analysis.make_clustering(library, view, method="kmeans", k=3, seed=0)
    assert done["name"] == "kmeans"
    assert done["method"] == "kmeans"
    assert done["clusters"] == 3
    assert done["noise"] == 0
    assert {"noise_share", "silhouette", "stability", "seconds"} <= set(done)
    clusters, meta = analysis.clusters_of(library, view, [*IDS, "unknown"])
    assert set(clusters[:-1]) == {0, 1, 2}
    assert clusters[-1] is None
    assert meta is not None
    assert meta["name"] == "kmeans"


def test_no_clustering_yet(library: Library):
    view = look(library)
    assert analysis.clusterings(library, view) == []
    assert analysis.clusters_of(library, view, IDS) == ([None] * IMAGES, None)
    with pytest.raises(NotFoundError, match="called 'mine'; there is none yet"):
        analysis.clusters_of(library, view, IDS, name="mine")


def test_named_clusterings_stand_side_by_side_the_newest_first(library: Library):
    view = look(library)
    names = ["coarse", "fine 100%", "../é", "coarse"]
    for k, name in enumerate(names, 2):
        analysis.make_clustering(library, view, method="kmeans", k=k, name=name, seed=0)
    folder = library.workspace.clusterings(view.collection.uid, "descriptors")
    for path in folder.iterdir():  # as after copying the workspace
        os.utime(path, (1, 1))
    found = analysis.clusterings(library, view)
    assert [(each["name"], each["clusters"]) for each in found] == [
        ("coarse", 5),
        ("../é", 4),
        ("fine 100%", 3),
    ]
    assert analysis.clusters_of(library, view, IDS)[1]["name"] == "coarse"  # type: ignore[index]
    clusters, _ = analysis.clusters_of(library, view, IDS, name="fine 100%")
    assert set(clusters) == {0, 1, 2}
    with pytest.raises(NotFoundError, match=r"called 'x'; there is 'coarse', '\.\./é', 'fine"):
        analysis.clusters_of(library, view, IDS, name="x")
    assert {p.parent for p in library.workspace.root.rglob("*.parquet")} == {folder}


@pytest.mark.parametrize("name", [" ", "a\nb", "x" * 81, " a", "é" * 80])
def test_names_of_clusterings_that_would_not_work(library: Library, name: str):
    with pytest.raises(RangeError, match=r"clustering name .* (expected 1 to 80|too long)"):
        analysis.make_clustering(library, look(library), method="kmeans", name=name, seed=0)


def test_a_method_there_is_not(library: Library):
    with pytest.raises(RangeError, match="fuzzy"):
        analysis.make_clustering(library, look(library), method="fuzzy", seed=0)
    with pytest.raises(RangeError, match="nonsense"):
        analysis.make_map(library, look(library), method="nonsense", seed=0)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_first_try_with_a_few_images(library: Library, pictures: Pictures, n: int):
    index(library, collection="few", source=str(pictures(n, seed=3)))
    view = look(library, "few")
    made = analysis.make_map(library, view, method="umap", seed=0)
    assert made["points"] == n
    assert made["why"]  # that it is no UMAP, and why
    placed = analysis.placed_map(library, view)
    assert placed.coordinates.shape == (n, 2)
    assert np.isfinite(placed.coordinates).all()
    for method in METHODS:
        done = analysis.make_clustering(library, view, method=method, seed=0)
        assert 0 <= done["noise"] <= n
        clusters, _ = analysis.clusters_of(library, view, view.snapshot.ids, name=method)
        assert None not in clusters


def test_computing_holds_no_lock(library: Library):
    """While a map is made, another process may index."""
    view = look(library)
    with library.workspace.writing("index --collection run"):
        assert analysis.make_map(library, view, method="pca", seed=0)["points"] == len(
            view.snapshot
        )


def test_a_collection_deleted_meanwhile_keeps_nothing(library: Library):
    view = look(library)
    library.catalogue.delete(view.collection.uid)
    with pytest.raises(NotFoundError, match="was deleted while this was computed"):
        analysis.make_map(library, view, method="pca", seed=0)
    assert not library.workspace.projection(view.collection.uid, "descriptors", "pca").exists()


def test_a_damaged_clustering_hides_no_other(library: Library):
    view = look(library)
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0, name="good")
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0, name="bad")
    path = library.workspace.clustering(view.collection.uid, "descriptors", "bad")
    path.write_bytes(b"PAR1 damaged")
    assert [c["name"] for c in analysis.clusterings(library, view)] == ["good"]
