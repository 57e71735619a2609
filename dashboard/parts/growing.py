"""Growing a label on the label page: what it grows from, the next screen, and where to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from core.errors import CoreError
from core.library import View
from dashboard import state
from dashboard.parts import rounds, sets
from dashboard.parts.deciding import decide
from dashboard.parts.gallery import gallery
from dashboard.parts.labelling import who
from dashboard.parts.naming import WHAT, name_box
from dashboard.parts.tiles import image_tile

if TYPE_CHECKING:
    from core.growing import Growing

SEEDS = 9
"""Images of the set that are shown beside a screen."""


def grow_page(view: View, digest: str, size: int) -> None:
    """Everything the page shows while a set is grown.

    Parameters
    ----------
    digest : str
        What the link calls the set it began from.
    size : int
        Images on a screen.
    """
    lib, uid = state.library(), view.collection.uid
    try:
        seeds = sets.marked(lib, uid, digest)
        current = rounds.held(view, digest) or rounds.begin(view, grow=digest, seeds=seeds)
    except CoreError as error:
        state.say(error)
        st.caption("Select images anywhere, then choose *Grow a label* on Selection.")
        st.button("Back to the queue", icon=":material/arrow_back:", on_click=leave)
        return
    growing = cast("Growing", current.round)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = who(width=220)
        key = f"grow name {digest}"
        if key not in st.session_state:
            st.session_state[key] = growing.label
        name = name_box(WHAT, growing.vocabulary, key=key, width=420)
        if st.button("Stop growing", icon=":material/done:", type="primary"):
            stop(view, digest, growing)
    growing.label = name
    rounds.say_conflicts()
    with st.sidebar:
        _seeds(uid, growing, digest)
    try:
        screen = rounds.screen(view, current, "grow", size)
    except CoreError as error:
        state.say(error)
        return
    if not screen.ids:
        st.subheader("Nothing undecided is left to show")
        st.write("Every image of the collection has a label, or was turned down here.")
        st.button("Back to the queue", icon=":material/arrow_back:", on_click=leave)
        return
    if growing.stop_hint:
        said = f"{growing.stop_hint} Stop growing, or go on."
        st.info(state.as_text(said), icon=":material/front_hand:")
    st.caption(_so_far(growing))
    decide(uid, current, screen, name=name, by=by)


def _so_far(growing: Growing) -> str:
    account = growing.account()
    n, down = len(growing.members), len(growing.turned_down)
    said = [f"Growing from **{n:,}** image{'' if n == 1 else 's'}"]
    if account.decided:
        said.append(f"**{account.decided:,}** decided")
    if down:
        said.append(f"**{down:,}** turned down")
    return " · ".join(said)


def _seeds(uid: str, growing: Growing, digest: str) -> None:
    n = len(growing.seeds)
    st.caption("Began from" if n <= SEEDS else f"Began from {n:,}, among them")
    images = state.library().catalogue.images(uid, growing.seeds[:SEEDS])
    gallery(
        [image_tile(uid, image) for image in images], key="grow seeds", selectable=False,
        revision=f"seeds {digest}", tile_px=64, label="What it began from",
    )  # fmt: skip


def stop(view: View, digest: str, growing: Growing) -> None:
    """Back to the queue, with a word on what was done."""
    account = growing.account()
    if account.decided:
        name = state.as_text(growing.label or "")
        st.toast(
            f"{account.decided:,} images decided while growing {name}.", icon=":material/done:"
        )
    rounds.end(view, digest)
    leave()
    st.rerun()


def leave() -> None:
    """Take what is grown out of the link."""
    state.set_link(grow=None)


def grow_button(view: View, ids: list[str], *, key: str) -> None:
    """A button that goes on to growing a label from these images; none where nothing is written."""
    pressed = st.button(
        "Grow a label", icon=":material/hub:", key=key,
        disabled=state.settings().read_only or not ids,
        help="Shows the nearest images without a label, a screen at a time, until you say stop.",
    )  # fmt: skip
    if pressed:
        query = {"grow": sets.mark(state.library(), view.collection.uid, ids)}
        here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
        st.switch_page("views/label.py", query_params={**here, **query})
