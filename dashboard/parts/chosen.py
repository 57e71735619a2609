"""A set of chosen images on the label page: each kind among them is ticked and named."""

from __future__ import annotations

import streamlit as st

from core import labels, vocabulary
from core.errors import CoreError
from core.library import View
from dashboard import state
from dashboard.parts import sets
from dashboard.parts.gallery import gallery
from dashboard.parts.labelling import give, last_given, who
from dashboard.parts.naming import name_box
from dashboard.parts.tiles import image_tile, tile_size


def chosen_page(view: View, digest: str) -> None:
    """Everything the page shows while chosen images are labelled.

    Parameters
    ----------
    digest : str
        What the link calls the set.
    """
    lib, uid = state.library(), view.collection.uid
    try:
        ids = sets.marked(lib, uid, digest)
    except CoreError as error:
        state.say(error)
        _back()
        return
    known = labels.current(lib.catalogue, uid, ids)
    settled = {id for id, said in known.items() if said.label and said.status == "validated"}
    images = lib.catalogue.images(uid, [id for id in ids if id not in settled])
    n, done = len(ids), len(ids) - len(images)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = who(width=220)
        _back()
    st.progress(done / n, text=f"{done:,} of {n:,} chosen images have a label")
    if not images:
        last_given(lib, uid)
        _evaluate(view, "All of them have a label.")
        return
    st.caption("Click images that are of one kind, say what they are, and go on with the rest.")
    revision = f"chosen {digest} {done}"
    before: tuple[str, tuple[int, ...]] = st.session_state.get("chosen ticked", ("", ()))
    ticked = before[1] if before[0] == revision else ()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = sorted(each.name for each in vocabulary.names(lib.catalogue, uid))
        name = name_box("What are the ticked ones?", names, key=f"chosen name {digest} {done}",
                        width=340)  # fmt: skip
        pressed = st.button(
            f"Label {len(ticked):,} ticked", type="primary", icon=":material/label:",
            key="chosen go", disabled=not (ticked and name and by),
            help=None if by else "Say your name first.",
        )  # fmt: skip
    if pressed and name:
        give(lib, uid, [images[row].id for row in ticked], label=name, by=by)
        st.rerun()
    last_given(lib, uid)
    event = gallery(
        [image_tile(uid, image, title=tile_size(image)) for image in images],
        key="chosen images", revision=revision, selected=ticked, tile_px=110, label="Chosen images",
    )  # fmt: skip
    if event is not None:
        now = set(event.selected)
        if event.clicked is not None:  # a click ticks, and takes the tick away
            now ^= {event.clicked}
        st.session_state["chosen ticked"] = (revision, tuple(sorted(now)))
        st.rerun()
    if done:
        _evaluate(view, "The figures grow surer with each label.")


def _back() -> None:
    st.button("Back to the queue", icon=":material/arrow_back:", key="chosen back",
              on_click=state.set_link, kwargs={"these": None})  # fmt: skip


def _evaluate(view: View, said: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(said, width="content")
        st.page_link(
            "views/evaluate.py", label="Evaluate with them", icon=":material/leaderboard:",
            width="content", query_params={"collection": view.collection.name,
                                           "encoder": view.encoding.encoder},
        )  # fmt: skip
