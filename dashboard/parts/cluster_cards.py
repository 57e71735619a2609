"""All clusters at a glance: a card each, with its most central images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.catalogue import Image
from core.columns import natural
from core.edits import NOISE
from core.grouping import Group, Grouping
from core.library import View
from dashboard import state
from dashboard.parts.gallery import gallery
from dashboard.parts.tiles import image_tile

AT_ONCE = 24
ORDERS = {"size": "Size", "stability": "Stability", "name": "Name"}
BASIS = {
    "labels": ":material/label:",
    "measures": ":material/straighten:",
    "text guess": ":material/psychology_alt:",
}
STEADY, LOOSE = 0.75, 0.5
"""Hennig (2007): clusters found again less than 0.75 alike are doubtful, below 0.5 dissolved."""


def cards(view: View, found: Grouping) -> None:
    """The cards, in an order to choose, noise at the end."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(summary(found), width="stretch")
        key = state.linked("sort", list(ORDERS), "size")
        order = st.segmented_control(
            "Order by", list(ORDERS), format_func=ORDERS.get, key=key, required=True,
            label_visibility="collapsed", on_change=state.follow, args=("sort", key),
            help="The largest first, the steadiest first, or by name.",
        )  # fmt: skip
    ordered = in_order(found.groups, order)
    shown = ordered[: _shown(len(ordered))]
    listed = [*shown, *([found.noise] if found.noise else [])]
    every = [id for group in listed for id in group.central]
    images = {i.id: i for i in state.library().catalogue.images(view.collection.uid, every)}
    grid = st.grid(min_column_width=290, border=True, gap="small")
    for group in listed:
        with grid, st.container(key=f"card {group.number}", gap="xsmall"):
            card(view, found, group, images)
    if len(shown) < len(ordered):
        more = min(AT_ONCE, len(ordered) - len(shown))
        st.button(
            f"Show {more} more", icon=":material/expand_more:", on_click=state.set_link,
            kwargs={"shown": len(shown) + more},
        )  # fmt: skip


def _shown(n: int) -> int:
    text = st.query_params.get("shown", "")
    return max(AT_ONCE, min(int(text), n)) if text.isdecimal() and len(text) < 7 else AT_ONCE


def summary(found: Grouping) -> str:
    """How much is in clusters, in a line."""
    covered = len(found.ids) - found.uncovered
    inside = sum(group.size for group in found.groups)
    n = len(found.groups)
    text = f"**{n} cluster{'' if n == 1 else 's'}** of {inside:,} images"
    if found.noise:
        text += f" · {found.noise.size:,} ({found.noise.size / covered:.0%}) in none"
    if found.uncovered:
        text += f" · {found.uncovered:,} came later and are not clustered yet"
    return text


def in_order(groups: Sequence[Group], order: str) -> list[Group]:
    """The largest first, the steadiest first (unmeasured last), or by name, named ones first."""
    if order == "stability":
        return sorted(groups, key=lambda g: (g.stability is None, -(g.stability or 0), -g.size))
    if order == "name":
        return sorted(groups, key=lambda g: (not g.name, natural(g.name or ""), g.number))
    return sorted(groups, key=lambda g: (-g.size, g.number))


def card(view: View, found: Grouping, group: Group, images: Mapping[str, Image]) -> None:
    """One cluster: what it is called, how far it can be trusted, what it looks like."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title = state.as_text(group.called[:1].upper() + group.called[1:])
        st.markdown(f"**{title}**", width="stretch")
        if group.number != NOISE:
            badge(group)
    suggestion(group)
    uid = view.collection.uid
    there = [images[id] for id in group.central if id in images]
    tiles = [replace(image_tile(uid, image), title="", hint=Path(image.id).name) for image in there]
    event = gallery(
        tiles, key=f"central {group.number}", tile_px=78, selectable=False,
        revision=f"{found.name} {found.revision} {group.number} {group.central}",
        label=f"Most central images of {group.called}",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.caption("  \n".join(facts(group)), width="stretch")
        opened = st.button(
            "Open", key=f"open {group.number}", icon=":material/open_in_full:", type="tertiary"
        )
    if opened or (event is not None and event.clicked is not None):
        state.set_link(cluster=group.number, band=None, shown=None)
        st.rerun()


def suggestion(group: Group) -> None:
    """What it could be called, and how one comes to think so."""
    if group.suggested is None or group.suggested.name == group.name:
        return
    found = group.suggested
    kind = {"labels": "labelled", "measures": "looks", "text guess": "a guess:"}[found.basis]
    st.caption(
        f"{BASIS[found.basis]} {kind} *{state.as_text(found.name)}*",
        help=state.as_text(found.about),
    )


def facts(group: Group) -> list[str]:
    """Size, share, how large they are, the commonest label."""
    share = f"{group.share:.1%}" if group.share < 0.1 else f"{group.share:.0%}"
    lines = [f"**{group.size:,}** image{'' if group.size == 1 else 's'} · {share}"]
    if group.sizes is not None:
        lines[0] += f" · {group.sizes.said()}"
    if group.label is not None:
        label = state.as_text(group.label.label)
        lines.append(f"{label} {group.label.share:.0%} of {group.label.labelled:,} labelled")
    return lines


def badge(group: Group) -> None:
    """How far a cluster can be trusted, in a word, and in a sentence on pointing at it."""
    word, colour, about = trusted(group.stability)
    st.badge(word, color=colour, help=about)


def trusted(stability: float | None) -> tuple[str, str, str]:
    """A word, its colour and a sentence for a stability."""
    if stability is None:
        return (
            "not measured", "gray",
            "How well this cluster holds together was not measured; clusters edited by hand are "
            "not measured either.",
        )  # fmt: skip
    told = f"Clustering parts of the collection again finds this group {stability:.0%} alike: "
    if stability >= STEADY:
        return "steady", "green", told + "it does not hang on a few images."
    if stability >= LOOSE:
        return "loose", "orange", told + "its core is real, where it ends is uncertain."
    return "falls apart", "red", told + "do not take it for a kind without looking through it."
