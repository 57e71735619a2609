"""What a page says when there is nothing to show yet, and what to do about it."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from core import jobs
from core.catalogue import Collection
from core.errors import CoreError
from core.library import View
from dashboard import state


def opened() -> View:
    """The chosen collection as the chosen encoder sees it; or what to do while there is none."""
    picked = st.session_state.picked
    if picked is None:
        no_collection()
    try:
        view = state.view(picked.collection, picked.encoder)
    except CoreError as error:
        no_vectors(picked.collection, picked.encoder, error)
    if not len(view.snapshot):
        no_vectors(picked.collection, picked.encoder, None)
    return view


def no_collection() -> NoReturn:
    """The workspace is empty: offer the sample, or one's own folder."""
    st.subheader("Nothing to explore yet")
    st.write("Begin with the sample collection, or bring in your own images.")
    offer()
    st.stop()


def offer(*, here: bool = False) -> None:
    """Two ways to begin; `here` is the page on which images are brought in."""
    if st.session_state.get("working"):
        st.caption("The page shows the collection as soon as it is there.")
        return
    locked = state.settings().read_only
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("#### Try the sample collection")
        st.write(
            "1,200 drawn vignettes of 15 or so kinds, with samples, stations and sizes. "
            "Takes about a minute."
        )
        if st.button(
            "Draw the sample collection", icon=":material/draw:", type="primary", disabled=locked
        ):
            start(["sample", "--map"], "Draw the sample collection")
    with right, st.container(border=True):
        st.markdown("#### Bring your own images")
        st.write(
            "A folder or a zip of vignettes, a FlowCam run, IFCB bins, an EcoTaxa export, a table "
            "or a bucket."
        )
        if here:
            st.caption(":material/arrow_downward: Below: see what is found before it is indexed.")
        else:
            st.page_link(
                "views/collections.py", label="Bring images in", icon=":material/folder_open:"
            )


def start(arguments: list[str], title: str) -> NoReturn:
    """Start a job and show it."""
    try:
        jobs.start(state.settings(), arguments, title=title)
    except CoreError as error:
        state.say(error)
        st.stop()
    st.rerun()


def no_vectors(collection: Collection, encoder: str, error: CoreError | None) -> NoReturn:
    """The collection holds nothing from this encoder yet."""
    st.subheader("No vectors yet")
    if not st.session_state.get("working"):
        st.write(
            f"Collection “{state.as_text(collection.name)}” has no images encoded by "
            f"{state.as_text(encoder)} yet."
        )
        if error is not None:
            state.say(error)
        st.page_link(
            "views/collections.py", label="Go to Collections", icon=":material/folder_open:"
        )
    st.stop()
