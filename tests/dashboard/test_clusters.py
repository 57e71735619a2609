"""The Clusters page without a browser: cards, one opened, and every edit of it."""

from __future__ import annotations

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import analysis, editing
from core.edits import Dissolve, Merge, Rename
from core.grouping import Group
from core.indexing import index
from core.library import Library
from core.results import load_result, save_result
from core.settings import Settings
from dashboard import state
from dashboard.parts.cluster_cards import in_order, trusted
from tests.core.tiny_models import drawn
from tests.dashboard.conftest import IDS, IMAGES, Open, buttons, said, without_exception

NAME = "kmeans"
EDITED = "kmeans (edited)"
EDITING = {"Rename it", "Dissolve it", "Undo", "Use this name"}


def meta(name: str = EDITED) -> dict:
    lib = state.library()
    every = analysis.clusterings(lib, view())
    return next(each for each in every if each["name"] == name)


def view():
    lib = state.library()
    return lib.vectors(lib.catalogue.collection("run"))


def members(number: int, name: str = EDITED) -> list[str]:
    found, _ = analysis.clusters_of(state.library(), view(), IDS, name=name)
    return [id for id, cluster in zip(IDS, found, strict=True) if cluster == number]


def press(at: AppTest, label: str) -> AppTest:
    return without_exception(next(b for b in at.button if b.label == label).click().run())


def everything(at: AppTest) -> str:
    return said(at).replace("\\", "")


def test_a_card_a_cluster(filled, open_view: Open):
    at = open_view("clusters")
    assert not at.error
    text = everything(at)
    assert "**3 clusters** of 30 images" in text
    for number in range(3):
        assert f"**Cluster {number}**" in text
        size = len(members(number, NAME))
        assert f"**{size}** image{'' if size == 1 else 's'} · {size / IMAGES:.0%} · ESD " in text
    assert "labelled" in text
    assert buttons(at).count("Open") == 3
    without_exception(at.button(key="open 1").click().run())
    assert at.query_params["cluster"] == "1"
    assert "### Cluster 1" in everything(at)
    press(at, "All clusters")
    assert "cluster" not in at.query_params


def test_one_opened_shows_its_parts_its_neighbours_and_where_they_come_from(
    filled, open_view: Open
):
    at = open_view("clusters", cluster="0")
    parts = at.segmented_control(key="link_band").options
    assert parts[0] == f"All {len(members(0, NAME))}"
    assert sum(int(part.split()[-1]) for part in parts[1:] if "Outliers" not in part) == len(
        members(0, NAME)
    )
    text = everything(at)
    assert "Nearest clusters" in text
    assert "How it spreads" in text
    html = "".join(element.value for element in at.get("html") if "Sample" in element.value)
    assert "Copepod" in html
    first = parts[1].split()[0].lower()
    without_exception(at.segmented_control(key="link_band").set_value(first).run())
    assert at.query_params["band"] == first


@pytest.mark.parametrize("wrong", ["9", "x", "-1", "-", "1e3", "9" * 30, "²"])
def test_a_cluster_that_is_not_there_is_one_sentence(filled, open_view: Open, wrong: str):
    at = open_view("clusters", cluster=wrong)
    (error,) = at.error
    assert "choose one that is" in error.value
    assert "cluster" not in at.query_params
    assert "**3 clusters**" in everything(at)


def test_a_name_makes_an_edited_clustering_and_an_undo_takes_it_back(filled, open_view: Open):
    at = open_view("clusters", cluster="1")
    assert f"The first edit makes “{EDITED}”" in everything(at)
    field = next(i for i in at.text_input if i.label == "Name")
    field.set_value("<b>rods</b>")
    press(at, "Rename it")
    assert not at.error
    assert at.query_params["clustering"] == EDITED
    assert at.query_params["cluster"] == "1"
    assert "### <b>rods</b>" in everything(at)
    assert "Edited from **kmeans**" in everything(at)
    assert meta()["names"] == {"1": "<b>rods</b>"}
    assert any("cluster 1 renamed" in t.value.replace("\\", "").lower() for t in at.toast)
    press(at, "Undo")
    assert meta()["names"] == {}
    assert "### Cluster 1" in everything(at)
    assert "Undo" not in buttons(at)
    assert "took back: cluster 1 renamed to “<b>rods</b>”" in everything(at)
    for element in (*at.markdown, *at.caption):
        assert not element.allow_html


