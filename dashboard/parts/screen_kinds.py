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
NAMED = 7
"""Labels named in a line."""


def enough(kinds: Sequence[KindSeen]) -> bool:
    """Whether labels can be put on two sides with images enough on each."""
    images = sorted((kind.images for kind in kinds), reverse=True)
    return len(images) > 1 and sum(images[1:]) >= FEWEST and images[0] >= FEWEST


def choose(view: View, kinds: Sequence[KindSeen]) -> tuple[str, ...]:
    """Show both sides and let kinds be moved across; gives the labels to drop."""
    names = [kind.name for kind in kinds]
    guess = guessed_drop(names)
    asked = st.query_params.get(NAME)
    said = names if asked is None else [unquote(part) for part in asked.split("|")]
    drop = guess if asked is None else [name for name in names if name in said]
    sides = {
        "keep": [kind for kind in kinds if kind.name not in drop],
        "drop": [kind for kind in kinds if kind.name in drop],
    }
    guessed = asked is None and bool(guess)
    with st.container(border=True, key="screen kinds"):
        icons = {"keep": "filter_vintage", "drop": "delete_sweep"}
        for column, (side, icon) in zip(st.columns(2, gap="large"), icons.items(), strict=True):
            column.markdown(f":material/{icon}: {_line(side, sides[side])}")
        if guessed:
            st.caption(
                ":material/psychology_alt: A filter learns from these labels what to store. What "
                "to drop is a guess from the names: what is on the wrong side is lost, or paid for."
            )
        many = st.expander(
            "Choose what to keep and what to drop", icon=":material/swap_horiz:",
            key="screen choose", on_change="rerun",
            expanded=not (sides["keep"] and sides["drop"]),
        )  # fmt: skip
        if many.open:
            with many:
                _sides(view, sides)
    return tuple(drop)


def _line(side: str, kinds: Sequence[KindSeen]) -> str:
    n = sum(kind.images for kind in kinds)
    verb = "Keep" if side == "keep" else "Drop"
    if not kinds:
        return f"**{verb} nothing yet**: choose below"
    names = ", ".join(state.as_text(kind.name) for kind in kinds[:NAMED])
    more = f" and {len(kinds) - NAMED} more" if len(kinds) > NAMED else ""
    return (
        f"**{verb} {len(kinds)} kind{'' if len(kinds) == 1 else 's'}** · {n:,} labelled "
        f"image{'' if n == 1 else 's'}  \n:gray[:small[{names}{more}]]"
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
    if NAME in st.query_params:
        st.button(
            "Back to the guess", icon=":material/undo:", type="tertiary", on_click=_set,
            args=(None,),
        )  # fmt: skip


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
