"""The maps of two encoders next to each other: what is selected or clicked on one shows on both."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from core import analysis, mapdata, mapdrawn
from core.errors import CoreError
from core.evaluation.storing import Evaluation
from core.library import View
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.empty import start
from dashboard.parts.encodernames import called
from dashboard.parts.evaluations import encoders_of
from dashboard.parts.map import scatter_map
from dashboard.parts.mapping import map_arguments
from dashboard.routes import plotly_url

TALL = 420
PREFERRED = ("umap", "pca")


def maps(view: View, found: Evaluation, names: Sequence[str], query: str) -> str | None:
    """Draw both maps; gives the id of a dot that was clicked.

    Parameters
    ----------
    query : str
        The image ringed on both, with its nearest of each encoder.
    """
    sides = {name: _view_of(view, name) for name in names}
    drawn = {name: side for name, side in sides.items() if side is not None and _made(side)}
    methods = [m for m in PREFERRED if all(m in _made(side) for side in drawn.values())]
    colour = _colour(list(drawn.values()))
    with st.container(key="split-maps"):
        columns = st.columns(len(names), gap="small")
    clicked = None
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        with column:
            st.markdown(f"**{state.as_text(called(name))}**")
            side = sides[name]
            if side is None:
                st.caption(
                    "A map needs stored vectors: keep this one as an encoder, under *Robustness "
                    "and cost*."
                )
            elif name not in drawn:
                _offer(side)
            else:
                method = methods[0] if methods else _made(side)[0]
                clicked = _map(side, found, query, method, colour, place) or clicked
    if len(drawn) == len(names):
        st.caption(
            ":material/lasso_select: **Box or lasso** images on one map: they stand out on the "
            "other too. :material/left_click: **Click** a dot to see its neighbours in both, "
            "below; they are ringed."
        )
    return clicked


def _view_of(view: View, encoder: str) -> View | None:
    """The collection as that encoder sees it; None where its vectors are not stored."""
    return state.view(view.collection, encoder) if encoder in encoders_of(view) else None


def _made(side: View) -> list[str]:
    return list(analysis.maps(state.library(), side))


def _offer(side: View) -> None:
    st.caption("It has no map yet.")
    pressed = st.button(
        "Make its map", icon=":material/map:", key=f"map of {side.encoding.encoder}",
        disabled=state.settings().read_only or bool(st.session_state.get("working")),
    )  # fmt: skip
    if pressed:
        start(map_arguments(side), f"Map {side.collection.name} seen by {side.encoding.encoder}")


def _colour(sides: Sequence[View]) -> str:
    """What dots are coloured by on both: labels where there are any, never one's own clusters."""
    every = [state.colourings(side) for side in sides]
    both = [key for key in every[0] if all(key in each for each in every)] if every else []
    plain = [key for key in both if not key.startswith("cluster:")]
    return "label" if "label" in plain else next(iter([*plain, *both]), "label")


def _map(
    side: View, found: Evaluation, query: str, method: str, colour: str, place: int
) -> str | None:
    uid = side.collection.uid
    try:
        data = state.map_of(side, method)
    except CoreError as error:
        state.say(error)
        return None
    places = state.places(data)
    selected = [places[id] for id in selecting.current(uid) if id in places]
    near = found.neighbours(side.encoding.encoder, query)
    urls = state.map_urls(side, data, method, colour, state.colour_version(side))

    def within(x: list[float], y: list[float], hidden: Collection[str]) -> list[int]:
        return mapdrawn.within(state.drawing(side, data, colour), x, y, hidden)

    event = scatter_map(
        key=f"evaluated map {place}",
        revision=data.revision,
        points_url=urls.points,
        point_url=urls.point,
        plotly_url=plotly_url(),
        within=within,
        held_url=urls.held,
        density_url=urls.density,
        query=places.get(query),
        matches=[places[id] for id in near if id in places],
        selected=selected,
        height=TALL,
        caption=mapdata.note(side, data),
    )
    if event is None:
        return None
    if event.kind == "click":
        known = event.clicked is not None and event.clicked < len(data.ids)
        return data.ids[event.clicked] if known else None  # type: ignore[index]
    chosen = [data.ids[row] for row in event.selected if row < len(data.ids)]
    # with shift more is gathered: what this map lacks of the selection then stays in it
    more = bool(selected) and set(selected) <= set(event.selected)
    if (selecting.add if more else selecting.put)(uid, chosen):
        st.rerun()  # all of the page: the sidebar counts them
    return None
