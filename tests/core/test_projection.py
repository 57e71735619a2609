import json
from pathlib import Path

import numpy as np
import pytest

from core.arrays import unit_rows
from core.errors import NotFoundError, RangeError, ShapeError, WorkspaceError
from core.projection import (
    Projection,
    load_projection,
    place,
    project,
    save_projection,
)
from core.reduction import exact_neighbours, principal_components
from core.results import save_result

SMALL = (0, 1, 2, 3, 10, 15)


def _random(n: int, dimension: int = 24, seed: int = 0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, dimension)))


def _blobs(each: int, kinds: int = 3, dimension: int = 24):
    rng = np.random.default_rng(5)
    centres = np.repeat(3 * np.eye(kinds, dimension), each, axis=0)
    return unit_rows(centres + 0.1 * rng.normal(size=centres.shape))


@pytest.mark.parametrize("n", SMALL)
def test_a_few_images_are_a_pca_that_says_so(n: int):
    made = project(_random(n), method="umap", seed=1)
    assert made.method == "pca"
    assert made.coordinates.shape == (n, 2)
    assert made.coordinates.dtype == np.float32
    assert np.isfinite(made.coordinates).all()
    images = "1 image" if n == 1 else f"{n} images"
    assert made.why == f"{images}: below 16 a UMAP means nothing, so this is a PCA"


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_identical_images_lie_on_one_point(method: str):
    made = project(np.repeat(_random(1), 40, axis=0), method=method, seed=1)
    assert made.method == "pca"
    assert np.ptp(made.coordinates, axis=0).tolist() == [0, 0]
    if method == "umap":
        assert made.why == (
            "40 images, of which 1 differ: below 16 different ones a UMAP means nothing, "
            "so this is a PCA"
        )


def test_a_pca_that_was_asked_for_needs_no_reason():
    made = project(_random(40), method="pca", seed=3)
    assert (made.method, made.why) == ("pca", None)
    assert made.parameters["seed"] == 3
    assert set(made.parameters["versions"]) == {"numpy"}
    assert made.parameters["seconds"] >= 0


def test_principal_components_counted_by_hand():
    # along (0.6, 0.8) the variance is larger than across it
    points = np.array([[-6, -8], [6, 8], [-0.8, 0.6], [0.8, -0.6]], np.float32)
    expected = [[-10, 0], [10, 0], [0, -1], [0, 1]]  # signs: the largest loading is positive
    assert principal_components(points, 2) == pytest.approx(np.array(expected), abs=1e-5)
    wide = np.hstack([points, np.zeros((4, 6), np.float32)])  # more numbers than images
    assert principal_components(wide, 3)[:, :2] == pytest.approx(np.array(expected), abs=1e-5)
    assert principal_components(wide, 5)[:, 3:].tolist() == [[0, 0]] * 4
    assert principal_components(points + 3, 2) == pytest.approx(np.array(expected), abs=1e-5)


def test_principal_components_span_blocks(monkeypatch: pytest.MonkeyPatch):
    vectors = _random(300)
    whole = principal_components(vectors, 5)
    centred = vectors - vectors.mean(axis=0)
    gram = centred @ centred.T
    kept = np.linalg.eigvalsh(gram)[::-1][:5]
    assert (whole**2).sum(axis=0) == pytest.approx(kept, rel=1e-3)
    monkeypatch.setattr("core.reduction.BLOCK_ROWS", 37)
    assert principal_components(vectors, 5) == pytest.approx(whole, abs=1e-5)


def test_a_read_only_memory_map_is_enough(tmp_path: Path):
    np.save(tmp_path / "v.npy", _random(60))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    made = project(mapped, method="pca", seed=0)
    assert made.coordinates == pytest.approx(
        project(_random(60), method="pca", seed=0).coordinates, abs=1e-6
    )


def test_errors_say_what_was_expected():
    with pytest.raises(RangeError, match="no projection 'tsne'; expected one of umap, pca"):
        project(_random(5), method="tsne", seed=0)
    with pytest.raises(RangeError, match="n_neighbors is 1; expected at least 2"):
        project(_random(5), method="umap", seed=0, n_neighbors=1)
    with pytest.raises(RangeError, match=r"min_dist is 1\.5; expected 0 to 1"):
        project(_random(5), method="umap", seed=0, min_dist=1.5)
    with pytest.raises(ShapeError, match="expected unit-length rows"):
        project(2 * _random(5), method="pca", seed=0)


