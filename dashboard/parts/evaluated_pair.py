"""Two encoders side by side: linked maps, one image's neighbours in both, where they disagree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.evaluation.storing import Evaluation
from core.library import View
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.encodernames import called
from dashboard.parts.evaluated_maps import maps
from dashboard.parts.gallery import gallery
from dashboard.parts.tiles import image_tile, labelled_tiles

GATHERED = 60
"""Pictures of the selection that are shown."""


def pair(view: View, found: Evaluation) -> None:
    """Everything about two of the encoders."""
    names = [name for name in found.encoders if name in found.near]
    if len(names) < 2:
        st.subheader("One encoder cannot be compared", anchor=False)
        st.write("Evaluate two or more together (*New evaluation* above).")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen: list[str] = []
        for place, name in enumerate(("first", "second")):
            there = [each for each in names if each not in chosen]
            key = state.linked(name, there, there[0])
            chosen.append(
                st.selectbox(
                    "One encoder" if not place else "and another", there, key=key,
                    format_func=called, on_change=state.follow, args=(name, key),
                    kwargs={"also": ("second",) if not place else ()},
                )
            )  # fmt: skip
    _side_by_side(view, found, chosen[0], chosen[1])


@st.fragment
def _side_by_side(view: View, found: Evaluation, first: str, second: str) -> None:
    """Maps, images and their neighbours; only this part is drawn again after a click."""
    odd = _odd(found, first, second)
    query = st.query_params.get("query")
    if query not in set(found.ids):
        query = next(iter(odd), found.ids[0])
    st.subheader("Their maps", anchor=False)
    clicked = maps(view, found, (first, second), query)
    clicked = _gathered(view) or clicked
    st.subheader("Where they disagree most", anchor=False)
    clicked = _disagreeing(view, found, first, second, odd) or clicked
    st.subheader("One image, its nearest in each", anchor=False)
    clicked = _neighbours(view, found, (first, second), query) or clicked
    if clicked is None or clicked == query:
        return
    if clicked not in set(found.ids):
        st.toast("This image has no validated label, so it was not evaluated.",
                 icon=":material/info:")  # fmt: skip
        return
    state.set_link(query=clicked)
    st.rerun(scope="fragment")


def _gathered(view: View) -> str | None:
    """What is selected, wherever it was; gives one that was clicked."""
    lib, uid = state.library(), view.collection.uid
    ids = selecting.current(uid)
    with st.container():  # there in any case: what follows is not drawn anew
        if not ids:
            return None
        images = lib.catalogue.images(uid, ids[:GATHERED])
        more = f", the first {GATHERED} below" if len(ids) > GATHERED else ""
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{len(ids):,} selected, on both maps**{more}", width="stretch")
            if st.button("Clear", icon=":material/close:", type="tertiary", key="pair clear"):
                selecting.put(uid, ())
                st.rerun()
        shown = [image.id for image in images]
        place = selecting.ticked(
            labelled_tiles(lib, uid, images), shown, uid, key="pair selected",
            revision=f"{hash(tuple(shown))}", tile_px=72, height=220, label="Selected on the maps",
        )  # fmt: skip
    return None if place is None else shown[place]


def _odd(found: Evaluation, first: str, second: str) -> dict[str, str]:
    """Images on which the two disagree most, each with what they make of it."""
    for each in found.meta["comparisons"]:
        if set(each["encoders"]) != {first, second} or not each["disagree"]:
            continue
        turn = each["encoders"] == [second, first]
        k = int(str(each["disagree"][0]["by"]).rsplit("_", 1)[1])
        told = {}
        for one in each["disagree"]:
            a, b = reversed(one["scores"]) if turn else one["scores"]
            told[str(one["id"])] = f"{round(a * k)} and {round(b * k)} of {k}"
        return told
    k = found.near[first].shape[1]
    return {
        id: f"{round(share * k)} of {k} shared"
        for id, share in found.least_shared(first, second)
        if share < 1
    }


def _disagreeing(
    view: View, found: Evaluation, first: str, second: str, odd: dict[str, str]
) -> str | None:
    if not odd:
        st.caption("Nowhere: they find the same.")
        return None
    a, b = state.as_text(called(first)), state.as_text(called(second))
    st.caption(
        (f"How many of the nearest are of the image's kind: with {a}, and with {b}. "
         if len(found.codes) else f"How many of the nearest {a} and {b} share. ")
        + "Click one to see its neighbours in both below."
    )  # fmt: skip
    lib, uid = state.library(), view.collection.uid
    images = lib.catalogue.images(uid, list(odd))
    tiles = [
        replace(tile, lines=(odd[image.id],))
        for tile, image in zip(labelled_tiles(lib, uid, images), images, strict=True)
    ]
    event = gallery(
        tiles, key="pair odd", revision=f"{found.meta['at']} {first} {second}", tile_px=84,
        selectable=False, label="Where they disagree most",
    )  # fmt: skip
    clicked = None if event is None else event.clicked
    return None if clicked is None else images[clicked].id


def _neighbours(view: View, found: Evaluation, names: Sequence[str], query: str) -> str | None:
    """The query, and a row of its nearest for each encoder, one above the other."""
    lib, uid = state.library(), view.collection.uid
    there = {image.id: image for image in lib.catalogue.images(uid, [query])}
    both = set(found.shared(query, names))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{len(both)} of {len(found.neighbours(names[0], query))} are found by both: "
                   "framed, and marked ∩.", width="stretch")  # fmt: skip
        if st.button("Another image", icon=":material/shuffle:", key="pair random"):
            state.set_link(query=random.choice(found.ids))
            st.rerun(scope="fragment")
        st.page_link(
            "views/similar.py", label="Open in Similar", icon=":material/image_search:",
            width="content", query_params={"collection": view.collection.name,
                                           "encoder": view.encoding.encoder, "id": query},
        )  # fmt: skip
    if query not in there:
        st.caption("This image is gone from the collection.")
        return None
    with st.container(key="split-query"):
        left, right = st.columns([1, 7.4], gap="medium")
    with left:
        gallery(
            [image_tile(uid, there[query], title=_kind_of(found, query) or None)],
            key="pair query", revision=f"pair query {query}", tile_px=96, selectable=False,
            label="The image",
        )  # fmt: skip
    clicked = None
    with right:
        for place, name in enumerate(names):
            clicked = _row(view, found, name, query, both, place) or clicked
    return clicked


def _row(
    view: View, found: Evaluation, name: str, query: str, both: set[str], place: int
) -> str | None:
    lib, uid = state.library(), view.collection.uid
    ids = found.neighbours(name, query)
    images = lib.catalogue.images(uid, ids)
    kind = _kind_of(found, query)
    said = [f"**{state.as_text(called(name))}**"]
    if kind:
        right = sum(_kind_of(found, id) == kind for id in ids)
        said.append(f"{right} of {len(ids)} are {state.as_text(kind)}")
    st.markdown(" · ".join(said))
    tiles = [
        replace(tile, mark="∩" if image.id in both else None,
                hint="found by both encoders" if image.id in both else None)
        for tile, image in zip(labelled_tiles(lib, uid, images), images, strict=True)
    ]  # fmt: skip
    shown = [image.id for image in images]
    clicked = selecting.ticked(
        tiles, shown, uid, key=f"pair row {place}", revision=f"{found.meta['at']} {name} {query}",
        tile_px=62, label=f"Nearest with {called(name)}",
    )  # fmt: skip
    return None if clicked is None else shown[clicked]


def _kind_of(found: Evaluation, id: str) -> str:
    """The kind an image was measured as; empty without labels."""
    if not len(found.codes):
        return ""
    return found.kinds[int(found.codes[found.ids.index(id)])]
