"""The filter bar without a browser: what a link asks for, what is said of a link of yesterday."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.columns import columns
from core.filtering import Filter, passing
from core.library import View
from dashboard import state
from tests.dashboard.conftest import IDS, IMAGES, Open, buttons, said, without_exception

DEEP = 10
"""Images 10 and on lie at 40 m, those before at 5 m."""


@pytest.fixture
def stations(filled) -> View:
    """The collection with a station, a depth and a date of each image."""
    lib = state.library()
    run = lib.catalogue.collection("run")
    place = {id: n for n, id in enumerate(IDS)}
    rows = [
        replace(
            row,
            metadata={
                "station": f"St {place[row.id] % 3}",
                "depth_m": 5.0 if place[row.id] < DEEP else 40.0,
                "date": f"2023-05-{1 + place[row.id] % 20:02d}",
            },
        )
        for row in lib.catalogue.image_rows(run.uid)
    ]
    lib.catalogue.put_images(run.uid, rows)
    return lib.vectors(lib.catalogue.collection("run"))


def chips(at: AppTest) -> list[str]:
    keys = [b for b in at.button if (b.key or "").startswith("filter chip")]
    return [b.label.replace("\\", "") for b in keys]


@pytest.mark.parametrize("page", ["similar", "map"])
def test_the_link_filters_both_pages(stations, open_view: Open, page):
    link = "label:Detritus;depth_m~10.."
    at = open_view(page, filter=link)
    assert not at.error
    assert not at.warning
    assert chips(at) == ["Label: Detritus", "Depth: from 10 m"]
    wanted = sum(n >= DEEP for n in range(1, IMAGES, 2))
    assert f"**{wanted}** of {IMAGES} images pass" in said(at)
    assert at.query_params["filter"] == link


def test_a_chip_takes_its_condition_away_and_clear_all_the_rest(stations, open_view: Open):
    at = open_view("similar", id=IDS[0], filter="station:St 1;depth_m~10..;once")
    without_exception(at.button(key="filter chip station").click().run())
    assert at.query_params["filter"] == "depth_m~10..;once"
    without_exception(at.button(key="filter chip once").click().run())
    assert at.query_params["filter"] == "depth_m~10.."
    without_exception(at.button(key="filter clear").click().run())
    assert "filter" not in at.query_params
    assert "images pass" not in said(at)
    assert not chips(at)


def test_matches_pass_the_filter(stations, open_view: Open):
    at = open_view("similar", id=IDS[0], filter="station:St 1", k="96")
    assert "**10 nearest that pass the filter**" in said(at)


@pytest.mark.parametrize("page", ["similar", "map"])
def test_nothing_passes_and_a_way_out_is_offered(stations, open_view: Open, page):
    at = open_view(page, filter="label:Copepod;date~2023-06-01..")
    assert not at.error
    assert f"**0** of {IMAGES} images pass" in said(at)
    assert "Take one of its conditions away" in said(at)
    assert "Clear the filter" in buttons(at)
    without_exception(at.button(key="filter clear below").click().run())
    assert "filter" not in at.query_params
    assert "conditions away" not in said(at)


@pytest.mark.parametrize(
    ("link", "told", "left"),
    [
        ("label:Whale", "no image has label 'Whale'", None),
        ("label:Whale|Copepod", "no image has label 'Whale'", "label:Copepod"),
        ("colour:red;depth_m~..9", "no column 'colour'", "depth_m~..9"),
        ("station~1..2", "'station' holds words", None),
        ("depth_m~5..much", "cannot be read", None),
        ("<img src=x onerror=window.hacked=1>", "<img src=x", None),
        ("date~2023-05-99..", "cannot be read", None),
    ],
)
@pytest.mark.parametrize("page", ["similar", "map"])
def test_what_means_nothing_any_more_is_said(stations, open_view: Open, page, link, told, left):
    at = open_view(page, filter=link)
    assert not at.error
    (warning,) = at.warning
    assert told.lower() in warning.value.replace("\\", "").lower()
    assert "left out" in warning.value
    assert at.query_params["filter"] == left if left else "filter" not in at.query_params
    without_exception(at.run())
    assert not at.warning


def test_the_filter_comes_along_from_page_to_page_and_not_to_another_collection(
    stations, open_view: Open
):
    at = open_view("similar", id=IDS[0], filter="station:St 2")
    at.switch_page("views/map.py")
    at.query_params.clear()  # what following a link to a page does
    without_exception(at.run())
    assert at.query_params["filter"] == "station:St 2"
    assert chips(at) == ["Station: St 2"]
    without_exception(at.button(key="filter clear").click().run())
    at.switch_page("views/home.py")
    at.query_params.clear()
    without_exception(at.run())
    at.switch_page("views/similar.py")
    at.query_params.clear()
    without_exception(at.run())
    assert not chips(at)


def test_an_older_link_says_the_same(stations, open_view: Open):
    at = open_view("similar", **{"only_label": "Detritus", "from": "1", "to": "x", "once": "True"})
    assert at.query_params["filter"] == "label:Detritus;size~1..;once"
    assert "only_label" not in at.query_params
    assert chips(at) == ["Label: Detritus", "Size: from 1 px", "Identical files once"]


def test_the_order_is_in_the_link(stations, open_view: Open):
    at = open_view("similar", id=IDS[0], order="size")
    assert at.query_params["order"] == "size"
    assert not open_view("similar", id=IDS[0], order="colour").error


def test_columns_are_read_once_and_again_when_labels_change(stations, monkeypatch):
    lib = state.library()
    view = state.view(lib.catalogue.collection("run"), None)
    first = state.columns(view)
    assert state.columns(view) is first
    assert state.fields(view) is state.fields(view)
    from core import labels

    labels.record(lib.catalogue, view.collection.uid, [labels.Decision(IDS[0], "Whale")], by="me")
    with monkeypatch.context() as patched:  # the images themselves are not read again
        patched.setattr(lib.catalogue, "table", None)
        again = state.columns(view)
    only = Filter.of(label="Whale")
    assert [view.snapshot.ids[row] for row in passing(again, only).nonzero()[0]] == [IDS[0]]
    assert (passing(columns(lib, view), only) == passing(again, only)).all()