@pytest.mark.slow  # imports and compiles umap
def test_umap_is_the_same_for_a_seed_and_says_what_it_was_made_with(tmp_path: Path):
    np.save(tmp_path / "v.npy", _random(40))
    vectors = np.load(tmp_path / "v.npy", mmap_mode="r")
    told: list[tuple[str, float | None]] = []
    made = project(
        vectors,
        method="umap",
        seed=4,
        n_neighbors=5,
        min_dist=0.2,
        on_progress=lambda text, share: told.append((text, share)),
    )
    assert (made.method, made.why) == ("umap", None)
    assert made.coordinates.dtype == np.float32
    assert np.isfinite(made.coordinates).all()
    parameters = made.parameters
    assert (parameters["n_neighbors"], parameters["min_dist"], parameters["seed"]) == (5, 0.2, 4)
    assert {"umap-learn", "numba"} <= set(parameters["versions"])
    json.dumps(parameters, allow_nan=False)
    assert told[0][1] == 0.0
    assert told[-1] == ("map done", 1.0)
    again = project(vectors, method="umap", seed=4, n_neighbors=5, min_dist=0.2)
    assert again.coordinates.tolist() == made.coordinates.tolist()
    other = project(vectors, method="umap", seed=5, n_neighbors=5, min_dist=0.2)
    assert other.coordinates.tolist() != made.coordinates.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("n", [16, 17, 30])
def test_umap_of_just_enough_images(n: int):
    made = project(_random(n), method="umap", seed=0)
    assert made.method == "umap"
    assert made.parameters["n_neighbors"] == 15
    assert np.isfinite(made.coordinates).all()


