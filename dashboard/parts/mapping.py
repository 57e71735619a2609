"""What the map page needs besides the map: a way to make one, and what to do with a selection."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from core import exporting, sheets
from core.library import Library, View
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.empty import start
from dashboard.parts.taking import zip_button
from dashboard.parts.tiles import labelled_tiles

SHOWN = 240
MANY = 20_000
"""More are not looked up one by one for a zip, which would take seconds at each click."""


def offer_map(view: View) -> NoReturn:
    """There is no map yet: offer to make one, or show that it is being made."""
    st.subheader("No map yet")
    if not st.session_state.get("working"):
        n = len(view.snapshot)
        st.write(
            f"A map places the {n:,} images of this collection so that alike ones lie together, "
            "and finds groups among them."
        )
        if st.button(
            "Make the map",
            icon=":material/map:",
            type="primary",
            disabled=state.settings().read_only,
        ):
            start(map_arguments(view), f"Map {view.collection.name}")
    st.stop()


def map_arguments(view: View) -> list[str]:
    """The command that makes a map and a clustering of what is there."""
    return ["map", "--collection", view.collection.name, "--encoder", view.encoding.encoder]


def gathered(lib: Library, view: View, ids: Sequence[str]) -> str | None:
    """Selected images below the map: a gallery, their number, ways to take them away.

    Gives the id of one that was clicked.
    """
    uid = view.collection.uid
    few = len(ids) <= MANY
    images = lib.catalogue.images(uid, ids if few else ids[:SHOWN])
    n, shown = len(images) if few else len(ids), images[:SHOWN]
    more = f", the first {len(shown)} shown" if len(shown) < n else ""
    name = f"{view.collection.name}-selection"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {n:,} selected{more}", width="stretch")
        st.download_button(
            "CSV", lambda: exporting.csv_bytes(lib, view, ids), f"{name}.csv", "text/csv",
            icon=":material/table:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Sheet", lambda: sheets.selection_sheet(lib, uid, shown), f"{name}.png", "image/png",
            icon=":material/grid_on:", on_click="ignore",
            help="A contact sheet of the images shown as one picture.",
        )  # fmt: skip
        if few:
            zip_button(lib, view, images, name=name)
        st.page_link(
            "views/selection.py", label="Label, keep, more like these", icon=":material/check_box:",
            query_params={"collection": view.collection.name, "encoder": view.encoding.encoder},
        )  # fmt: skip
        cleared = st.button("Clear", icon=":material/close:")
    if cleared:
        selecting.put(uid, ())
        st.rerun()
    shown_ids = [image.id for image in shown]
    digest = hashlib.blake2b("\n".join(ids).encode(), digest_size=8).hexdigest()
    clicked = selecting.ticked(
        labelled_tiles(lib, uid, shown), shown_ids, uid, key="selected", revision=digest,
        tile_px=96, height=520, label="Selected images",
    )  # fmt: skip
    return None if clicked is None else shown_ids[clicked]
