"""Home: what is here, and where to go on."""

from __future__ import annotations

import random
from collections.abc import Sequence

import streamlit as st

from core import analysis, labels
from dashboard import state
from dashboard.parts import empty
from dashboard.parts.selecting import ticked
from dashboard.parts.tiles import labelled_tiles
from dashboard.parts.walk import LINKED

SHOWN = 32
FIRST = (
    ("similar", "image_search", "Find similar images",
     "Take one image, or your own picture, and see its 24 nearest matches."),
    ("map", "scatter_plot", "See everything on a map",
     "All images at once, alike ones together, coloured by cluster."),
    ("collections", "folder_open", "Bring images in",
     "Folders, FlowCam, IFCB, EcoTaxa, tables, buckets: see what is in them, index, watch."),
)  # fmt: skip
THEN = (
    ("label", "label", "Label many at once",
     "A screen of images that should be one kind: accept it, put the few others right."),
    ("screen", "filter_alt", "Keep plankton, drop the rest",
     "A filter from a few labels: what it may promise, what it would lose, a folder to run."),
    ("evaluate", "leaderboard", "Is this encoder good enough?",
     "How well it tells your kinds apart, with error bars, and what more labels would bring."),
)  # fmt: skip


def figure(name: str, value: str, more: str | None = None) -> None:
    """One number about the collection."""
    st.metric(
        name, value, more, delta_color="off", delta_arrow="off", border=True,
        width=170, height="stretch",
    )  # fmt: skip


def ways(some: Sequence[tuple[str, str, str, str]], link: dict[str, str]) -> None:
    """Cards that lead on."""
    with st.container(horizontal=True, gap="medium"):
        for page, icon, title, text in some:
            with st.container(border=True, width=310):
                st.page_link(
                    f"views/{page}.py", label=f"**{title}**", icon=f":material/{icon}:",
                    query_params=link,
                )  # fmt: skip
                st.caption(text)


st.title("Plankton Explorer")
st.caption("Look at a pile of plankton images through what an encoder sees in them.")
view = empty.opened()
lib, collection, ids = state.library(), view.collection, view.snapshot.ids
uid = collection.uid
known = labels.current(lib.catalogue, uid)
made = analysis.clusterings(lib, view)
samples = {s for s in lib.catalogue.column(uid, "sample").values() if s}
names = {label.label for label in known.values()}

with st.container(horizontal=True):  # two beside each other on a telephone
    figure("Images", f"{len(ids):,}")
    figure("Samples", f"{len(samples):,}" if samples else "–", None if samples else "none given")
    figure("Labelled", f"{len(known):,}", f"{len(names)} kinds" if names else "nothing yet")
    if made:
        newest = made[0]
        figure("Clusters", f"{newest['clusters']}", f"{newest['noise_share']:.0%} in none")
    else:
        figure("Clusters", "–", "not made yet")

here = {"collection": collection.name, "encoder": view.encoding.encoder}
ways(FIRST, here)

st.markdown("#### Some of them · click one to see what is like it")
revision = f"home {uid} {view.snapshot.version}"
if st.session_state.get("home_shown", ("",))[0] != revision:
    st.session_state.home_shown = (revision, random.sample(ids, min(SHOWN, len(ids))))
images = lib.catalogue.images(uid, st.session_state.home_shown[1])
tiles = labelled_tiles(lib, uid, images)
clicked = ticked(
    tiles, [image.id for image in images], uid, key="some", revision=revision, tile_px=110
)
if clicked is not None:
    for name in LINKED:
        st.query_params.pop(name, None)
    st.switch_page("views/similar.py", query_params={**here, "id": images[clicked].id})
st.markdown("#### And then")
ways(THEN, here)