def test_a_suggested_name_is_taken_with_a_click(filled, open_view: Open):
    lib = state.library()
    found = state.grouping(view(), NAME)
    group = next(g for g in found.groups if g.suggested is not None)
    at = open_view("clusters", cluster=str(group.number))
    press(at, "Use this name")
    assert group.suggested is not None
    assert meta()["names"] == {str(group.number): group.suggested.name}
    assert lib is state.library()


def test_clusters_are_merged_and_dissolved(filled, open_view: Open):
    at = open_view("clusters", cluster="0")
    merged = len(members(0, NAME)) + len(members(1, NAME))
    without_exception(at.multiselect[0].set_value([1]).run())
    press(at, "Merge into cluster 0")
    assert len(members(0)) == merged
    assert at.query_params["cluster"] == "0"
    press(at, "Dissolve it")
    assert "cluster" not in at.query_params
    assert len(members(-1)) == merged
    assert "**1 cluster**" in everything(at)
    assert "**Noise**" in everything(at)
    without_exception(at.button(key="open -1").click().run())
    assert "### Noise" in everything(at)
    assert "Rename it" not in buttons(at)
    press(at, "Undo")
    assert "there is no noise" in at.error[0].value  # and the page shows all clusters
    assert len(members(0)) == merged


def test_selected_images_are_moved(filled, open_view: Open):
    at = open_view("clusters", cluster="0")
    assert not any(b.label.startswith("Move") and not b.disabled for b in at.button)
    first = members(0, NAME)
    press(at, f"Select all {len(first)}")
    assert f"**{len(first)}** selected, {len(first)} of them here" in everything(at)
    box = next(s for s in at.selectbox if s.label == "Where to")
    without_exception(box.set_value(2).run())
    press(at, f"Move {len(first)} selected")
    assert set(first) <= set(members(2))
    assert at.query_params["cluster"] == "2"  # nothing is left of the one that was open
    box = next(s for s in at.selectbox if s.label == "Where to")
    without_exception(box.set_value("a new cluster").run())
    press(at, f"Move {len(first)} selected")
    assert members(3) == first
    press(at, "Clear")
    assert "selected," not in everything(at)


def test_who_comes_second_is_told_to_look_again(filled, open_view: Open):
    lib = state.library()
    editing.edit(lib, view(), NAME, Rename(0, "rods"))
    at = open_view("clusters", clustering=EDITED, cluster="1")
    editing.edit(lib, view(), EDITED, Merge((0, 2)), by="Ada")  # on another page
    press(at, "Dissolve it")
    assert "changed since you looked" in at.error[0].value.replace("\\", "")
    assert members(1)
    assert at.query_params["cluster"] == "1"
    press(at, "Dissolve it")
    assert not at.error
    assert not members(1)


def test_what_cannot_be_done_is_one_sentence(filled, open_view: Open):
    lib = state.library()
    editing.edit(lib, view(), NAME, Rename(0, "rods"))
    at = open_view("clusters", clustering=EDITED, cluster="1")
    next(i for i in at.text_input if i.label == "Name").set_value("Rods")
    press(at, "Rename it")
    assert "merge the two, or choose another name" in at.error[0].value.replace("\\", "")
    press(at, "Rename it")  # the name that is there: none
    assert len(at.error) == 1


def test_the_computed_one_leads_to_the_edited_one(filled, open_view: Open):
    editing.edit(state.library(), view(), NAME, Dissolve(2))
    at = open_view("clusters", clustering=NAME)
    assert "This one was edited as **kmeans (edited)**" in everything(at)
    press(at, "Open the edited one")
    assert at.query_params["clustering"] == EDITED
    assert "**2 clusters**" in everything(at)


