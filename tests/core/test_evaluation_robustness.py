"""Pictures turned, lit and cut otherwise, and whether neighbours are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from core.arrays import Rgb, Vectors, unit_rows
from core.encoders.base import Prepared
from core.encoders.card import Card, Identity
from core.encoders.descriptors import Descriptors
from core.errors import ImageError
from core.evaluation.pixels import cost, joined_cost
from core.evaluation.robustness import (
    CHANGES,
    UNCHANGED,
    background,
    examples,
    robustness,
    unknown,
)
from tests.core.tiny_models import drawn


class Brightness:
    """An encoder that sees nothing but how bright a picture is, of each colour."""

    card = Card("brightness", 3, "none", "none", 0, False, "")
    identity = Identity("brightness", "none", 1, 3)

    @property
    def prepare(self) -> Callable[[Rgb], Prepared]:
        return lambda picture: picture.mean(axis=(0, 1))

    def encode(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> Vectors:
        spread = np.linspace(0, np.pi / 2, 3)
        return unit_rows(np.cos(np.stack(prepared).astype(float) / 40 + spread))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError


@pytest.fixture(scope="module")
def pictures() -> list[Rgb]:
    return list(drawn(60, seed=3))


def looked(pictures: list[Rgb], rows: Sequence[int]) -> dict[str, float | None]:
    encoder = Brightness()
    vectors = encoder.encode([encoder.prepare(picture) for picture in pictures])
    found = robustness(
        encoder, vectors, rows, lambda row: pictures[row], um_per_px=[None] * len(rows), seed=0
    )
    assert found.same == pytest.approx(1)
    return {change: figure.value for change, figure in found.kept.items()}


def test_what_an_encoder_does_not_see_keeps_its_neighbours(pictures: list[Rgb]):
    kept = looked(pictures, range(0, 60, 4))
    for change in ("turned by 90 degrees", "mirrored", "upside down"):
        assert kept[change] == 1
    for change in ("brighter by a quarter", "darker by a fifth"):
        value = kept[change]
        assert value is not None
        assert value < 0.8


def test_descriptors_are_hardly_moved_by_mirroring(pictures: list[Rgb]):
    encoder = Descriptors()
    fitted = encoder.fit([encoder.prepare(picture) for picture in pictures])
    vectors = fitted.encode([fitted.prepare(picture) for picture in pictures])
    told: list[int] = []
    found = robustness(
        fitted,
        vectors,
        range(10),
        lambda row: pictures[row],
        um_per_px=[None] * 10,
        seed=0,
        tell=told.append,
    )
    assert (found.images, found.unreadable, found.notes, len(told)) == (10, 0, [], 10)
    assert set(found.kept) == set(CHANGES)
    assert found.kept["mirrored"].value is not None
    assert found.kept["mirrored"].value > 0.85
    assert found.images_per_second is not None


def test_pictures_that_cannot_be_read_are_counted(pictures: list[Rgb]):
    encoder = Brightness()
    vectors = encoder.encode([encoder.prepare(picture) for picture in pictures])

    def read(row: int) -> Rgb:
        if row < 3:
            raise ImageError("x.png", "gone")
        return pictures[row]

    some = robustness(encoder, vectors, range(6), read, um_per_px=[None] * 6, seed=0)
    assert (some.images, some.unreadable) == (3, 3)
    none = robustness(encoder, vectors, range(3), read, um_per_px=[None] * 3, seed=0)
    assert none.kept["mirrored"].why == "none of 3 pictures could be read"
    few = robustness(encoder, vectors[:25], range(3), read, um_per_px=[None] * 3, seed=0)
    assert few.kept["mirrored"].why == "25 images; expected more than 25"


def test_another_encoder_than_the_one_that_made_the_vectors_is_told(pictures: list[Rgb]):
    encoder = Brightness()
    vectors = encoder.encode([encoder.prepare(255 - picture) for picture in pictures])
    found = robustness(
        encoder, vectors, range(9), lambda row: pictures[row], um_per_px=[None] * 9, seed=0
    )
    (note,) = found.notes
    assert "the encoder or its libraries changed" in note


def test_changes_by_hand():
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[2:5, 3:9] = (100, 150, 250)
    assert background(picture) == (0, 0, 0)
    assert CHANGES["turned by 90 degrees"](picture).shape == (20, 10, 3)
    assert (CHANGES["mirrored"](picture)[2:5, 11:17] == (100, 150, 250)).all()
    assert (CHANGES["upside down"](picture)[5:8, 3:9] == (100, 150, 250)).all()
    assert CHANGES["brighter by a quarter"](picture)[3, 4].tolist() == [125, 188, 255]
    assert CHANGES["darker by a fifth"](picture)[3, 4].tolist() == [80, 120, 200]
    padded = CHANGES["more background around"](picture)
    assert padded.shape == (14, 26, 3)
    assert (padded[4:7, 6:12] == (100, 150, 250)).all()
    assert padded.sum() == picture.sum()
    turned = CHANGES["turned by 10 degrees"](picture + 9)
    assert turned.shape[0] > 10
    assert turned[0, 0].tolist() == [9, 9, 9]


def test_examples_are_all_at_one_scale():
    picture = np.full((100, 200, 3), 9, np.uint8)
    picture[10:90, 20:40] = 200
    shown = examples(picture, side=52)
    assert list(shown) == [UNCHANGED, *CHANGES]
    # 100 x 200 with a margin on every side is 130 x 260: a fifth of that
    assert shown["more background around"].shape == (26, 52, 3)
    assert shown[UNCHANGED].shape == shown["mirrored"].shape == (20, 40, 3)
    assert shown["turned by 90 degrees"].shape == (40, 20, 3)
    assert (shown["mirrored"][:, ::-1] == shown[UNCHANGED]).all()
    assert shown["brighter by a quarter"].mean() > shown[UNCHANGED].mean()


def test_small_examples_are_not_enlarged(pictures: list[Rgb]):
    shown = examples(pictures[0], side=1000)
    assert (shown[UNCHANGED] == pictures[0]).all()


def test_costs():
    none = cost("precomputed:notebook", 4, 1_000_000, None, None)
    assert (none["vector_bytes"], none["vectors_mb"], none["download_mb"]) == (16, 16, None)
    assert "its vectors were made elsewhere" in none["why"]["download_mb"]
    gone = cost("descriptors", 185, 10, unknown("not here"), None)
    assert gone["why"]["images_per_second"] == "not here"
    one = {"vector_bytes": 4, "vectors_mb": 1.0, "download_mb": 5, "memory_mb": 9.0}
    fast, slow = {**one, "images_per_second": 60.0}, {**one, "images_per_second": 30.0}
    both = joined_cost([fast, slow])
    assert (both["vector_bytes"], both["download_mb"], both["images_per_second"]) == (8, 10, 20)
    unknown_speed = joined_cost(
        [fast, {**slow, "images_per_second": None, "why": {"images_per_second": "not measured"}}]
    )
    assert unknown_speed["images_per_second"] is None
    assert unknown_speed["why"] == {"images_per_second": "not measured"}
