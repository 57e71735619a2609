"""The sidebar's word on the selection: how many, and what to do with them."""

from __future__ import annotations

import streamlit as st

from core.catalogue import Collection
from dashboard import state
from dashboard.parts import selecting, sets
from dashboard.parts.walk import LINKED


def selected_panel(collection: Collection, encoder: str) -> None:
    """How many images are selected, wherever they were gathered; nothing while there are none."""
    chosen = selecting.current(collection.uid)
    if not chosen:
        return
    here = {"collection": collection.name, "encoder": encoder}
    with st.container(border=True, key="selected-panel", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/check_box: **{len(chosen):,} selected**", width="stretch")
            clear = st.button(
                "Clear", icon=":material/close:", type="tertiary", key="selected clear"
            )
        with st.container(horizontal=True, gap="small"):
            st.page_link(
                "views/selection.py", label="Open", icon=":material/grid_view:", width="content",
                query_params=here,
            )  # fmt: skip
            st.page_link(
                "views/map.py", label="On the map", icon=":material/scatter_plot:",
                width="content", query_params=here,
            )  # fmt: skip
        more = st.button(
            "More like these", icon=":material/image_search:", key="selected more",
            width="stretch", help="The images nearest to the middle of the selection.",
        )  # fmt: skip
    if clear:
        selecting.put(collection.uid, ())
        st.rerun()
    if more:
        for name in LINKED:
            st.query_params.pop(name, None)
        query = sets.more_like(state.library(), collection.uid, chosen)
        st.switch_page("views/similar.py", query_params={**here, **query})
