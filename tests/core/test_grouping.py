"""Cards of clusters: places counted by hand, and a collection whose answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core import analysis, editing, labels
from core.arrays import unit_rows
from core.clustering import Clustering, save_clustering
from core.columns import columns
from core.edits import Rename
from core.errors import NotFoundError
from core.grouping import (
    CLEAR,
    Grouping,
    SizeRange,
    grouping,
    place_images,
    stability_of,
)
from core.indexing import index
from core.labels import Decision
from core.library import Library, View
from core.results import load_result, save_result
from core.settings import Settings
from tests.core.conftest import Pictures
from tests.core.prepared import IDS, IMAGES, prepared

LABELS = [0] * 8 + [1] * 6 + [2] * 4 + [-1] * 2


def at(*degrees: float) -> np.ndarray:
    """Unit rows in the plane at these angles."""
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def test_places_by_hand():
    vectors = at(0, 10, -10, 90, 80, 100, 44, 180)
    places = place_images(vectors, np.array([0, 0, 0, 1, 1, 1, 1, -1]))
    assert places.numbers == [0, 1]
    np.testing.assert_allclose(places.centres[0], [1, 0], atol=1e-6)
    np.testing.assert_allclose(places.own[:2], [0, 1 - np.cos(np.radians(10))], atol=1e-6)
    np.testing.assert_allclose(places.other[7], 1 - at(180) @ places.centres[1], atol=1e-6)
    assert np.isnan(places.own[7])
    centre = np.degrees(np.arctan2(*places.centres[1][::-1]))
    assert 77 < centre < 80
    # at 44 degrees cluster 1 (at 78.6) is nearer than cluster 0, but not clearly
    a, b = 1 - np.cos(np.radians(centre - 44)), 1 - np.cos(np.radians(44))
    assert (b - a) / b > 0
    assert places.band.tolist() == [0, 0, 0, 0, 0, 0, 0 if (b - a) / b >= CLEAR else 1, -1]
    assert places.members(1).tolist()[0] == 4
    assert places.members(-1).tolist() == [7]
    (near,) = places.nearest(0)
    assert near[0] == 1
    assert near[1] == pytest.approx(1 - np.cos(np.radians(centre)), abs=1e-5)


def test_what_lies_between_is_borderline_and_what_lies_elsewhere_doubtful():
    vectors = at(0, 0, 0, 0, 41, 90, 90, 90, 90, 3)
    places = place_images(vectors, np.array([0] * 5 + [1] * 5))
    assert places.band.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 2]
    assert places.members(0).tolist() == [0, 1, 2, 3, 4]
    assert places.members(1).tolist() == [5, 6, 7, 8, 9]


def test_one_cluster_has_nothing_to_doubt():
    places = place_images(at(0, 5, 90), np.array([4, 4, 4]))
    assert places.band.tolist() == [0, 0, 0]
    assert np.isnan(places.other).all()
    assert places.nearest(4) == []


def test_an_outlier_lies_beyond_the_fence_of_its_cluster():
    vectors = at(*range(-6, 7), 40)
    places = place_images(vectors, np.zeros(14, int))
    assert np.flatnonzero(places.outlier).tolist() == [13]
    assert places.members(0).tolist()[-1] == 13
    assert not place_images(at(0, 0, 0, 40), np.zeros(4, int)).outlier.any()  # too few to say
    assert not place_images(at(*[7] * 20), np.zeros(20, int)).outlier.any()  # copies


def test_vectors_that_cancel_out_have_no_direction():
    places = place_images(at(0, 180), np.array([0, 0]))
    np.testing.assert_array_equal(places.centres, [[0, 0]])
    np.testing.assert_array_equal(places.own, [1, 1])


@pytest.mark.parametrize("labels", [[], [-1], [0], [-1, -1, -1], [-2, -2]])
def test_few_images_and_nothing_but_noise(labels: list[int]):
    vectors = unit_rows(np.random.default_rng(0).normal(size=(len(labels), 4)))
    places = place_images(vectors, np.array(labels, int))
    assert places.numbers == [c for c in sorted(set(labels)) if c >= 0]
    assert len(places.members(-1)) == labels.count(-1)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(1)
    vectors = unit_rows(rng.normal(size=(300, 8)))
    numbers = rng.integers(-1, 5, 300)
    whole = place_images(vectors, numbers)
    monkeypatch.setattr("core.neighbours.BLOCK_BYTES", 1_000)
    parts = place_images(vectors, numbers)
    np.testing.assert_allclose(parts.own, whole.own, atol=1e-6)
    np.testing.assert_allclose(parts.other, whole.other, atol=1e-6)
    np.testing.assert_array_equal(parts.band, whole.band)


# of a collection


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    keep(opened, LABELS)
    yield opened
    opened.close()


def look(library: Library, name: str = "run") -> View:
    return library.vectors(library.catalogue.collection(name))


def keep(library: Library, of: list[int], name: str = "mine") -> None:
    view = look(library)
    by_id = dict(zip(IDS, of, strict=True))
    numbers = np.array([by_id[id] for id in view.snapshot.ids], np.int32)
    path = library.workspace.clustering(view.collection.uid, "descriptors", name)
    save_clustering(path, Clustering(numbers, "x", {}, None, None), view.snapshot.ids, "f")


def cards(library: Library, collection: str = "run", **how: str) -> Grouping:
    view = look(library, collection)
    return grouping(library, view, columns(library, view), **how)  # type: ignore[arg-type]


def describe(library: Library, metadata: list[dict[str, object]]) -> None:
    uid = library.catalogue.collection("run").uid
    rows = {row.id: row for row in library.catalogue.image_rows(uid)}
    new = [replace(rows[id], metadata=m) for id, m in zip(IDS, metadata, strict=True)]
    library.catalogue.put_images(uid, new)


def test_a_card_a_cluster(library: Library):
    found = cards(library)
    assert [(g.number, g.size) for g in found.groups] == [(0, 8), (1, 6), (2, 4)]
    assert found.noise is not None
    assert (found.noise.size, found.noise.called) == (2, "noise")
    assert sum(g.share for g in found.groups) + found.noise.share == pytest.approx(1)
    for group in found.groups:
        assert sum(group.bands) == group.size
        assert len(set(group.central)) == min(6, group.size)
        assert {LABELS[IDS.index(id)] for id in group.central} == {group.number}
        ordered = [found.ids[row] for row in found.members(group.number)]
        assert ordered[: len(group.central)] == list(group.central)
        assert group.stability is None
    assert found.noise.suggested is None
    assert found.uncovered == 0
    assert found.group(-1) is found.noise
    with pytest.raises(NotFoundError, match="there is no cluster 7 in clustering 'mine'"):
        found.group(7)


def test_pictures_of_the_same_content_are_shown_once(library: Library):
    keep(library, [0, *[1] * 18, 0])  # the last image is a copy of the first
    (first, _) = cards(library).groups
    assert first.size == 2
    assert len(first.central) == 1


def test_the_commonest_label_names_a_cluster_most_of_which_it_is(library: Library):
    keep(library, [n % 2 for n in range(IMAGES)])  # folders alternate
    first, second = cards(library).groups
    assert first.label is not None
    assert (first.label.label, first.label.share, first.label.labelled) == ("Copepod", 1.0, 10)
    assert second.suggested is not None
    assert (second.suggested.name, second.suggested.basis) == ("Detritus", "labels")
    assert second.suggested.about == "10 of its 10 labelled images are called so."
    keep(library, [0] * IMAGES)
    (whole,) = cards(library).groups
    assert whole.label is not None
    assert whole.label.share == 0.5
    assert whole.suggested is None  # half and half is no name, and there is nothing to differ from


def test_sizes_are_the_instruments_or_measured_in_the_pictures(library: Library):
    keep(library, [0] * 10 + [1] * 10)
    measured = cards(library).groups[0].sizes
    assert measured is not None
    assert (measured.of, measured.unit) == ("ESD", "px")
    assert 0 < measured.low <= measured.high
    describe(library, [{"esd_um": 10.0 + n} for n in range(IMAGES)])
    first, second = cards(library).groups
    assert first.sizes == SizeRange(pytest.approx(10.9), pytest.approx(18.1), "µm", "ESD")
    assert second.sizes is not None
    assert second.sizes.said() == "ESD 20.9 to 28.1 µm"
    describe(library, [{"esd_um": 10.0} if n < 3 else {} for n in range(IMAGES)])
    assert cards(library).groups[0].sizes == measured  # too few were measured by the instrument


def test_stability_is_that_of_the_number(library: Library):
    path = library.workspace.clustering(look(library).collection.uid, "descriptors", "mine")
    result = load_result(path)
    save_result(path, result.columns, {**result.meta, "cluster_stability": [0.9, None]})
    assert [g.stability for g in cards(library).groups] == [0.9, None, None]
    assert stability_of({"cluster_stability": [0.5]}, -1) is None


def test_names_given_by_people_stand(library: Library):
    editing.edit(library, look(library), "mine", Rename(1, "rods"))
    found = cards(library)
    assert found.name == "mine (edited)"
    assert [g.called for g in found.groups] == ["cluster 0", "rods", "cluster 2"]
    told = found.as_json()
    assert told["edited_from"] == "mine"
    assert told["edits"][0]["what"] == "rename"
    assert told["revision"] == found.revision


def test_images_that_came_later_are_in_no_cluster(library: Library, pictures: Pictures):
    index(library, collection="run", source=str(pictures(2, seed=3, name="late")))
    found = cards(library)
    assert found.uncovered == 2
    assert sum(g.size for g in found.groups) == 18
    assert found.as_json()["not_covered"] == 2


def test_a_new_label_shows(library: Library):
    uid = library.catalogue.collection("run").uid
    decisions = [Decision(id, "Rod") for id in IDS[:8]]
    labels.record(library.catalogue, uid, decisions, by="me")
    first = cards(library).groups[0]
    assert first.label is not None
    assert first.label.label == "Rod"


def test_no_clustering_yet(settings: Settings, tmp_path_factory: pytest.TempPathFactory):
    prepared(tmp_path_factory, settings.workspace)
    library = Library.open(settings)
    with pytest.raises(NotFoundError, match="has no clustering yet; make one with `cluster"):
        cards(library)
    library.close()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_first_try_with_a_few_images(library: Library, pictures: Pictures, n: int):
    index(library, collection="few", source=str(pictures(n, seed=3, name="few")))
    for method in ("hdbscan", "kmeans"):
        analysis.make_clustering(library, look(library, "few"), method=method, seed=0)
        found = cards(library, "few", name=method)
        noise = 0 if found.noise is None else found.noise.size
        assert sum(g.size for g in found.groups) + noise == n
        assert all(g.central for g in found.groups)
        assert found.as_json()["images"] == n
