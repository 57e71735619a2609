"""Which labels a filter keeps and which it drops: a picture each, moved by a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

import streamlit as st

from core.library import View
from core.screen_views import KindSeen, guessed_drop
from core.screening import FEWEST
from dashboard import state
from dashboard.parts.gallery import gallery
from dashboard.parts.tiles import image_tile

NAME = "drop"
"""In the link: the labels to drop; all others are kept, those that come later too."""
NAMED = 4
"""Labels named in a line."""


def enough(kinds: Sequence[KindSeen]) -> bool:
    """Whether labels can be put on two sides with images enough on each."""
    images = sorted((kind.images for kind in kinds), reverse=True)
    return len(images) > 1 and sum(images[1:]) >= FEWEST and images[0] >= FEWEST


def dropped(kinds: Sequence[KindSeen]) -> tuple[str, ...]:
    """The labels to drop: those that the link names, or a guess from the names."""
    names = [kind.name for kind in kinds]
    asked = st.query_params.get(NAME)
    if asked is None:
        return tuple(guessed_drop(names))
    said = {unquote(part) for part in asked.split("|")}
    return tuple(name for name in names if name in said)


def choose(view: View, kinds: Sequence[KindSeen]) -> None:
    """Show both sides and let kinds be moved across."""
    drop = dropped(kinds)
    sides = {
        "keep": [kind for kind in kinds if kind.name not in drop],
        "drop": [kind for kind in kinds if kind.name in drop],
    }
    with st.container(border=True, key="screen kinds", gap="small"):
        icons = {"keep": "filter_vintage", "drop": "delete_sweep"}
        said = (f":material/{icon}: {_line(side, sides[side])}" for side, icon in icons.items())
        guessed = NAME not in st.query_params and drop
        st.markdown(
            "  \n".join(said)
            + (
                "  \n:gray[:small[A filter learns from these labels what to store. What to drop is "
                "a guess from the names: what is on the wrong side is lost, or paid for.]]"
                if guessed
                else ""
            )
        )
        many = st.expander(
            "Choose what to keep and what to drop", icon=":material/swap_horiz:",
            key="screen choose", on_change="rerun",
            expanded=not (sides["keep"] and sides["drop"]),
        )  # fmt: skip
        if many.open:
            with many:
                _sides(view, sides)


def _line(side: str, kinds: Sequence[KindSeen]) -> str:
    n = sum(kind.images for kind in kinds)
    verb = "Keep" if side == "keep" else "Drop"
    if not kinds:
        return f"**{verb} nothing yet**: choose below"
    names = ", ".join(state.as_text(kind.name) for kind in kinds[:NAMED])
    more = f" and {len(kinds) - NAMED} more" if len(kinds) > NAMED else ""
    return (
        f"**{verb} {len(kinds)} kind{'' if len(kinds) == 1 else 's'}**, {n:,} labelled "
        f"image{'' if n == 1 else 's'} :gray[({names}{more})]"
    )


def _sides(view: View, sides: dict[str, list[KindSeen]]) -> None:
    st.caption(":material/left_click: **Click a kind** to move it to the other side.")
    with st.container(key="split kinds"):
        columns = st.columns([3, 2], gap="large")
    titles = {"keep": "To keep", "drop": "To drop"}
    for column, (side, kinds) in zip(columns, sides.items(), strict=True):
        with column:
            st.markdown(f"**{titles[side]}**")
            _side(view, side, kinds, sides)
    if NAME in st.query_params and st.button(
        "Back to the guess", icon=":material/undo:", type="tertiary"
    ):
        _set(None)
        st.rerun()  # all of the page: another filter is trained


def _side(
    view: View, side: str, kinds: Sequence[KindSeen], sides: dict[str, list[KindSeen]]
) -> None:
    uid = view.collection.uid
    found = {i.id: i for i in state.library().catalogue.images(uid, [k.example for k in kinds])}
    shown = [kind for kind in kinds if kind.example in found]
    tiles = [
        replace(
            image_tile(uid, found[kind.example], title=kind.name, lines=[f"{kind.images:,}"]),
            about=None, um_per_px=None,
            hint=f"{kind.images:,} labelled images; click to move it to the other side",
        )
        for kind in shown
    ]  # fmt: skip
    event = gallery(
        tiles, key=f"screen {side}", revision=f"{uid} {[kind.name for kind in shown]}",
        tile_px=92, height=420, selectable=False, label=f"Kinds to {side}",
        empty=f"Nothing to {side} yet: click a kind on the other side.",
    )  # fmt: skip
    if event is not None and event.clicked is not None:
        moved = shown[event.clicked].name
        dropped = [kind.name for kind in sides["drop"] if kind.name != moved]
        _set([*dropped, moved] if side == "keep" else dropped)
        st.rerun()


def _set(drop: Sequence[str] | None) -> None:
    link = None if drop is None else "|".join(quote(name, safe=" ") for name in sorted(drop))
    state.set_link(**{NAME: link}, threshold=None)
