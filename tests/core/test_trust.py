"""Figures of trust, counted by hand, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from core import trust, trust_words
from core.errors import ShapeError
from core.trust import Stability, verdict

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1])


def test_each_cluster_has_its_best_jaccard_index():
    rows = np.arange(10)
    again = np.array([5, 5, 5, -1, 2, 2, 3, 3, -1, -1])
    found = trust.stability(LABELS, [(rows, LABELS), (rows, again)])
    assert found.clusters == [pytest.approx((1 + 3 / 4) / 2), pytest.approx((1 + 2 / 4) / 2)]
    assert found.high == 1
    assert found.low < found.mean < 1


def test_a_cluster_that_no_run_saw_has_no_figure():
    found = trust.stability(LABELS, [(np.arange(4), np.array([0, 0, 1, 1]))])
    assert found.clusters == [0.5, None]


STABLE = Stability(0.9, 0.8, 1.0, [0.9, 0.8])


@pytest.mark.parametrize(
    ("changes", "word", "said"),
    [
        ({}, "trust", "can be trusted"),
        ({"stable": None}, "nothing", "too few images"),
        ({"stable": Stability(0.3, 0.2, 0.4, [0.9, 0.8])}, "nothing", "other groups come out"),
        ({"stable": Stability(0.9, 0.8, 1.0, [0.4, 0.3])}, "nothing", "other groups come out"),
        ({"shapeless": 0.58}, "nothing", "without any groups"),
        ({"shapeless": None}, "trust", "can be trusted"),
        ({"shapeless": 0.5}, "partly", "hardly stand apart"),
        ({"stable": Stability(0.6, 0.5, 0.7, [0.9, 0.6])}, "partly", "1 of 2 groups hold"),
        ({"labels": np.repeat([0, 1, -1], [3, 2, 5])}, "partly", "50% of the images fit no group"),
        ({"labels": np.zeros(5, int)}, "nothing", "all is one group"),
        ({"labels": np.full(5, -1)}, "nothing", "no groups were found"),
    ],
)
def test_the_rule(changes: dict, word: str, said: str):
    given = {"labels": LABELS, "stable": STABLE, "silhouette": 0.6, "shapeless": 0.2, **changes}
    found = verdict(given.pop("labels"), **given)
    assert found.word == word
    assert said in found.sentence


def test_clusters_against_labels():
    found = trust.against_labels(np.array([0, 0, 1, 1, 2]), ["a", "a", "b", "b", None])
    assert (found["ami"], found["homogeneity"], found["completeness"]) == (1, 1, 1)
    assert (found["images"], found["labels"]) == (4, 2)
    assert [told.value for told in trust_words.labels_told(found)] == ["1.00"] * 3
    split = trust.against_labels(np.array([0, 1, 2, 3]), ["a", "a", "b", "b"])
    assert split["homogeneity"] == 1
    assert split["completeness"] == pytest.approx(0.5)
    assert trust.against_labels(np.array([0]), [None])["why"] == "no image has a label"
    assert trust_words.labels_told(trust.against_labels(np.array([0]), [None])) == []
    with pytest.raises(ShapeError, match="1 labels for 2 images"):
        trust.against_labels(np.array([0, 1]), ["a"])


def test_agreement_of_nothing_is_none():
    none = np.array([], np.int64)
    found = trust.agreement(none, none)
    assert found == {"ari": None, "ami": None, "images": 0}
    assert "No image is in both" in trust_words.agreement_told(found, "other").sentence


def test_what_is_said():
    meta = {
        "noise_share": 0.41, "silhouette": 0.58, "rerun_silhouette": 0.5,
        "shapeless_silhouette": 0.37, "stability": 0.87,
        "stability_low": 0.75, "stability_high": 0.92, "cluster_stability": [0.9, 0.3, None],
        "points": 1000, "stability_images": 800,
    }  # fmt: skip
    noise, silhouette, stability, clusters = trust_words.figures(meta)
    assert (noise.value, noise.sentence) == ("41 %", "About 4 in 10 images fit no group.")
    assert "well apart" in silhouette.sentence
    assert "again it is 0.50, and 0.37 in one shapeless cloud" in silhouette.sentence
    assert stability.value == "0.87 (0.75 to 0.92)"
    assert clusters.value == "1 of 3"
    assert clusters.sentence == "Cluster 1 falls apart when 20 % of the images are left out."
    missing = trust_words.figures({"why": {"stability": "3 images: stability needs at least 10"}})
    assert missing[-1].sentence == "It cannot be measured: 3 images: stability needs at least 10."
