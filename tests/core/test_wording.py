"""Words for clusters: from measures made up for the purpose, of drawn images, of a tiny model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from core.encoders.measures import MEASURES
from core.indexing import index
from core.library import Library
from core.settings import Settings
from core.wording import GUESSES, NAMED, PROMPT, WORDS, Measured, guessed, in_words, measured
from tests.core.conftest import Pictures

USUAL = {
    "ESD": 50.0, "aspect ratio": 0.6, "slenderness": 0.4, "solidity": 0.9, "circularity": 0.6,
    "brighter than background": -20.0, "mean contrast": 20.0, "contrast deviation": 8.0,
    "contrast skew": 0.5, "redness": 0.0, "yellowness": 0.0, "sharpness": 0.2, "parts": 1.0,
    "holes": 0.0, "cut by the frame": 0.0,
}  # fmt: skip
SPREAD = {
    "ESD": 15.0, "brighter than background": 8.0, "mean contrast": 8.0, "contrast deviation": 3.0,
    "contrast skew": 0.5, "redness": 2.0, "yellowness": 2.0, "sharpness": 0.05,
}  # fmt: skip


def spread_of(name: str) -> float:
    return SPREAD.get(name, 0.1)


def collection(n: int = 200, **cluster: Sequence[float] | float) -> Measured:
    """n images of usual measures, the first tenth as `cluster` says."""
    rng = np.random.default_rng(0)
    values = np.stack(
        [USUAL[name] + spread_of(name) * rng.normal(size=n) for name in NAMED], axis=1
    )
    for name, value in cluster.items():
        column = NAMED.index(name.replace("_", " "))
        values[: n // 10, column] = value
    middles = np.array([USUAL[name] for name in NAMED])
    widths = np.array([spread_of(name) for name in NAMED])
    return Measured(values, "µm", lambda some: (some - middles) / widths)


def words(known: Measured, n: int = 20) -> str | None:
    (suggestion,) = in_words(known, [np.arange(n)])
    return None if suggestion is None else suggestion.name


def test_the_table_is_about_measures_there_are():
    there = {measure.name: measure for measure in MEASURES}
    assert set(NAMED) <= set(there)
    assert all(there[name].readable for name in NAMED)
    assert set(USUAL) == set(NAMED)
    assert len({word.word for word in WORDS}) == len(WORDS)


def test_an_average_cluster_gets_no_words():
    assert words(collection()) is None


def test_the_strongest_three_in_the_order_they_are_read():
    known = collection(ESD=20, aspect_ratio=0.9, brighter_than_background=-60, redness=3)
    assert words(known) == "small, round, dark"
    (suggestion,) = in_words(known, [np.arange(20)])
    assert suggestion is not None
    assert suggestion.basis == "measures"
    assert "ESD 20 and 51 µm" in suggestion.about
    assert "; aspect ratio 0.9 and 0.58; " in suggestion.about


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word.measure} {word.side}")
def test_every_word_can_be_said(word):
    sign = 1 if word.side == "high" else -1
    value = USUAL[word.measure] + sign * 4 * spread_of(word.measure)
    if word.limit is not None and sign * (value - word.limit) < 0:
        value = word.limit + sign * spread_of(word.measure)
    assert words(collection(**{word.measure: value})) == word.word


@pytest.mark.parametrize(
    ("measure", "value"), [("aspect ratio", 0.72), ("aspect ratio", 0.52), ("redness", 2.9)]
)
def test_rounder_than_others_is_not_yet_round(measure: str, value: float):
    assert words(collection(**{measure: value})) is None


def test_a_word_wants_most_of_the_cluster():
    """Its median is large, but four in ten of its images are smaller than the others' median."""
    assert words(collection(ESD=[90] * 12 + [10] * 8)) is None
    assert words(collection(ESD=[90] * 16 + [10] * 4)) == "large"


def test_one_word_of_a_group():
    assert words(collection(aspect_ratio=0.2, slenderness=0.1)) == "elongated"


def test_images_without_measures_are_left_aside():
    known = collection(ESD=20)
    known.values[:5] = np.nan
    known.values[30:60] = np.nan
    assert words(known) == "small"
    known.values[:20] = np.nan
    assert words(known) is None


def test_everything_in_one_cluster_differs_from_nothing():
    assert words(collection(), 200) is None


def test_measures_of_a_collection_are_in_micrometres(settings: Settings, pictures: Pictures):
    library = Library.open(settings)
    folder = str(pictures(12, seed=1))
    index(library, collection="run", source=folder, um_per_px=2.0)
    view = library.vectors(library.catalogue.collection("run"))
    known = measured(library, view)
    assert known is not None
    assert known.unit == "µm"
    assert known.values.shape == (12, len(NAMED))
    index(library, collection="pixels", source=folder)
    view = library.vectors(library.catalogue.collection("pixels"))
    pixels = measured(library, view)
    assert pixels is not None
    assert pixels.unit == "px"
    np.testing.assert_allclose(known.of("ESD"), 2 * pixels.of("ESD"), rtol=1e-5)
    np.testing.assert_allclose(known.of("solidity"), pixels.of("solidity"))
    for some in (known, pixels):  # the collection's own median is where it is centred
        middle = some.centred(np.median(some.values, axis=0)[None])
        assert np.abs(middle).max() < 0.5
    library.close()


def test_a_guess_is_what_a_cluster_is_more_like_than_others():
    axes = np.eye(len(GUESSES) + 1, dtype=np.float32)

    def encode_text(texts: Sequence[str]) -> np.ndarray:
        assert list(texts) == [PROMPT.format(word) for word in GUESSES]
        found = axes[: len(GUESSES)] + axes[-1]  # every text is rather alike
        return (found / np.linalg.norm(found, axis=1)[:, None]).astype(np.float32)

    wanted = [GUESSES.index("a copepod"), GUESSES.index("an air bubble"), GUESSES.index("pollen")]
    centres = axes[wanted] + 2 * axes[3]  # and so is every picture
    found = guessed(centres, encode_text)
    assert [s.name for s in found if s] == ["copepod", "air bubble", "pollen"]
    assert {s.basis for s in found if s} == {"text guess"}
    (alone,) = guessed(axes[wanted[:1]], encode_text)
    assert alone is not None
    assert alone.name == "copepod"
