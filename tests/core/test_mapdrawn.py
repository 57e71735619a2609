"""A map as it is drawn: what travels to the browser, all of it or a sample, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from core import analysis
from core.columns import columns
from core.errors import NotFoundError, ShapeError
from core.filtering import Filter
from core.library import Library
from core.mapdata import OUTSIDE, MapData, map_data
from core.mapdrawn import EXTRAS, Drawn, drawn, held, points, region, shades, some, within
from core.mapwire import bitmap
from core.settings import Settings
from tests.core.prepared import IDS, IMAGES, prepared

Draw = Callable[..., Drawn]


@pytest.fixture
def draw(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Draw]:
    """`draw(colour=, only=, limit=)` of a small collection that has labels, a map, clusters."""
    prepared(tmp_path_factory, settings.workspace)
    library = Library.open(settings)
    view = library.vectors(library.catalogue.collection("run"))
    analysis.make_map(library, view, method="pca", seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0)
    data, known = map_data(library, view, method="pca"), columns(library, view)

    def make(colour: str = "label", **how: Any) -> Drawn:
        return drawn(library, view, data, known, colour=colour, **how)

    yield make
    library.close()


@dataclass
class Answer:
    """What a browser reads of an answer."""

    header: dict[str, Any]
    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    rows: list[int] | None
    bits: np.ndarray | None


def read(body: bytes, *, rows: bool = False) -> Answer:
    size = int.from_bytes(body[:4], "little")
    assert (4 + size) % 4 == 0
    header, start = json.loads(body[4 : 4 + size]), 4 + size
    m = header["drawn"]

    def take(kind: str, length: int) -> np.ndarray:
        nonlocal start
        assert start % 4 == 0
        array = np.frombuffer(body, kind, length, start)
        start += -(-array.nbytes // 4) * 4
        return array

    x, y, group = take("<f4", m), take("<f4", m), take("<u2", m)
    numbers = take("<u4", m).tolist() if rows else None
    bits = take("u1", -(-header["n"] // 8)) if "selected" in header else None
    assert start == len(body)
    return Answer(header, x, y, group, numbers, bits)


def many(n: int = 20_000, limit: int = 2_000, **how: Any) -> Drawn:
    """A large map: two thick groups, one thin, two of ten points; half a per cent labelled."""
    rng = np.random.default_rng(7)
    codes = np.concatenate([np.arange(20) % 2 + 3, rng.choice(3, n - 20, p=[0.6, 0.3, 0.1])])
    place = rng.normal(size=(n, 2)).astype(np.float32)
    groups = [
        {"name": f"g{g}", "colour": "#000000", "count": int((codes == g).sum())} for g in range(5)
    ]
    labels = np.where(rng.random(n) < 0.005, 0, -1)
    clusters = rng.choice([-2, -1, 5, 6], n, p=[0.5, 0.005, 0.4, 0.095])
    data = MapData("r", [f"i{row}" for row in range(n)], place, 0, {}, np.arange(n))
    made = Drawn(data, groups, codes, clusters, labels, "a note", limit)
    return replace(made, **how)


def test_a_small_map_is_all_there(draw):
    of = draw()
    told = read(points(of))
    assert not of.sampled
    counted = {key: told.header[key] for key in ("n", "passing", "drawn", "shown")}
    assert counted == dict.fromkeys(counted, IMAGES)
    assert told.header["groups"] == of.groups
    assert np.array_equal(np.column_stack([told.x, told.y]), of.data.coordinates)
    assert told.group.tolist() == of.codes.tolist()
    assert told.header["x"] == [told.x.min(), told.x.max()]
    assert told.header["y"] == [told.y.min(), told.y.max()]
    with pytest.raises(NotFoundError):
        draw("magic")


def test_points_say_who_does_not_pass(draw):
    told = read(points(draw(only=Filter.of(label="Copepod"))))
    assert (told.header["n"], told.header["passing"], told.header["shown"]) == (IMAGES, 10, 10)
    assert [g["name"] for g in told.header["groups"]] == ["Copepod"]
    assert int((told.group == OUTSIDE).sum()) == 10
    nobody = read(points(draw(only=Filter.of(label="Copepod", size_min=1e9))))
    assert (nobody.header["groups"], nobody.header["passing"]) == ([], 0)
    assert (nobody.group == OUTSIDE).all()


def test_a_sample_of_a_small_collection_knows_its_labels_and_clusters(draw):
    of = draw(limit=10)
    told = read(points(of), rows=True)
    assert of.sampled and (told.header["n"], told.header["drawn"]) == (IMAGES, 10)
    assert told.rows == of.rows.tolist()
    assert np.array_equal(np.column_stack([told.x, told.y]), of.data.coordinates[told.rows])
    assert of.labels.min() == 0 and sorted(set(of.clusters.tolist())) == [0, 1]
    assert {of.groups[g]["name"] for g in told.group} == {"Copepod", "Detritus"}


def test_a_sample_has_all_that_is_rare():
    of = many()
    there = set(of.rows.tolist())
    assert len(there) == 2_000 and of.rows.tolist() == sorted(there)
    for rare in (of.codes >= 3, of.labels >= 0, of.clusters == -1):
        assert set(np.flatnonzero(rare)) <= there
    assert np.array_equal(of.rows, many().rows)


def test_what_does_not_pass_gives_way_in_a_sample():
    plain = many()
    codes = np.where(np.arange(20_000) % 4 == 0, plain.codes, OUTSIDE)  # 5,000 pass
    told = read(points(many(codes=codes)), rows=True)
    assert told.header["passing"] == 5_000
    assert told.header["drawn"] == 2_000
    assert told.header["shown"] == 1_800  # a tenth of the places is for the others
    few = np.where(np.arange(20_000) % 40 == 0, plain.codes, OUTSIDE)  # 500 pass: all are drawn
    told = read(points(many(codes=few)), rows=True)
    assert (told.header["shown"], told.header["drawn"]) == (500, 2_000)


def test_a_region_is_drawn_in_full():
    of = many()
    place = of.data.coordinates
    there = (np.abs(place - (0.5, 0.0)) <= 0.2).all(axis=1)
    told = read(region(of, (0.7, 0.3), (-0.2, 0.2)), rows=True)
    assert told.rows == np.flatnonzero(there).tolist()
    assert told.header["of"] == told.header["shown"] == there.sum()
    wide = read(region(of, (-9, 9), (-9, 0)), rows=True)  # still too many
    assert (wide.header["of"], wide.header["drawn"]) == ((place[:, 1] <= 0).sum(), 2_000)
    assert (wide.y <= 0).all()
    none = read(region(of, (50, 60), (50, 60)), rows=True)
    assert (none.rows, none.header["of"]) == ([], 0)
    with pytest.raises(ShapeError):
        region(of, (0, 1), (0, 1, 2))


def test_single_points_are_told():
    of = many()
    told = read(some(of, [19_999, 3, -1, 20_000]), rows=True)
    assert told.rows == [19_999, 3]
    assert told.group.tolist() == of.codes[[19_999, 3]].tolist()


def test_a_selection_comes_as_bits_and_what_the_sample_lacks():
    of = many()
    rows = [19_999, 4, 4, 7_000, 12_345, -5, 999_999]
    told = read(held(of, rows), rows=True)
    assert told.header["selected"] == 4
    assert np.flatnonzero(np.unpackbits(told.bits, bitorder="little")).tolist() == [
        4, 7_000, 12_345, 19_999,
    ]  # fmt: skip
    assert told.rows == sorted({4, 7_000, 12_345, 19_999} - set(of.rows.tolist()))
    whole = read(held(many(limit=20_000), rows), rows=True)
    assert (whole.rows, whole.header["selected"]) == ([], 4)


def test_a_selection_of_very_many_brings_a_part():
    of = many(n=60_000)
    told = read(held(of, np.arange(60_000)), rows=True)
    assert told.header["selected"] == 60_000
    assert len(set(told.rows)) == EXTRAS
    assert not set(told.rows) & set(of.rows.tolist())
    assert len(held(of, np.arange(60_000))) < 320_000


def test_a_lasso_finds_what_is_not_drawn():
    of = many()
    place = of.data.coordinates
    box = (np.abs(place) <= 0.5).all(axis=1)
    square = ([-0.5, 0.5, 0.5, -0.5], [-0.5, -0.5, 0.5, 0.5])
    rows = within(of, [-0.5, 0.5], [0.5, -0.5])
    assert rows == np.flatnonzero(box).tolist() == within(of, *square)
    assert set(rows) - set(of.rows.tolist())
    shown = within(of, *square, {"g0", "g3", "nobody"})
    assert shown == np.flatnonzero(box & ~np.isin(of.codes, [0, 3])).tolist()
    passing = many(codes=np.where(of.codes == 1, 1, OUTSIDE))
    assert within(passing, *square) == np.flatnonzero(box & (of.codes == 1)).tolist()
    with pytest.raises(ShapeError, match="at least 2"):
        within(of, [], [])


def test_shades_are_of_all_that_is_shown():
    def read_shades(body: bytes) -> tuple[dict[str, Any], np.ndarray]:
        size = int.from_bytes(body[:4], "little")
        header = json.loads(body[4 : 4 + size])
        length = header["width"] * header["height"]
        return header, np.frombuffer(body, "u1", length, 4 + size)

    plain, every = read_shades(shades(many()))
    assert every.max() == 255
    assert np.array_equal(every, read_shades(shades(many(limit=20_000)))[1])  # sampled or not
    of = many()
    left = of.data.coordinates[:, 0] < 0
    header, half = read_shades(shades(many(codes=np.where(left, of.codes, OUTSIDE))))
    assert header == plain
    assert (half.reshape(header["height"], -1)[:, -header["width"] // 3 :] == 0).all()
    names = [group["name"] for group in of.groups]
    assert read_shades(shades(of, names))[1].max() == 0
    assert not np.array_equal(read_shades(shades(of, ["g0"]))[1], every)


def test_bits_by_hand():
    assert bitmap(17, [0, 3, 8, 16]).tolist() == [0b1001, 1, 1]
    assert bitmap(0, []).tolist() == []


def test_ids_are_found_at_once(draw):
    data = draw().data
    assert [data.row(id) for id in data.ids] == list(range(IMAGES))
    assert data.row("nobody") is None and set(data.ids) == set(IDS)
