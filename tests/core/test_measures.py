"""What `measure` makes of drawn shapes whose size, form and light are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.draw import disk, ellipse, polygon

from core.arrays import Rgb
from core.encoders.descriptors import describe
from core.encoders.foreground import SIDE, foreground
from core.encoders.measures import GROUPS, MEASURES, measure
from core.errors import RangeError, ShapeError

FORM = [each.name for each in MEASURES if each.group in ("size", "shape", "outline")]
WHERE = {each.name: i for i, each in enumerate(MEASURES)}


def picture(*shapes: tuple, side: int = 120, on: int = 0, off: int = 200) -> Rgb:
    """Each shape, given by its pixels, in light `off` on a field of light `on`."""
    grey = np.full((side, side), on, np.uint8)
    for shape in shapes:
        grey[shape] = off
    return np.repeat(grey[..., None], 3, axis=2)


def copepod(scale: float = 1.0, side: int = 120, shift: tuple[int, int] = (0, 0)) -> Rgb:
    """A body with an antenna and a darker gut: unlike itself mirrored or turned."""
    middle = side / 2 + np.array(shift)
    body = ellipse(*middle, 12 * scale, 26 * scale)
    horn = polygon(
        middle[0] + np.array([-8, -34, -32, -6]) * scale,
        middle[1] + np.array([14, 24, 28, 22]) * scale,
    )
    image = picture(body, horn, side=side)
    image[disk(middle + np.array([2, -6]) * scale, 6 * scale)] = (120, 90, 60)
    return image


def value(image: Rgb, name: str) -> float:
    return float(measure(image)[WHERE[name]])


def test_every_measure_has_its_own_name_and_its_group_lies_together():
    assert len({each.name for each in MEASURES}) == len(MEASURES)
    for group, where in GROUPS.items():
        assert {each.group for each in MEASURES[where]} == {group}
    assert sum(where.stop - where.start for where in GROUPS.values()) == len(MEASURES)
    assert all(each.about for each in MEASURES if each.readable)


@pytest.mark.parametrize("radius", [10, 20, 40])
def test_a_disc_is_as_large_as_it_was_drawn(radius: int):
    seen = describe(measure(picture(disk((60, 60), radius))))
    assert seen["ESD"] == (pytest.approx(2 * radius, rel=0.05), "px")
    assert seen["major axis"][0] == pytest.approx(2 * radius, rel=0.05)
    assert seen["largest caliper"][0] == pytest.approx(2 * radius, abs=1.5)  # pixels' corners
    assert seen["thickness"][0] == pytest.approx(2 * radius, rel=0.1)
    assert seen["perimeter"][0] == pytest.approx(2 * math.pi * radius, rel=0.06)
    assert seen["area"] == (pytest.approx(math.pi * radius**2, rel=0.1), "px²")
    assert seen["aspect ratio"][0] == pytest.approx(1, abs=0.03)
    assert seen["solidity"][0] > 0.93
    assert seen["circularity"][0] > 0.9
    assert (seen["holes"], seen["parts"]) == ((0, "holes"), (1, "parts"))


def test_an_ellipse_has_its_axes_however_it_lies():
    for turn in np.linspace(0, math.pi, 7):
        seen = describe(measure(picture(ellipse(60, 60, 15, 45, rotation=turn))))
        assert seen["major axis"][0] == pytest.approx(90, rel=0.03)
        assert seen["minor axis"][0] == pytest.approx(30, rel=0.05)
        assert seen["largest caliper"][0] == pytest.approx(90, rel=0.04)
        assert seen["smallest caliper"][0] == pytest.approx(30, rel=0.1)
        assert seen["aspect ratio"][0] == pytest.approx(1 / 3, abs=0.02)
        assert seen["eccentricity"][0] == pytest.approx(math.sqrt(8) / 3, abs=0.01)


def test_a_square_counted_by_hand():
    rows = np.arange(40, 60)
    raw = measure(picture(np.ix_(rows, rows)))
    # smoothing by 0.7 px takes the corner pixels off, which are less than half covered
    assert raw[WHERE["area"]] == pytest.approx(400, abs=8)
    assert raw[WHERE["smallest caliper"]] == pytest.approx(20, abs=0.5)
    assert raw[WHERE["largest caliper"]] == pytest.approx(20 * math.sqrt(2), abs=1.5)
    assert raw[WHERE["spread"]] == pytest.approx(1 / 6, abs=0.005)
    assert raw[WHERE["mean contrast"]] == pytest.approx(100 * 200 / 255, abs=2)
    assert raw[WHERE["cut by the frame"]] == 0


def test_twice_as_large_has_twice_the_lengths():
    small, large = measure(copepod(1)), measure(copepod(2, side=240))
    for each in MEASURES:
        if each.power:
            ratio = large[WHERE[each.name]] / small[WHERE[each.name]]
            assert ratio == pytest.approx(2**each.power, rel=0.05 * each.power), each.name
    shapes = GROUPS["shape"]
    assert large[shapes] == pytest.approx(small[shapes], abs=0.35)
    assert large[WHERE["solidity"]] == pytest.approx(small[WHERE["solidity"]], abs=0.02)


def test_a_picture_too_large_to_measure_as_it_is_keeps_its_size():
    factor = 8
    small = picture(disk((60, 60), 30))
    large = small.repeat(factor, axis=0).repeat(factor, axis=1)
    assert len(large) > 2 * SIDE
    assert value(large, "ESD") == pytest.approx(factor * value(small, "ESD"), rel=0.03)
    assert value(large, "area") == pytest.approx(factor**2 * value(small, "area"), rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.rot90(image),
        lambda image: np.rot90(image, 2),
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
    ],
)
def test_turning_and_mirroring_change_no_measure(change: Callable[[Rgb], Rgb]):
    before = measure(copepod())
    after = measure(np.ascontiguousarray(change(copepod())))
    for i, each in enumerate(MEASURES):
        # a pattern's ties fall by rounding: a few pixels change bins where it is small
        allowed = 0.06 if each.group == "texture" else 0.1 * each.usual
        assert after[i] == pytest.approx(before[i], abs=allowed, rel=0.01), each.name


def test_moving_it_changes_nothing():
    assert measure(copepod(shift=(17, -12))) == pytest.approx(measure(copepod()), abs=1e-3)


def test_dark_and_bright_field_have_one_form():
    bright, dark = measure(copepod()), measure(255 - copepod())
    for name in FORM:
        assert dark[WHERE[name]] == pytest.approx(bright[WHERE[name]], abs=1e-4), name
    assert bright[WHERE["brighter than background"]] > 10
    assert dark[WHERE["brighter than background"]] < -10
    assert bright[WHERE["mean contrast"]] == pytest.approx(dark[WHERE["mean contrast"]], abs=0.01)


def test_colour_is_told_from_the_background():
    red = picture(disk((60, 60), 20))
    red[disk((60, 60), 20)] = (200, 40, 40)
    blue = red[..., ::-1].copy()
    assert value(red, "redness") > 30
    assert value(blue, "yellowness") < -30 < 10 < value(red, "yellowness")
    assert value(picture(disk((60, 60), 20)), "colourfulness") == pytest.approx(0, abs=0.1)
    assert value(picture(on=255), "background lightness") == pytest.approx(100, abs=0.1)


def test_holes_and_parts_are_counted_and_specks_are_not():
    ring = picture(disk((60, 60), 30))
    ring[disk((60, 48), 7)] = ring[disk((60, 72), 7)] = 0
    assert value(ring, "holes") == 2
    assert value(ring, "open share") == pytest.approx(2 * 49 / 900, abs=0.02)
    three = picture(disk((30, 30), 12), disk((30, 90), 12), disk((90, 60), 12))
    three[100, 100] = 255
    assert value(three, "parts") == 3


def test_arms_show_as_their_number():
    angle = np.arange(10) * math.pi / 5
    radius = np.where(np.arange(10) % 2, 18, 50)
    star = picture(polygon(60 + radius * np.sin(angle), 60 + radius * np.cos(angle)))
    waves = measure(star)[GROUPS["outline"]][:12]
    assert int(waves.argmax()) + 1 == 5


def test_what_is_cut_off_says_so():
    half = picture(disk((0, 60), 30, shape=(120, 120)))
    assert value(half, "cut by the frame") == pytest.approx(59 / 476, abs=0.01)


def test_out_of_focus_is_less_sharp():
    # a step smoothed by s is A / (2 sqrt(pi) s) steep, weighted by itself; measuring adds 1 px
    for blur in (0, 1, 3):
        blurred = ndimage.gaussian_filter(picture(disk((60, 60), 30)), (blur, blur, 0))
        steep = 1 / (2 * math.sqrt(math.pi) * math.hypot(1, blur))
        assert value(blurred, "sharpness") == pytest.approx(steep, rel=0.15)


def test_edges_of_a_rod_are_aligned_and_those_of_a_disc_are_not():
    rod = picture(np.ix_(np.arange(10, 110), np.arange(57, 63)))
    assert value(rod, "edges aligned at 1 px") > 0.8
    assert value(picture(disk((60, 60), 30)), "edges aligned at 1 px") < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5), (4000, 2)])
@pytest.mark.parametrize("level", [0, 130, 255])
def test_a_constant_picture_has_no_size(shape: tuple[int, int], level: int):
    raw = measure(np.full((*shape, 3), level, np.uint8))
    assert np.isfinite(raw).all()
    assert not raw[GROUPS["size"]].any()
    assert foreground(np.full((*shape, 3), level, np.uint8)).empty


def test_a_very_large_picture_is_measured():
    large = np.zeros((5000, 4000, 3), np.uint8)
    large[1000:4000, 1500:2500] = 180
    raw = measure(large)
    assert raw[WHERE["area"]] == pytest.approx(3e6, rel=0.03)
    assert raw[WHERE["aspect ratio"]] == pytest.approx(1 / 3, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))),
)
def test_any_picture_gives_finite_numbers(image: Rgb):
    raw = measure(image)
    assert raw.shape == (len(MEASURES),)
    assert raw.dtype == np.float32
    assert np.isfinite(raw).all()
    assert (raw[GROUPS["size"]] >= 0).all()


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_not_a_picture_is_refused(wrong: np.ndarray):
    with pytest.raises(ShapeError, match=r"expected uint8 \(h, w, 3\)"):
        measure(wrong)


def test_lengths_are_told_in_micrometres_where_the_pixel_size_is_known():
    raw = measure(copepod())
    px, um = describe(raw), describe(raw, 2.5)
    assert um["ESD"] == (pytest.approx(2.5 * px["ESD"][0]), "µm")
    assert um["area"] == (pytest.approx(6.25 * px["area"][0]), "µm²")
    assert um["solidity"] == px["solidity"]
    with pytest.raises(RangeError, match="pixel size is 0"):
        describe(raw, 0)


def test_a_thin_ring_is_nearly_all_hole_and_still_measured():
    ring = picture(disk((60, 60), 55))
    ring[disk((60, 60), 54)] = 0
    raw = measure(ring)
    assert np.isfinite(raw).all()
    assert raw[WHERE["open share"]] > 0.9
    assert raw[WHERE["holes"]] == 1
