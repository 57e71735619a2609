"""The history page without a browser: filters, taking back, names; a person's name in no link."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core import labels, vocabulary
from core.labels import Decision
from dashboard import state
from tests.dashboard.conftest import IDS, MAIN, Open, said, without_exception


def uid() -> str:
    return state.library().catalogue.collection("run").uid


@pytest.fixture
def told(filled) -> None:
    """After the import Ada labelled three images, Bo one of them."""
    catalogue = state.library().catalogue
    three = [Decision(id, "Diatom") for id in IDS[:3]]
    labels.record(catalogue, uid(), three, by="Ada", how="selection")
    labels.record(catalogue, uid(), [Decision(IDS[0], "Ciliate", "dubious")], by="Bo")


def opened(**link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.switch_page("views/history.py")
    for key, value in link.items():
        at.query_params[key] = value
    return without_exception(at.run())


def rows(at: AppTest) -> list[str]:
    return [m.value.split("  \n")[0].replace("\\", "") for m in at.markdown if m.value[:2] == "**"]


def test_actions_newest_first_with_who_how_and_how_many(told):
    at = opened()
    assert rows(at) == [
        "**Bo** · 1 image · Ciliate (dubious)",
        "**Ada** · 3 images · Diatom",
        "**import** · 30 images · Copepod 15, Detritus 15",
    ]
    assert "a selection" in said(at)
    assert "just now" in said(at)


def test_filters_are_in_the_link_but_for_the_person(told):
    at = opened(said="Diatom")
    assert rows(at) == ["**Ada** · 3 images · Diatom"]
    without_exception(at.selectbox(key="link_said").set_value("").run())
    assert len(rows(at)) == 3
    without_exception(at.selectbox(key="link_status").set_value("dubious").run())
    assert rows(at) == ["**Bo** · 1 image · Ciliate (dubious)"]
    assert at.query_params["status"] == "dubious"
    without_exception(at.selectbox(key="link_status").set_value("").run())
    without_exception(at.selectbox(key="history by").set_value("Ada").run())
    assert rows(at) == ["**Ada** · 3 images · Diatom"]
    assert "Ada" not in str(at.query_params)
    assert rows(opened(since="2999-01-01")) == []
    assert "Nothing was said that fits" in said(opened(since="2999-01-01"))
    assert len(rows(opened(since="no day"))) == 3


def test_an_images_whole_history(told):
    at = opened(image=IDS[0])
    assert [row.split(" · ")[0] for row in rows(at)] == ["**Bo**", "**Ada**", "**import**"]
    assert "Ciliate (dubious)" in said(at).replace("\\", "")
    without_exception(at.button(key="history whole").click().run())
    assert len(rows(at)) == 3
    gone = opened(image="run/gone.png")
    assert "is not in the collection" in said(gone)


def test_similar_leads_to_an_images_history(filled, open_view: Open):
    at = open_view("similar", id=IDS[2])
    links = [link.proto for link in at.get("page_link")]
    (found,) = [link for link in links if link.label == "History"]
    assert "image=" in found.query_string


def test_ones_own_last_action_is_taken_back(told):
    at = opened()
    assert not [b for b in at.button if b.label == "Take back"]  # nobody is asked yet
    at.text_input(key="label who").set_value("Ada").run()
    (back,) = [b for b in at.button if b.label == "Take back"]
    without_exception(back.click().run())
    now = labels.current(state.library().catalogue, uid(), IDS[:3])
    assert [now[id].label for id in IDS[:3]] == ["Ciliate", "Detritus", "Copepod"]  # Bo's stays
    assert rows(at)[0] == "**Ada** · 2 images · Copepod 1, Detritus 1"
    assert not [b for b in at.button if b.label == "Take back"]


def test_pages(filled):
    catalogue = state.library().catalogue
    for n in range(12):
        labels.record(catalogue, uid(), [Decision(IDS[n], "Diatom")], by=f"person {n}")
    at = opened()
    assert len(rows(at)) == 10
    assert rows(at)[0].startswith("**person 11**")
    without_exception(next(b for b in at.button if b.label == "Older").click().run())
    assert [row.split(" · ")[0] for row in rows(at)] == ["**person 1**", "**person 0**",
                                                         "**import**"]  # fmt: skip
    without_exception(next(b for b in at.button if b.label == "Newest").click().run())
    assert rows(at)[0].startswith("**person 11**")


def test_counts_by_person_and_by_label(told):
    at = opened(part="people")
    people, kinds = (frame.value for frame in at.dataframe)
    assert list(people["Who"]) == ["import", "Ada", "Bo"]
    assert list(people["Current labels"]) == [27, 2, 1]
    assert dict(zip(kinds["Label"], kinds["Images"], strict=True)) == {
        "Copepod": 13, "Detritus": 14, "Diatom": 2, "Ciliate": 1,
    }  # fmt: skip


def type_in(at: AppTest, key: str, text: str) -> None:
    """Type a new name; the browserless page knows only those offered."""
    box = at.selectbox(key=key)
    if text not in box.options:
        box.options.append(text)
    box.set_value(text)


def names() -> dict[str, int]:
    return {n.name: n.images for n in vocabulary.names(state.library().catalogue, uid())}


def test_rename_and_take_back(told):
    at = opened(part="names")
    at.text_input(key="label who").set_value("Ada").run()
    at.multiselect(key="names old").set_value(["Diatom"]).run()
    assert at.button(key="names go").disabled
    type_in(at, "names new", "Bacillariophyta")
    at.run()
    assert at.button(key="names go").label == "Rename 2 images"
    type_in(at, "names new", "Bacillariophyta")
    without_exception(at.button(key="names go").click().run())
    assert "Bacillariophyta" in names()
    assert "now called Bacillariophyta" in said(at)
    history = labels.history(state.library().catalogue, uid(), IDS[1])
    assert [each["label"] for each in history] == ["Detritus", "Diatom", "Bacillariophyta"]
    without_exception(at.button(key="names undo").click().run())
    assert names()["Diatom"] == 2


def test_into_one_in_use_is_a_merge(told):
    at = opened(part="names")
    at.text_input(key="label who").set_value("Ada").run()
    at.multiselect(key="names old").set_value(["Diatom", "Ciliate"]).run()
    at.selectbox(key="names new").set_value("Diatom").run()
    assert at.button(key="names go").label == "Merge 1 image"
    without_exception(at.button(key="names go").click().run())
    assert names() == {"Copepod": 13, "Detritus": 14, "Diatom": 3}


def test_a_name_much_like_one_in_use_is_pointed_out(told):
    at = opened(part="names")
    type_in(at, "names new", "copepods")
    at.run()
    assert "There is **Copepod** already: did you mean it?" in said(at)
    type_in(at, "names new", "copepods")
    without_exception(at.button(key="names new meant").click().run())
    assert at.selectbox(key="names new").value == "Copepod"
    assert "did you mean it" not in said(at)
    type_in(at, "names new", "x" * 300)
    at.run()
    assert "expected 1 to 200 printable characters" in at.error[0].value.replace("\\", "")


def test_nothing_to_tell(filled, open_view: Open, made):
    from core.indexing import index

    source = str(made / "pictures" / "run")
    index(state.library(), collection="bare", source=source, source_name="bare")
    assert "Nothing was said yet" in said(open_view("history", collection="bare"))


def test_a_dashboard_that_only_shows_takes_nothing_back(told, clean):
    clean.setenv("PLANKTON_READ_ONLY", "1")
    assert not opened().text_input(key="history image").disabled
    assert not [b for b in opened().button if b.label == "Take back"]
    assert not [b for b in opened(part="names").button if b.key == "names go"]


def test_people_are_a_filter_that_names_nobody_in_the_link(told, open_view: Open):
    at = open_view("similar", id=IDS[5], filter="labelled_by:person 2")
    assert "**2** of 30 images pass" in said(at)  # Ada's, of which Bo took one over
    chips = [b.label for b in at.button if (b.key or "") == "filter chip labelled_by"]
    assert chips == ["Labelled by\\: Ada"]
    assert at.query_params["filter"] == "labelled_by:person 2"
    at = open_view("similar", id=IDS[5], filter="label_status:dubious")
    assert "**1** of 30 images pass" in said(at)
