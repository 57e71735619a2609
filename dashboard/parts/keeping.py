"""Selections kept under a name."""

from __future__ import annotations

import streamlit as st

from core import selections
from core.errors import CoreError
from core.library import Library
from dashboard import state
from dashboard.parts import selecting


def keep(lib: Library, uid: str) -> None:
    """A field for a name, under which the selection is kept in the workspace."""
    with st.popover(
        "Keep", icon=":material/bookmark_add:", disabled=state.settings().read_only,
        key="keep selection",
    ):  # fmt: skip
        name = st.text_input(
            "Name", key="keep name", max_chars=80, placeholder="odd chains"
        ).strip()
        there = {each.name for each in selections.kept(lib.workspace, uid)}
        if name in there:
            st.caption("There is one of this name; it is replaced.")
        if not st.button("Keep it", type="primary", disabled=not name, key="keep go"):
            return
    try:
        made = selections.keep(lib.workspace, uid, name, selecting.current(uid))
    except CoreError as error:
        state.say(error)
        return
    st.toast(
        f"Kept {made.images:,} images as {state.as_text(made.name)}.", icon=":material/bookmark:"
    )


def kept(lib: Library, uid: str) -> None:
    """Every named selection: open it, gather it to what is selected, or forget it."""
    every = selections.kept(lib.workspace, uid)
    if not every:
        return
    st.markdown("#### Kept selections")
    for each in every:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", border=True):
            st.markdown(
                f"**{state.as_text(each.name)}** · {each.images:,} images · "
                f"{each.at[:16].replace('T', ' ')} UTC",
                width="stretch",
            )
            opened = st.button("Select", icon=":material/check_box:", key=f"kept open {each.name}")
            added = st.button(
                "Add", icon=":material/add:", key=f"kept add {each.name}",
                help="Gather its images to what is selected now.",
            )  # fmt: skip
            gone = st.button(
                "Forget", icon=":material/delete:", key=f"kept forget {each.name}",
                disabled=state.settings().read_only,
                help="Its images stay; only this selection of them is forgotten.",
            )  # fmt: skip
        try:
            if gone:
                selections.forget(lib.workspace, uid, each.name)
                st.rerun()
            if opened or added:
                ids = selections.load(lib.workspace, uid, each.name)
                (selecting.put if opened else selecting.add)(uid, ids)
                st.rerun()
        except CoreError as error:
            state.say(error)
