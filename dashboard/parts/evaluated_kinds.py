"""What an encoder makes of each kind: figures, what is taken for what, the pictures behind it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.evaluation.storing import Evaluation
from core.filtering import Condition, Filter
from core.library import View
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.encodernames import called
from dashboard.parts.matrix import matrix
from dashboard.parts.tiles import labelled_tiles

WAYS = {"probe": "A classifier", "knn": "Nearest votes"}
KINDS = 60
"""Kinds that a matrix shows; of more, those that are most often taken for another."""
SHOWN = 120
"""Pictures of a cell."""
APART = {True: "yes", False: "no", None: "too few to say"}


def kinds(view: View, found: Evaluation) -> None:
    """Which encoder, its matrix with the pictures behind a cell, and the table of kinds."""
    decided = [name for name in found.encoders if found.decided.get(name)]
    if not decided:
        st.info("Nothing was decided about kinds: there are labels of fewer than two.",
                icon=":material/info:")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        key = state.linked("look", decided, decided[0])
        encoder: str = st.segmented_control(
            "Seen by", decided, key=key, format_func=called, required=True,
            on_change=state.follow, args=("look", key),
        ) or decided[0]  # fmt: skip
        key = state.linked("way", list(WAYS), "probe")
        way: str = st.segmented_control(
            "Decided by", list(WAYS), key=key, format_func=WAYS.get, required=True,
            on_change=state.follow, args=("way", key),
            help="A logistic regression tested on images it was not trained on, or the 5 nearest "
            "images, each left out of its own vote.",
        ) or "probe"  # fmt: skip
    _lost(found.row(encoder))
    st.subheader("What is taken for what", anchor=False)
    _matrix(view, found, encoder, way)
    st.subheader("Kinds", anchor=False)
    table(found, encoder)


def _lost(row: dict[str, Any]) -> None:
    """Which kinds the encoder cannot separate at all."""
    every = row.get("kinds") or []
    lost = [each for each in every if each["told_apart"] is False]
    few = sum(each["told_apart"] is None for each in every)
    if lost:
        named = "; ".join(_confused(each) for each in lost)
        st.warning(
            f"**{len(lost)} of {len(every)} kinds cannot be told apart with it**, however labels "
            f"are proposed: {state.as_text(named)}.",
            icon=":material/join_inner:",
        )
    else:
        st.success("Every kind with images enough to say is told apart more often than not.",
                   icon=":material/check_circle:")  # fmt: skip
    if few:
        st.caption(f"Of {few} kind{'' if few == 1 else 's'} there are fewer than 5 images: nothing "
                   "is said of them.")  # fmt: skip


def _confused(each: dict[str, Any]) -> str:
    taken = each["taken_for"]
    return f"{each['kind']} (taken for {taken[0]['kind']})" if taken else str(each["kind"])


@st.fragment
def _matrix(view: View, found: Evaluation, encoder: str, way: str) -> None:
    """The matrix; only this part is drawn again after a click."""
    counts = found.confusion(encoder, way=way).tolist()
    order = _shown(counts)
    names = [found.kinds[number] for number in order]
    cells = {
        (row, column): counts[kind][other]
        for row, kind in enumerate(order)
        for column, other in enumerate(order)
        if counts[kind][other]
    }
    asked = st.query_params.get("kind"), st.query_params.get("taken")
    chosen = None
    if asked[0] in names and asked[1] in names:
        chosen = names.index(asked[0]), names.index(asked[1])
    clicked = matrix(
        names, cells, [sum(counts[kind]) for kind in order], key="evaluated matrix",
        revision=f"{found.meta['at']} {encoder} {way}", chosen=chosen,
    )  # fmt: skip
    more = len(found.kinds) - len(names)
    st.caption(
        ":material/left_click: **Click a cell** to see its pictures. A row is what images are, a "
        "column what they are taken for; the stronger the colour, the larger the share of the row."
        + (f" The {KINDS} kinds most often taken for another; {more} more are in the table below."
           if more > 0 else "")
    )  # fmt: skip
    if clicked is not None:
        state.set_link(kind=names[clicked[0]], taken=names[clicked[1]])
        st.rerun(scope="fragment")
    with st.container():  # there in any case, so that what follows is not drawn anew
        if chosen is not None and chosen in cells:
            _behind(view, found, encoder, way, names[chosen[0]], names[chosen[1]])
        elif chosen is not None:
            st.info(state.as_text(f"No {asked[0]} was taken for {asked[1]} so."),
                    icon=":material/info:")  # fmt: skip


def _shown(counts: list[list[int]]) -> list[int]:
    """Kinds of the matrix, in their natural order."""
    every = range(len(counts))
    if len(counts) <= KINDS:
        return list(every)
    wrong = [
        sum(counts[kind]) + sum(row[kind] for row in counts) - 2 * counts[kind][kind]
        for kind in every
    ]
    return sorted(sorted(every, key=lambda kind: -wrong[kind])[:KINDS])


def _behind(view: View, found: Evaluation, encoder: str, way: str, kind: str, taken: str) -> None:
    """The pictures of a cell, to be looked at and selected."""
    lib, uid = state.library(), view.collection.uid
    ids = found.cell(encoder, kind, taken, way=way)
    images = lib.catalogue.images(uid, ids[:SHOWN])
    n = len(ids)
    here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
    said = (
        f"{n:,} {kind} taken for what they are"
        if kind == taken
        else f"{n:,} {kind} taken for {taken}"
    )
    with st.container(border=True, key="cell"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            some = f", the first {len(images)} below" if len(images) < n else ""
            st.markdown(f"#### {state.as_text(said)}{some}", width="stretch")
            if st.button(f"Select all {n:,}" if n > 1 else "Select it", icon=":material/check_box:",
                         key="cell select") and selecting.add(uid, ids):  # fmt: skip
                st.rerun()
            both = Filter((Condition("label", tuple(dict.fromkeys((kind, taken)))),))
            st.page_link(
                "views/map.py", label="Both kinds on the map", icon=":material/scatter_plot:",
                query_params={**here, "filter": both.as_link(), "colour": "label"},
                width="content",
            )  # fmt: skip
            if st.button("Close", icon=":material/close:", type="tertiary", key="cell close"):
                state.set_link(kind=None, taken=None)
                st.rerun(scope="fragment")
        how = "Click a picture to see what is like it; tick some to select them."
        st.caption(_elsewhere(found, encoder, way, kind, taken) + how)
        shown = [image.id for image in images]
        clicked = selecting.ticked(
            labelled_tiles(lib, uid, images), shown, uid, key="cell pictures",
            revision=f"{found.meta['at']} {encoder} {way} {kind} {taken}", tile_px=96, height=460,
            label="Pictures behind the cell",
        )  # fmt: skip
    if clicked is not None:
        st.switch_page("views/similar.py", query_params={**here, "id": shown[clicked]})


def _elsewhere(found: Evaluation, encoder: str, way: str, kind: str, taken: str) -> str:
    """How many there are with the other encoders."""
    others = [
        f"{len(found.cell(name, kind, taken, way=way)):,} with {state.as_text(called(name))}"
        for name in found.encoders
        if name != encoder and found.decided.get(name)
    ]
    return f"{', '.join(others)}. " if others else ""


def table(found: Evaluation, encoder: str) -> None:
    """A row a kind, the best found first."""
    rows = found.row(encoder).get("kinds") or []
    st.dataframe(
        [
            {
                "Kind": each["kind"],
                "Images": each["images"],
                "Of 24 nearest": each["precision_at_24"]["value"],
                "at best": each["ceiling"],
                "Found by a classifier": each["linear_probe_recall"]["value"],
                "from": (each["linear_probe_recall"]["ci95"] or [None, None])[0],
                "to": (each["linear_probe_recall"]["ci95"] or [None, None])[1],
                "Found by votes": each["knn_recall"]["value"],
                "Told apart": APART[each["told_apart"]],
                "Taken for": ", ".join(f"{t['kind']} {t['images']}" for t in each["taken_for"]),
            }
            for each in rows
        ],
        hide_index=True, width="stretch", height=min(38 * (len(rows) + 1), 620),
        column_config={
            **{
                name: st.column_config.ProgressColumn(
                    name, min_value=0.0, max_value=1.0, format="%.2f", help=about
                )
                for name, about in (
                    ("Of 24 nearest", "Of the 24 nearest of its images, how many are of the kind."),
                    ("Found by a classifier", "Share of its images that are given their own kind."),
                    ("Found by votes", "The same, by votes of the 5 nearest."),
                )
            },
            **{name: st.column_config.NumberColumn(name, format="%.2f", help=about)
               for name, about in (
                   ("at best", "What a perfect encoder gets of the 24 nearest."),
                   ("from", "The classifier's share: lower end of the 95 % interval."),
                   ("to", "The classifier's share: upper end of the 95 % interval."),
               )},
            "Told apart": st.column_config.TextColumn(
                help="no: got wrong more often than right for sure, by classifier and votes alike."
            ),
            "Taken for": st.column_config.TextColumn(help="By the classifier, with images."),
        },
    )  # fmt: skip
