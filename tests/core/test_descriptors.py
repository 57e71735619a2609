"""The encoder made of measures: its fit, its units, its explanations, what it finds."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import ellipse

from core.arrays import Rgb, check_vectors
from core.encoders.base import FittedEncoder, Prepared
from core.encoders.descriptors import Agreement, Descriptors
from core.encoders.measures import GROUPS, MEASURES
from core.errors import EncoderError, RangeError, ShapeError

CAMERA = Path(__file__).parents[2].parent / "shared" / "data" / "plankton_camera"
WHERE = {each.name: i for i, each in enumerate(MEASURES)}


def blob(seed: int) -> Rgb:
    """An ellipse of chance size, form, light and grain."""
    rng = np.random.default_rng(seed)
    image = np.full((80, 90, 3), 20, np.float64)
    where = ellipse(
        40, 45, *rng.uniform(4, 30, 2), rotation=rng.uniform(0, math.pi), shape=image.shape
    )
    image[where] += rng.uniform(40, 160, 3)
    image[where] += rng.normal(0, rng.uniform(1, 20), (len(where[0]), 1))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def raw() -> list[Prepared]:
    prepare = Descriptors().prepare
    return [prepare(blob(seed)) for seed in range(60)]


@pytest.fixture(scope="module")
def fitted(raw: list[Prepared]) -> Descriptors:
    return Descriptors().fit(raw)


def larger(prepared: Prepared, factor: float) -> Prepared:
    """The measures of the same organism in `factor` times as many pixels."""
    power = np.array([each.power for each in MEASURES])
    return (prepared * factor**power).astype(np.float32)


def test_it_stands_behind_the_protocol(fitted: Descriptors):
    assert isinstance(fitted, FittedEncoder)
    assert pickle.loads(pickle.dumps(fitted.prepare)) is fitted.prepare
    assert fitted.card.dimension == fitted.identity.dimension == len(MEASURES)
    assert fitted.identity.weights == "none"
    assert fitted.card.download_mb == 0


def test_unfitted_it_measures_and_says_what_is_missing(raw: list[Prepared]):
    encoder = Descriptors()
    assert not encoder.fitted
    assert encoder.identity.fit is None
    for call in (
        lambda: encoder.encode(raw),
        encoder.fit_as_json,
        lambda: encoder.compare(raw[0], raw[1]),
    ):
        with pytest.raises(EncoderError, match="not fitted to a collection yet; call fit"):
            call()


def test_it_reads_no_text(fitted: Descriptors):
    with pytest.raises(EncoderError, match="do not read text; use an openclip encoder"):
        fitted.encode_text(["a copepod"])


def test_fitting_leaves_the_first_encoder_alone(raw: list[Prepared]):
    first = Descriptors()
    assert first.fit(raw).fitted
    assert not first.fitted


def test_the_fit_is_the_same_every_time(raw: list[Prepared], fitted: Descriptors):
    again = Descriptors().fit(raw)
    assert again.identity == fitted.identity
    assert again.fit_as_json() == fitted.fit_as_json()


def test_the_fit_survives_json(raw: list[Prepared], fitted: Descriptors):
    read = Descriptors(json.loads(json.dumps(fitted.fit_as_json(), allow_nan=False)))
    assert read.identity == fitted.identity
    assert np.array_equal(read.encode(raw), fitted.encode(raw))


def test_another_fit_is_another_identity(raw: list[Prepared], fitted: Descriptors):
    other = Descriptors().fit(raw[:40])
    assert other.identity != fitted.identity
    assert replace(other.identity, fit=fitted.identity.fit) == fitted.identity


def test_a_row_does_not_depend_on_its_batch(raw: list[Prepared], fitted: Descriptors):
    together = fitted.encode(raw)
    apart = np.concatenate([fitted.encode([row]) for row in raw])
    assert np.array_equal(together, apart)
    check_vectors(together, rows=60, dimension=len(MEASURES))
    assert fitted.encode([]).shape == (0, len(MEASURES))


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_images_are_enough_to_fit(raw: list[Prepared], n: int):
    encoder = Descriptors().fit(raw[:n])
    check_vectors(encoder.encode(raw), rows=60, dimension=len(MEASURES))


def test_identical_images_and_odd_ones_are_fitted(raw: list[Prepared]):
    prepare = Descriptors().prepare
    odd = [prepare(np.zeros((1, 1, 3), np.uint8)), prepare(np.full((9, 9, 3), 255, np.uint8))]
    encoder = Descriptors().fit([raw[0]] * 8 + odd)
    vectors = encoder.encode([raw[0], raw[0], *odd])
    check_vectors(vectors)
    assert np.array_equal(vectors[0], vectors[1])


def test_turned_and_moved_it_stays_nearest_to_itself(raw: list[Prepared], fitted: Descriptors):
    vectors = fitted.encode(raw)
    for seed in range(0, 60, 6):
        image = blob(seed)
        moved = np.full((140, 130, 3), 20, np.uint8)
        moved[35:115, 10:100] = image
        for changed in (np.rot90(image), image[::-1], moved):
            prepared = fitted.prepare(np.ascontiguousarray(changed))
            similarity = vectors @ fitted.encode([prepared])[0]
            assert similarity.argmax() == seed
            assert similarity.max() > 0.9


def test_nothing_to_fit_on_is_refused():
    with pytest.raises(EncoderError, match="no image to fit on"):
        Descriptors().fit([])


def test_wrong_measures_are_refused(raw: list[Prepared], fitted: Descriptors):
    with pytest.raises(ShapeError, match=r"measures are \(7,\); expected"):
        fitted.encode([raw[0], np.zeros(7, np.float32)])
    with pytest.raises(ShapeError, match="NaN or infinite"):
        fitted.encode([np.full(len(MEASURES), np.nan, np.float32)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preprocessing": 0}, "measures version 0; this is version"),
        ({"centre": [0.0]}, "measures version"),
        ({"mix": {}}, "cannot be read"),
        ({"mix": {group: [[1.0]] for group in GROUPS}}, "measures version"),
    ],
)
def test_a_fit_of_other_measures_is_refused(
    fitted: Descriptors, change: dict[str, object], message: str
):
    with pytest.raises(EncoderError, match=message):
        Descriptors({**fitted.fit_as_json(), **change})


# Units


def test_one_unknown_pixel_size_puts_the_fit_in_pixels(raw: list[Prepared]):
    known = [2.0] * 60
    assert Descriptors().fit(raw, um_per_px=known).unit == "um"
    assert Descriptors().fit(raw, um_per_px=[*known[1:], None]).unit == "px"
    assert Descriptors().fit(raw).unit == "px"


def test_in_pixels_pixel_sizes_are_ignored(raw: list[Prepared], fitted: Descriptors):
    assert np.array_equal(fitted.encode(raw, um_per_px=[3.0] * 60), fitted.encode(raw))


def test_in_micrometres_magnification_does_not_matter(raw: list[Prepared]):
    encoder = Descriptors().fit(raw, um_per_px=[2.0] * 60)
    finer = [larger(row, 4) for row in raw]
    same = encoder.encode(finer, um_per_px=[0.5] * 60)
    assert same == pytest.approx(encoder.encode(raw, um_per_px=[2.0] * 60), abs=1e-5)
    other = encoder.encode(raw, um_per_px=[8.0] * 60)
    assert np.einsum("ij,ij->i", same, other).max() < 0.999


def test_an_unknown_pixel_size_is_taken_to_be_the_median_of_the_fit(raw: list[Prepared]):
    sizes = [1.0] * 20 + [2.0] * 21 + [9.0] * 19
    encoder = Descriptors().fit(raw, um_per_px=sizes)
    assert encoder.fit_as_json()["um_per_px"] == 2
    assert np.array_equal(encoder.encode(raw), encoder.encode(raw, um_per_px=[2.0] * 60))


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_pixel_size_is_refused(raw: list[Prepared], size: float):
    with pytest.raises(RangeError, match="expected a positive number or none"):
        Descriptors().fit(raw[:2], um_per_px=[1.0, size])


def test_pixel_sizes_are_one_an_image(raw: list[Prepared]):
    with pytest.raises(ShapeError, match="1 pixel sizes for 2 images"):
        Descriptors().fit(raw[:2], um_per_px=[1.0])


# Explanations


def found(agreements: list[Agreement], name: str) -> Agreement:
    return next(each for each in agreements if each.name == name)


def test_compare_tells_what_differs_and_by_how_much(raw: list[Prepared]):
    encoder = Descriptors().fit(raw, um_per_px=[2.0] * 60)
    twice = raw[0].copy()
    twice[WHERE["ESD"]] *= 2
    agreements = encoder.compare(raw[0], twice, um_per_px=(2.0, 2.0))
    first = agreements[0]
    spread = encoder.fit_as_json()["spread"][WHERE["ESD"]]
    assert (first.name, first.unit) == ("ESD", "µm")
    assert first.a == pytest.approx(2 * raw[0][WHERE["ESD"]])
    assert first.b == pytest.approx(4 * raw[0][WHERE["ESD"]])
    assert first.difference == pytest.approx(math.log(2) / spread, rel=1e-4)
    assert first.contribution == max(each.contribution for each in agreements)
    assert all(each.difference == 0 for each in agreements[1:])
    assert {each.name for each in agreements} == {each.name for each in MEASURES if each.readable}


def test_contributions_are_shares_of_the_distance(raw: list[Prepared], fitted: Descriptors):
    agreements = fitted.compare(raw[3], raw[8])
    assert 0 < sum(each.contribution for each in agreements) < 1
    assert all(each.contribution >= 0 for each in agreements)
    u, v = fitted.encode([raw[3], raw[8]]).astype(np.float64)
    column = WHERE["ESD"]
    share = (u - v)[column] ** 2 / ((u - v) ** 2).sum()
    assert found(agreements, "ESD").contribution == pytest.approx(share, rel=1e-6)


def test_what_is_unusual_in_both_is_told(raw: list[Prepared], fitted: Descriptors):
    fit = fitted.fit_as_json()
    column = WHERE["solidity"]
    rows = []
    for deviations in (2.0, 3.0, -1.0):
        row = raw[0].copy()
        row[column] = fit["centre"][column] + deviations * fit["spread"][column]
        rows.append(row)
    unusual, difference = (
        [getattr(found(fitted.compare(rows[0], other), "solidity"), field) for other in rows]
        for field in ("unusual", "difference")
    )
    assert unusual == pytest.approx([2, 2, 0], abs=1e-3)
    assert difference == pytest.approx([0, 1, -3], abs=1e-3)


def test_an_image_agrees_with_itself(raw: list[Prepared], fitted: Descriptors):
    for each in fitted.compare(raw[3], raw[3]):
        assert (each.difference, each.contribution) == (0, 0)
        assert each.a == each.b
    assert found(fitted.compare(raw[3], raw[4]), "ESD").unit == "px"


def test_compare_takes_each_image_at_its_own_magnification(raw: list[Prepared]):
    encoder = Descriptors().fit(raw, um_per_px=[2.0] * 60)
    esd = found(encoder.compare(raw[0], larger(raw[0], 4), um_per_px=(2.0, 0.5)), "ESD")
    assert esd.a == pytest.approx(esd.b)
    assert esd.difference == pytest.approx(0, abs=1e-5)


# All the way


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
def test_any_pictures_become_unit_rows(seed: int, n: int):
    rng = np.random.default_rng(seed)
    images = [
        rng.integers(0, rng.integers(1, 257), (*rng.integers(1, 30, 2), 3)).astype(np.uint8)
        for _ in range(n)
    ]
    prepared = [Descriptors().prepare(image) for image in images]
    encoder = Descriptors().fit(prepared, um_per_px=list(rng.uniform(0.1, 50, n)))
    check_vectors(encoder.encode(prepared), rows=n, dimension=len(MEASURES))


def test_it_loads_no_large_library():
    code = "import sys, core.encoders.descriptors; print(*{'torch', 'sklearn'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


@pytest.mark.slow
@pytest.mark.skipif(not CAMERA.is_dir(), reason="the camera images are not beside the project")
def test_it_finds_the_same_label_in_real_images():
    benchmark = Path(__file__).parents[2] / "benchmarks" / "descriptors.py"
    run = subprocess.run(
        [sys.executable, str(benchmark), str(CAMERA), "--untimed"],
        capture_output=True,
        text=True,
        check=True,
    )
    figures = dict(line.rsplit(None, 1) for line in run.stdout.splitlines())
    assert int(figures["images"]) == 1572
    assert float(figures["precision@24"]) >= 0.30
    assert float(figures["5-NN accuracy"]) >= 0.45
