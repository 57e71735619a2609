import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from core.arrays import unit_rows
from core.clustering import (
    NOISE,
    Clustering,
    by_size,
    cluster,
    describe_fields,
    load_clustering,
    methods,
    reduce_for_clustering,
    reruns,
    save_clustering,
    space,
)
from core.errors import NotFoundError, RangeError, ShapeError, WorkspaceError
from core.results import save_result
from core.trust import against_labels

METHODS = ("kmeans", "agglomerative", "hdbscan", "evoc")

COMPILES = pytest.param("evoc", marks=(pytest.mark.slow, pytest.mark.timeout(1200)))
"""EVoC compiles for minutes when it is imported for the first time."""


SMALL = ("kmeans", "agglomerative", "hdbscan")
"""Those that find groups among fewer than 40 different images."""


def _random(n: int, dimension: int = 60, seed: int = 0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, dimension)))


def _blobs(sizes: tuple[int, ...], dimension: int = 60, spread: float = 0.05):
    """Vectors around orthogonal directions, shuffled, and the kind of each."""
    rng = np.random.default_rng(11)
    kinds = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.eye(len(sizes), dimension)[kinds]
    return unit_rows(centres + spread * rng.normal(size=centres.shape)), kinds


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 16])
def test_a_few_images_never_fail_and_every_missing_figure_has_a_reason(method: str, n: int):
    made = cluster(_random(n), method=method, seed=1)
    assert made.labels.shape == (n,)
    assert made.labels.dtype == np.int32
    fields = describe_fields(made)
    for figure in ("silhouette", "stability"):
        assert (fields[figure] is None) == (figure in fields["why"])
    json.dumps(fields, allow_nan=False)
    json.dumps(made.parameters, allow_nan=False)
    if n == 3:
        assert fields["why"]["stability"] == "3 images: stability needs at least 10"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 10, 50, 200])
def test_identical_images_are_one_cluster(method: str, n: int):
    made = cluster(np.repeat(_random(1), n, axis=0), method=method, seed=1)
    assert made.labels.tolist() == [0] * n
    assert (made.clusters, made.noise) == (1, 0)
    assert made.why["silhouette"] == "1 cluster: a silhouette needs at least 2"
    if n >= 10:
        assert made.why["stability"] == "1 cluster: stability needs at least 2"


@pytest.mark.parametrize("method", SMALL)
def test_a_few_kinds_of_copies_are_found(method: str):
    kinds = np.repeat([0, 1, 2], [40, 25, 12])
    made = cluster(_random(3)[kinds], method=method, seed=0)
    assert made.labels.tolist() == kinds.tolist()
    assert made.silhouette == pytest.approx(1)
    assert made.stability == pytest.approx(1)


@pytest.mark.parametrize("method", SMALL)
def test_separate_kinds_are_found_without_umap(method: str):
    vectors, kinds = _blobs((40, 25, 15))
    made = cluster(vectors, method=method, seed=0)
    assert made.parameters["reduction"]["space"] == "pca"
    assert adjusted_rand_score(kinds, made.labels) >= 0.95
    if method != "hdbscan":
        assert made.parameters["k"] == 3
        assert made.parameters["k_by"] == "silhouette"


@pytest.mark.slow  # imports and compiles umap and evoc
@pytest.mark.timeout(1200)  # evoc compiles for minutes when it is imported for the first time
@pytest.mark.parametrize("method", METHODS)
def test_separate_kinds_are_found_and_trusted(method: str):
    vectors, kinds = _blobs((150, 120, 90, 70))
    made = cluster(vectors, method=method, seed=0)
    assert made.parameters["reduction"]["space"] == "umap"
    assert against_labels(made.labels, [str(kind) for kind in kinds])["ami"] >= 0.95
    assert made.silhouette > 0.5
    assert made.stability > 0.9
    low, high = made.stability_range
    assert 0.6 < low <= made.stability <= high <= 1
    assert len(made.cluster_stability) == made.clusters
    assert min(made.cluster_stability) > 0.8
    assert made.verdict.word == "trust"
    if method != "evoc":
        assert made.clusters == 4
        assert np.bincount(made.labels[made.labels >= 0]).tolist() == [150, 120, 90, 70]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("method", METHODS)
def test_there_is_nothing_to_trust_in_noise(method: str):
    made = cluster(_random(1000), method=method, seed=0)
    assert made.verdict.word == "nothing"
    assert made.verdict.sentence.startswith("There is nothing to trust")
    assert made.stability is None or made.stability < 0.35


def test_re_runs_leave_out_other_images_each_time():
    vectors = _random(90)
    runs = list(
        reruns.reruns(vectors, methods.METHODS["kmeans"], {"k": 6}, seed=0, tell=lambda *_: None)
    )
    assert [len(run.rows) for run in runs] == [72] * 5
    assert len({tuple(run.rows) for run in runs}) == 5
    assert all(run.silhouette is not None for run in runs[:2])


