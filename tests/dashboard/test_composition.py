"""The composition page without a browser: filled, with nothing to count, without samples."""

from __future__ import annotations

import shutil

import pytest

from core.composition import ALL, composed
from core.filtering import Filter
from core.library import View
from dashboard import state
from dashboard.parts import bars
from tests.dashboard.conftest import IDS, IMAGES, Open, buttons, said, without_exception
from tests.dashboard.test_filters import stations

__all__ = ["stations"]


def view() -> View:
    return state.view(state.library().catalogue.collection("run"), None)


def forget_clusterings() -> None:
    here = view()
    shutil.rmtree(state.library().workspace.clusterings(here.collection.uid, here.encoding.encoder))


def forget_labels() -> None:
    from core import labels

    here = view()
    nothing = [labels.Decision(id, None) for id in IDS]
    labels.record(state.library().catalogue, here.collection.uid, nothing, by="me")


def test_bars_and_table_of_each_sample(filled, open_view: Open):
    at = open_view("composition", of="label")
    (figures,) = at.dataframe
    assert figures.value["Sample"].tolist() == ["Copepod", "Detritus"]
    assert figures.value["Images"].tolist() == [15, 15]
    assert figures.value["Copepod"].tolist() == [100.0, 0.0]
    assert figures.value["Shannon"].tolist() == [0, 0]
    assert "natural logarithm" in said(at)
    at = open_view("composition", of="label", **{"as": "count"})
    assert at.dataframe[0].value["Copepod"].tolist() == [15, 0]


def test_clusters_come_first_and_are_said_to_be_no_taxa(filled, open_view: Open):
    at = open_view("composition")
    assert at.selectbox(key="link_clustering").value == "kmeans"
    assert {"cluster 0", "cluster 1", "cluster 2"} <= set(at.dataframe[0].value)
    assert "not taxa" in said(at)


def test_what_is_asked_is_in_the_link(stations, open_view: Open):
    at = open_view("composition", of="label")
    without_exception(at.selectbox(key="link_by").select("station").run())
    assert at.query_params["by"] == "station"
    assert at.dataframe[0].value["Station"].tolist() == ["St 0", "St 1", "St 2"]
    without_exception(at.multiselect(key="composition apart").select("Detritus").run())
    assert at.query_params["apart"] == "Detritus"
    assert at.dataframe[0].value["Richness"].tolist() == [1, 1, 1]
    without_exception(at.number_input(key="composition draw").set_value(3).run())
    assert at.query_params["draw"] == "3"
    assert "Rarefied to 3" in at.dataframe[0].value
    at = open_view("composition", of="label", by="date")
    assert at.dataframe[0].value["Date"].tolist()[0] == "2023-05-01"


def test_the_filter_counts(stations, open_view: Open):
    at = open_view("composition", of="label", by="station", filter="depth_m~10..")
    assert sum(at.dataframe[0].value["Images"]) == IMAGES - 10
    at = open_view("composition", filter="label:Copepod;date~2023-06-01..")
    assert "No image passes the filter" in said(at)


def test_nothing_to_count_offers_to_find_groups(filled, open_view: Open):
    forget_clusterings()
    at = open_view("composition")
    assert "Labels" in at.get("button_group")[0].options or at.dataframe
    forget_labels()
    at = open_view("composition")
    assert "Nothing to count yet" in said(at)
    assert "Make the map" in buttons(at)


def test_without_samples_it_is_said_how_to_bring_them(filled, open_view: Open):
    from dataclasses import replace

    lib, here = state.library(), view()
    rows = [replace(row, sample=None) for row in lib.catalogue.image_rows(here.collection.uid)]
    lib.catalogue.put_images(here.collection.uid, rows)
    at = open_view("composition")
    assert at.query_params.get("by") != "sample"
    assert "--samples folder" in said(at)
    rows = [replace(row, sample="one") for row in rows]
    lib.catalogue.put_images(here.collection.uid, rows)
    at = open_view("composition", by="sample")
    assert "All images are of one sample" in said(at).replace("\\", "")


@pytest.mark.parametrize(
    "link",
    [{"of": "magic"}, {"by": "nothing"}, {"bars": "date"}, {"draw": "-1"}, {"apart": "x|%00"},
     {"without": "x"}, {"as": "x"}, {"draw": "²"}, {"validated": "x"}],
)  # fmt: skip
def test_nonsense_in_a_link_is_left_aside(filled, open_view: Open, link):
    assert not open_view("composition", **link).error


def test_many_kinds_become_others_and_names_are_text(filled):
    from core.composition import of_clusters

    known = state.columns(view())
    kinds = of_clusters(list(range(IMAGES)), {"3": "<b>x</b>"})
    made = composed(known, kinds, by=ALL, only=Filter())
    parts = bars.parts_of(made)
    assert [len(part.kinds) for part in parts] == [1] * bars.NAMED + [IMAGES - bars.NAMED]
    assert parts[-1].name == f"{IMAGES - bars.NAMED} others"
    assert parts[3].name == "<b>x</b>"
    assert bars._text(parts[3].name) == "&lt;b&gt;x&lt;/b&gt;"
    assert bars._short("a" * 30 + "b" * 30) == "a" * 12 + "…" + "b" * 11
