"""What a map shows: groups counted by hand, and what a filter leaves of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core import analysis, editing
from core.clustering import Clustering, save_clustering
from core.columns import Choices, Columns, columns
from core.edits import Merge, Rename
from core.errors import NotFoundError
from core.filtering import Filter, passing
from core.library import Library, View
from core.mapdata import (
    GROUPS,
    NONE,
    OUTSIDE,
    MapData,
    among,
    colourings,
    groups_of,
    map_data,
)
from core.settings import Settings
from tests.core.prepared import IDS, IMAGES, prepared


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    uid = opened.catalogue.collection("run").uid
    rows = {row.id: row for row in opened.catalogue.image_rows(uid)}
    opened.catalogue.put_images(
        uid,
        [
            replace(
                rows[id],
                sample=None if n == 0 else f"cast {n % 2}",
                metadata={
                    "depth_m": n * 10.0, "few": n % 3, "many": f"word {n}", "flag": n > 4,
                    "date": f"2023-05-{n + 1:02d}",
                } | ({"esd_um": n / 2} if n > 5 else {}),
            )
            for n, id in enumerate(IDS)
        ],
    )  # fmt: skip
    analysis.make_map(
        opened, opened.vectors(opened.catalogue.collection("run")), method="pca", seed=0
    )
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


@pytest.fixture
def data(library: Library, view: View) -> MapData:
    return map_data(library, view, method="pca")


@pytest.fixture
def known(library: Library, view: View) -> Columns:
    return columns(library, view)


def number(id: str) -> int:
    return IDS.index(id)


def counted(groups, codes) -> dict[str, int]:
    """name -> count, after a look that the codes say the same."""
    named = {group["name"]: group["count"] for group in groups}
    assert len(named) == len(groups)
    of = Counter(codes.tolist())
    assert [of[n] for n in range(len(groups))] == [group["count"] for group in groups]
    return named


def test_words_flags_and_few_numbers_are_groups_of_their_own(library, view, data, known):
    got = {
        name: counted(*groups_of(library, view, data, known, name))
        for name in ("label", "sample", "meta:few", "meta:flag")
    }
    assert got["label"] == {"Copepod": 10, "Detritus": 10}
    assert got["sample"] == {"cast 1": 10, "cast 0": 9, "none": 1}
    assert got["meta:few"] == {"0": 7, "1": 7, "2": 6}
    assert got["meta:flag"] == {"yes": 15, "no": 5}
    groups, codes = groups_of(library, view, data, known, "sample")
    assert groups[-1]["colour"] == NONE
    assert codes[data.ids.index(IDS[0])] == len(groups) - 1


def test_numbers_and_dates_are_ranges(library, view, data, known):
    groups, codes = groups_of(library, view, data, known, "meta:depth_m")
    assert len(counted(groups, codes)) == 6
    assert groups[0]["name"].startswith("0 to ")
    order = [codes[data.ids.index(id)] for id in IDS]
    assert order == sorted(order)
    groups, codes = groups_of(library, view, data, known, "meta:date")
    assert groups[0]["name"].startswith("2023-05-01 to 2023-05-")
    named = counted(*groups_of(library, view, data, known, "meta:esd_um"))
    assert named["none"] == 6
    assert sum(named.values()) == IMAGES


def test_more_words_than_colours_become_others(library, view, known):
    few = map_data(library, view, method="pca")
    assert len(groups_of(library, view, few, known, "meta:many")[0]) == IMAGES
    wide = replace(few, rows=np.arange(100), ids=[str(n) for n in range(100)])
    words = Choices(np.arange(100, dtype=np.int32), [f"w{n}" for n in range(100)])
    crowded = replace(known, by_name={"many": words})
    groups, codes = groups_of(library, view, wide, crowded, "meta:many")
    assert len(groups) == GROUPS + 1
    assert groups[-1] == {"name": f"{100 - GROUPS} others", "colour": "#70757A", "count": 60}
    assert (codes[GROUPS:] == GROUPS).all()


@pytest.mark.parametrize("wrong", ["magic", "meta:nothing", "size:x", "", "cluster:none"])
def test_what_there_is_not_to_colour_by(library, view, data, known, wrong):
    with pytest.raises(NotFoundError):
        groups_of(library, view, data, known, wrong)


def test_everything_offered_can_be_coloured_by(library, view, data, known):
    offered = colourings(library, view, known)
    assert list(offered)[:3] == ["label", "sample", "size"]
    assert offered["meta:depth_m"] == "depth (m)"
    for colour in offered:
        assert sum(counted(*groups_of(library, view, data, known, colour)).values()) == IMAGES


def test_a_filter_counts_only_what_passes_and_keeps_the_colours(library, view, data, known):
    only = Filter.of(where=["depth_m>=120"])
    passes = passing(known, only)[data.rows]
    for colour in ("label", "meta:few", "size", "sample"):
        every, _ = groups_of(library, view, data, known, colour)
        groups, codes = groups_of(library, view, data, known, colour, passes)
        assert sum(counted(groups, codes[codes != OUTSIDE]).values()) == 8
        assert {(g["name"], g["colour"]) for g in groups} <= {
            (g["name"], g["colour"]) for g in every
        }
        outside = {number(data.ids[row]) for row in np.flatnonzero(codes == OUTSIDE)}
        assert outside == set(range(12))
    assert "none" not in {g["name"] for g in groups}  # image 0 has no sample, and does not pass


def test_a_selection_keeps_what_passes(data, known):
    rows = np.flatnonzero(passing(known, Filter.of(label="Copepod"))).tolist()
    left = among(data, [0, 1, 2, 3], rows)
    assert [data.ids[p] for p in left] == [
        data.ids[p] for p in range(4) if "Copepod" in data.ids[p]
    ]


def test_points_stand_for_rows_of_the_view(library, view):
    library.catalogue.remove_images(view.collection.uid, [IDS[2]])
    data = map_data(library, view, method="pca")
    assert IDS[2] not in data.ids
    assert [view.snapshot.ids[row] for row in data.rows] == data.ids


def test_clusters_are_called_what_people_named_them(library, view, data, known):
    made = Clustering(np.arange(IMAGES, dtype=np.int32) % 3, "kmeans", {}, None, None)
    path = library.workspace.clustering(view.collection.uid, "descriptors", "three")
    save_clustering(path, made, view.snapshot.ids, "")
    before, _ = groups_of(library, view, data, known, "cluster:three")
    editing.edit(library, view, "three", Rename(2, "rods"))
    editing.edit(library, view, "three (edited)", Merge((2, 0)))
    groups, codes = groups_of(library, view, data, known, "cluster:three (edited)")
    assert counted(groups, codes) == {"cluster 1": 7, "rods": 13}
    colours = {group["name"]: group["colour"] for group in before}
    assert [g["colour"] for g in groups] == [colours["cluster 1"], colours["cluster 2"]]