def test_noise_counts_as_nought_when_compared_with_shapeless_vectors():
    vectors, _ = _blobs((30, 30))
    vectors = np.vstack([vectors, _random(60, seed=3)])
    way = methods.METHODS["hdbscan"]
    given = {"min_cluster_size": 10, "min_samples": 5}
    (run, *_) = reruns.reruns(vectors, way, given, seed=0, tell=lambda *_: None)
    noise = (run.labels == NOISE).mean()
    assert noise > 0.3
    assert 0 < run.silhouette <= 1 - noise


def test_shapeless_vectors_have_the_mean_and_the_covariance_and_no_groups():
    vectors, _ = _blobs((300, 300), dimension=6)
    drawn = reruns.shapeless(vectors, 4000, seed=0)
    assert drawn.shape == (4000, 6)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(1, abs=1e-5)
    along = vectors[:, 0] - vectors[:, 1]
    assert (np.abs(along) < 0.5).mean() < 0.01
    assert (np.abs(drawn[:, 0] - drawn[:, 1]) < 0.5).mean() > 0.2


@pytest.mark.parametrize("method", SMALL)
def test_finer_is_more_groups(method: str):
    rng = np.random.default_rng(2)
    kinds = np.repeat(np.arange(12), 8)
    centres = np.repeat(np.eye(3, 40), 4, axis=0) + 0.3 * np.eye(12, 40, 3)
    vectors = unit_rows(centres[kinds] + 0.01 * rng.normal(size=(96, 40)))
    found = [cluster(vectors, method=method, fineness=f, seed=0).clusters for f in (-2, 0, 2)]
    assert found == sorted(found)
    assert found[0] < found[2]


def test_what_cannot_be_coarser_says_so():
    vectors, _ = _blobs((20, 20))
    made = cluster(vectors, method="agglomerative", fineness=-1, seed=0)
    assert made.clusters == 2
    assert made.why["fineness"] == "2 clusters are the coarsest there can be"


def test_too_few_images_for_evoc_are_no_group_and_it_says_why():
    made = cluster(_random(30), method="evoc", seed=0)
    assert (made.clusters, made.noise) == (0, 30)
    assert made.why["clusters"] == "30 different images: EVoC needs 40"
    assert made.verdict.sentence == "There is nothing to trust: no groups were found."


@pytest.mark.parametrize("method", [*METHODS[:-1], COMPILES])
def test_the_same_seed_gives_the_same_clusters(method: str):
    vectors, _ = _blobs((20, 20, 20), spread=0.4)
    first, second = (cluster(vectors, method=method, seed=5) for _ in range(2))
    assert first.labels.tolist() == second.labels.tolist()
    assert first.stability == second.stability
    assert first.parameters == second.parameters


def test_what_lies_alone_is_noise_and_not_in_the_silhouette():
    rng = np.random.default_rng(4)
    kinds = np.repeat([0, 1], [30, 20])
    near = np.array([[1, 0], [1, 0.5]])[kinds]  # nearer to each other than to what lies alone
    grouped = np.hstack([near, np.zeros((50, 6))]) + 0.01 * rng.normal(size=(50, 8))
    vectors = unit_rows(np.vstack([grouped, np.eye(8)[2:]]))
    made = cluster(vectors, method="hdbscan", seed=0)
    assert made.labels.tolist() == [*kinds.tolist(), *[NOISE] * 6]
    assert (made.clusters, made.noise) == (2, 6)
    assert made.noise_share == pytest.approx(6 / 56)
    assert made.silhouette > 0.8


def test_k_is_kept():
    vectors, _ = _blobs((20, 20, 20))
    made = cluster(vectors, method="kmeans", k=5, seed=0)
    assert made.clusters == 5
    assert (made.parameters["k"], made.parameters["k_by"]) == (5, "given")
    assert cluster(vectors, method="kmeans", k=1, seed=0).clusters == 1
    assert cluster(vectors, method="kmeans", k=60, seed=0).why["silhouette"] == (
        "60 clusters of one image each: a silhouette needs larger ones"
    )


def test_more_clusters_than_different_images_is_said():
    made = cluster(_random(3)[np.arange(30) % 3], method="kmeans", k=7, seed=0)
    assert made.clusters == 3
    assert made.why["k"] == "7 clusters were asked for, 3 came out: 3 of 30 images differ"


def test_errors_say_what_exists():
    vectors = _random(5)
    with pytest.raises(
        RangeError,
        match="no clustering method 'x'; expected one of kmeans, agglomerative, hdbscan, evoc",
    ):
        cluster(vectors, method="x", seed=0)
    for k in (0, 6):
        with pytest.raises(RangeError, match=f"k is {k}; expected 1 to 5 clusters for 5 images"):
            cluster(vectors, method="kmeans", k=k, seed=0)
    for method in ("hdbscan", "evoc"):
        with pytest.raises(RangeError, match=f"k is 2, but {method} finds the number itself"):
            cluster(vectors, method=method, k=2, seed=0)
    with pytest.raises(RangeError, match=r"fineness is 3; expected -2 \(coarser\) to 2 \(finer\)"):
        cluster(vectors, method="kmeans", fineness=3, seed=0)
    with pytest.raises(RangeError, match="k is 2 and fineness 1: two ways to say the same"):
        cluster(vectors, method="kmeans", k=2, fineness=1, seed=0)
    with pytest.raises(ShapeError, match="expected unit-length rows"):
        cluster(3 * vectors, method="kmeans", seed=0)