@pytest.mark.parametrize("cluster", [None, "0"])
def test_a_dashboard_that_only_shows_changes_nothing(
    filled, open_view: Open, monkeypatch: pytest.MonkeyPatch, cluster
):
    editing.edit(state.library(), view(), NAME, Rename(0, "rods"))
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    at = open_view("clusters", **({"cluster": cluster} if cluster else {}))
    assert not at.error
    assert "Edited from **kmeans**" in everything(at)
    assert not EDITING & set(buttons(at))
    assert not at.multiselect


def test_no_clustering_yet(filled, open_view: Open):
    lib = state.library()
    lib.workspace.clustering(view().collection.uid, "descriptors", NAME).unlink()
    at = open_view("clusters")
    assert not at.error
    assert "No clusters yet" in said(at)


def test_nothing_but_noise(filled, open_view: Open):
    lib = state.library()
    path = lib.workspace.clustering(view().collection.uid, "descriptors", NAME)
    result = load_result(path)
    result.columns["cluster"] = result.columns["cluster"] * 0 - 1
    save_result(path, result.columns, {**result.meta, "clusters": 0})
    at = open_view("clusters")
    assert "**0 clusters** of 0 images · 30 (100%) in none" in everything(at)
    at = open_view("clusters", cluster="-1")
    assert "No cluster was found" in everything(at)


def test_many_clusters_come_part_by_part(filled, open_view: Open):
    lib = state.library()
    analysis.make_clustering(lib, view(), method="kmeans", k=30, seed=0)
    at = open_view("clusters")
    assert buttons(at).count("Open") == 24
    press(at, "Show 6 more")
    assert at.query_params["shown"] == "30"
    assert buttons(at).count("Open") == 30


def test_stability_is_told_in_words(filled, open_view: Open):
    lib = state.library()
    path = lib.workspace.clustering(view().collection.uid, "descriptors", NAME)
    result = load_result(path)
    save_result(path, result.columns, {**result.meta, "cluster_stability": [0.3, 0.95, None]})
    at = open_view("clusters", cluster="1", sort="stability")
    assert "finds this group 95% alike" in everything(at)
    at = open_view("clusters", sort="stability")
    order = [m.value for m in at.markdown if m.value.startswith("**Cluster")]
    assert order == ["**Cluster 1**", "**Cluster 0**", "**Cluster 2**"]


def test_orders():
    def group(number: int, size: int, stability: float | None, name: str | None) -> Group:
        return Group(number, name, size, 0.1, (), None, None, stability, None, (size, 0, 0), 0)

    some = [
        group(0, 5, None, "b 10"), group(1, 9, 0.5, None), group(2, 5, 0.9, "b 2"),
    ]  # fmt: skip
    assert [g.number for g in in_order(some, "size")] == [1, 0, 2]
    assert [g.number for g in in_order(some, "stability")] == [2, 1, 0]
    assert [g.number for g in in_order(some, "name")] == [2, 0, 1]
    assert [trusted(v)[0] for v in (None, 0.75, 0.5, 0.49)] == [
        "not measured", "steady", "loose", "falls apart",
    ]  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_images(empty, tmp_path, open_view: Open, n: int):
    (tmp_path / "few").mkdir()
    for number, image in enumerate(drawn(n, seed=n)):
        Image.fromarray(image).save(tmp_path / "few" / f"{number}.png")
    lib = Library.open(Settings(workspace=empty))
    index(lib, collection="few", source=str(tmp_path / "few"))
    few = lib.vectors(lib.catalogue.collection("few"))
    for method in ("kmeans", "hdbscan"):
        analysis.make_clustering(lib, few, method=method, seed=0)
        found, _ = analysis.clusters_of(lib, few, few.snapshot.ids, name=method)
        for number in set(found):
            at = open_view("clusters", clustering=method, cluster=str(number))
            assert not at.error
            press(at, "All clusters")
            assert not at.error
    lib.close()