@pytest.mark.slow
def test_umap_keeps_kinds_apart_and_copies_together():
    vectors = _blobs(each=40)
    vectors = vectors[np.r_[0:120, 0:30]]
    made = project(vectors, method="umap", seed=0)
    assert made.method == "umap"
    assert made.parameters["distinct"] == 120
    assert made.coordinates[120:].tolist() == made.coordinates[:30].tolist()
    kind = np.r_[np.repeat([0, 1, 2], 40), np.zeros(30, int)]
    apart = np.linalg.norm(made.coordinates[:, None] - made.coordinates[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    apart[np.arange(120, 150), np.arange(30)] = np.inf  # a copy would be too easy
    assert (kind[apart.argmin(axis=1)] == kind).all()


@pytest.mark.slow
def test_umap_of_opposite_vectors_does_not_warn():
    half = _random(20, dimension=3)
    made = project(np.vstack([half, -half]), method="umap", seed=0, n_neighbors=30)
    assert np.isfinite(made.coordinates).all()


@pytest.mark.slow
@pytest.mark.timeout(600)  # the approximate search is compiled for minutes on a busy machine
@pytest.mark.parametrize("exact_up_to", [20_000, 1_000])
def test_umap_with_measured_and_with_searched_neighbours(
    exact_up_to: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("core.reduction.EXACT_UP_TO", exact_up_to)
    made = project(_blobs(each=1500), method="umap", seed=0)  # umap searches above 4,096
    centres = made.coordinates.reshape(3, 1500, 2).mean(axis=1)
    nearest = np.linalg.norm(made.coordinates[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == np.repeat([0, 1, 2], 1500)).mean() > 0.99


def test_exact_neighbours_are_sorted_and_begin_with_the_row_itself(
    monkeypatch: pytest.MonkeyPatch,
):
    vectors = _random(50)
    rows, distances = exact_neighbours(vectors, 7)
    assert rows[:, 0].tolist() == list(range(50))
    assert (distances[:, 0] == 0).all()
    every = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    assert rows.tolist() == every.argsort(axis=1)[:, :7].tolist()
    assert distances == pytest.approx(np.sort(every, axis=1)[:, :7], abs=1e-6)
    monkeypatch.setattr("core.neighbours.BLOCK_BYTES", 8 * 50 * 4)
    assert exact_neighbours(vectors, 7)[0].tolist() == rows.tolist()


def test_placed_by_the_weighted_mean_of_neighbours():
    vectors = np.eye(4, dtype=np.float32)[:3]
    coordinates = np.array([[0, 0], [10, 0], [0, 40]], np.float32)
    new = np.array([[0.6, 0.3, 0.1, 0]], np.float32)
    new = np.hstack([new[:, :3], [[np.sqrt(1 - (new**2).sum())]]]).astype(np.float32)
    # two nearest: (0.6 * (0, 0) + 0.3 * (10, 0)) / 0.9
    assert place(coordinates, vectors, new, k=2) == pytest.approx(np.array([[10 / 3, 0]]), abs=1e-4)
    assert place(coordinates, vectors, new, k=99) == pytest.approx(np.array([[3, 4]]), abs=1e-4)
    assert place(coordinates, vectors, new, k=1).tolist() == [[0, 0]]


def test_a_copy_is_placed_on_its_original_and_a_stranger_in_the_middle():
    vectors = np.eye(4, dtype=np.float32)[:2]
    coordinates = np.array([[2, 4], [6, 0]], np.float32)
    new = np.eye(4, dtype=np.float32)[[1, 3]]
    assert place(coordinates, vectors, new).tolist() == [[6, 0], [4, 2]]
    assert place(coordinates, vectors, new[:0]).shape == (0, 2)


def test_a_place_depends_neither_on_the_batch_nor_on_the_order_of_rows():
    vectors, new = _random(500), _random(100, seed=9)
    vectors[100:120] = vectors[0]
    coordinates = np.random.default_rng(2).normal(size=(500, 2)).astype(np.float32)
    together = place(coordinates, vectors, new)
    alone = [place(coordinates, vectors, new[row : row + 1])[0].tolist() for row in range(100)]
    assert together.tolist() == alone
    order = np.random.default_rng(3).permutation(500)
    assert place(coordinates[order], vectors[order], new).tolist() == alone


def test_placing_on_nothing_is_an_error():
    vectors, coordinates = _random(3), np.zeros((3, 2), np.float32)
    with pytest.raises(ShapeError, match=r"coordinates are \(2, 2\) for 3 vectors"):
        place(coordinates[:2], vectors, vectors)
    with pytest.raises(ShapeError, match="vectors have 5 numbers; expected 24"):
        place(coordinates, vectors, _random(1, dimension=5))
    with pytest.raises(RangeError, match="k is 0; expected at least 1 neighbour"):
        place(coordinates, vectors, vectors, k=0)
    with pytest.raises(RangeError, match="the map has no images"):
        place(coordinates[:0], vectors[:0], vectors)


def test_a_map_comes_back_as_it_was(tmp_path: Path):
    made = project(_random(12), method="umap", seed=8)
    ids = [f"image {number}" for number in range(12)]
    save_projection(tmp_path / "map.parquet", made, ids, "fingerprint-1")
    stored = load_projection(tmp_path / "map.parquet")
    assert stored.ids == ids
    assert stored.coordinates.dtype == np.float32
    assert stored.coordinates.tolist() == made.coordinates.tolist()
    assert stored.meta == {
        "kind": "projection",
        "method": "pca",
        "why": "12 images: below 16 a UMAP means nothing, so this is a PCA",
        "parameters": made.parameters,
        "fingerprint": "fingerprint-1",
        "points": 12,
    }


def test_a_map_of_nothing_comes_back(tmp_path: Path):
    save_projection(tmp_path / "m.parquet", project(_random(0), method="pca", seed=0), [], "f")
    assert load_projection(tmp_path / "m.parquet").coordinates.shape == (0, 2)


def test_a_map_that_is_not_there_or_not_a_map(tmp_path: Path):
    with pytest.raises(NotFoundError, match="build it first"):
        load_projection(tmp_path / "map.parquet")
    save_result(tmp_path / "map.parquet", {"id": ["a"], "cluster": np.zeros(1)}, {})
    with pytest.raises(WorkspaceError, match="no column x, y"):
        load_projection(tmp_path / "map.parquet")
    made = Projection(np.zeros((2, 2), np.float32), "pca", {}, None)
    with pytest.raises(ShapeError, match="1 ids for 2 points; expected one each"):
        save_projection(tmp_path / "map.parquet", made, ["a"], "f")