def test_numbered_by_size_then_by_row():
    labels = np.array([5, -1, 2, 2, 9, 5, 7, 7, 7])
    assert by_size(labels).tolist() == [1, -1, 2, 2, 3, 1, 0, 0, 0]
    assert by_size(np.array([-1, -1])).tolist() == [-1, -1]
    assert by_size(np.array([], np.int64)).tolist() == []


def test_few_images_are_reduced_without_umap_and_it_says_why():
    why = "40 different images: below 100 a UMAP says little"
    reduced = reduce_for_clustering(_random(40), seed=0)
    assert reduced.points.shape == (40, 39)
    assert reduced.meta == {"space": "pca", "components": 39, "distinct": 40, "why": why}
    vectors = _random(40, dimension=12)
    reduced = reduce_for_clustering(np.vstack([vectors, vectors]), seed=0)
    assert reduced.points.tolist() == np.vstack([vectors, vectors]).tolist()
    assert reduced.meta == {"space": "vectors", "components": 12, "distinct": 40, "why": why}


@pytest.mark.slow
def test_many_images_are_reduced_as_published():
    reduced = reduce_for_clustering(_random(120), seed=0)
    assert reduced.points.shape == (120, 50)
    assert reduced.meta["space"] == "umap"
    assert (reduced.meta["n_neighbors"], reduced.meta["min_dist"]) == (30, 0)
    vectors = _random(120, dimension=8)
    reduced = reduce_for_clustering(np.vstack([vectors, vectors[:50]]), seed=0)
    assert reduced.points.shape == (170, 8)
    assert reduced.points[120:].tolist() == reduced.points[:50].tolist()
    assert np.isfinite(reduced.points).all()


@pytest.mark.parametrize("method", SMALL)
def test_more_images_than_a_method_takes_at_once(method: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(methods, "HDBSCAN_POINTS", 50)
    monkeypatch.setattr(methods, "WARD_POINTS", 50)
    monkeypatch.setattr(methods, "MINIBATCH_ABOVE", 50)
    monkeypatch.setattr(space, "SILHOUETTE_POINTS", 40)
    monkeypatch.setattr(reruns, "POINTS", 40)
    vectors, kinds = _blobs((50, 30, 18))
    made = cluster(vectors, method=method, seed=0)
    assert adjusted_rand_score(kinds, made.labels) >= 0.95
    assert made.silhouette > 0.5
    assert made.stability > 0.9
    assert made.stability_images == 40
    if method != "kmeans":
        assert made.parameters["fitted_on"] == 50
        assert "it ran on 50 of 98 drawn at random" in made.why["sample"]


def test_chance_clusters_are_called_unstable():
    made = cluster(_random(60), method="kmeans", k=6, seed=0)
    assert made.stability < 0.5
    assert made.silhouette < 0.2
    assert made.verdict.word == "nothing"


def test_a_clustering_comes_back_as_it_was(tmp_path: Path):
    vectors, _ = _blobs((12, 8))
    made = cluster(vectors, method="kmeans", seed=2)
    ids = [f"image {number}" for number in range(20)]
    save_clustering(tmp_path / "c.parquet", made, ids, "fingerprint-2")
    stored = load_clustering(tmp_path / "c.parquet")
    assert stored.ids == ids
    assert stored.labels.dtype == np.int32
    assert stored.labels.tolist() == made.labels.tolist()
    expected = describe_fields(made) | {
        "kind": "clustering",
        "parameters": made.parameters,
        "fingerprint": "fingerprint-2",
        "points": 20,
    }
    assert stored.meta == json.loads(json.dumps(expected))
    assert set(describe_fields(made)) >= {
        "method", "clusters", "noise", "noise_share", "silhouette", "stability", "why", "seconds",
        "cluster_stability", "verdict", "verdict_sentence",
    }  # fmt: skip


def test_a_clustering_of_nothing_has_no_share_and_comes_back(tmp_path: Path):
    made = cluster(_random(0), method="kmeans", seed=0)
    assert (made.clusters, made.noise, made.noise_share) == (0, 0, None)
    save_clustering(tmp_path / "c.parquet", made, [], "f")
    assert load_clustering(tmp_path / "c.parquet").labels.shape == (0,)


def test_a_clustering_that_is_not_there_or_not_one(tmp_path: Path):
    with pytest.raises(NotFoundError, match="build it first"):
        load_clustering(tmp_path / "c.parquet")
    save_result(tmp_path / "c.parquet", {"id": ["a"], "x": np.zeros(1)}, {})
    with pytest.raises(WorkspaceError, match="no column cluster"):
        load_clustering(tmp_path / "c.parquet")
    made = Clustering(np.zeros(2, np.int32), "kmeans", {}, None, None)
    with pytest.raises(ShapeError, match="3 ids for 2 labels; expected one each"):
        save_clustering(tmp_path / "c.parquet", made, ["a", "b", "c"], "f")
