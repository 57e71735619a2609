"""Map: what kinds of things are in here, and where?"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from core import analysis, labels, mapdata, mapdrawn, matching
from core.errors import CoreError
from dashboard import state
from dashboard.parts import empty, filters, selecting
from dashboard.parts.gallery import gallery
from dashboard.parts.map import scatter_map
from dashboard.parts.mapping import gathered, offer_map
from dashboard.parts.queries import facts
from dashboard.parts.tiles import image_tile, label_text, match_tiles, size_text
from dashboard.routes import plotly_url

METHODS = {"umap": "UMAP", "pca": "PCA"}
MATCHES = 24

view = empty.opened()
lib, collection = state.library(), view.collection
uid = collection.uid
made = analysis.maps(lib, view)
if not made:
    offer_map(view)

with st.sidebar:
    key = state.linked("method", list(made), next(iter(made)))
    method = st.radio(
        "Map", list(made), format_func=METHODS.get, key=key, horizontal=True,
        on_change=state.follow, args=("method", key),
        help="UMAP keeps neighbours together; PCA is the plain baseline: distances far apart mean "
        "more on it.",
    )  # fmt: skip
    colourings = state.colourings(view)
    key = state.linked("colour", list(colourings), next(iter(colourings)))
    colour = st.selectbox(
        "Colour by", list(colourings), format_func=colourings.get, key=key,
        on_change=state.follow, args=("colour", key),
    )  # fmt: skip
filtered = filters.bar(view)
with st.container():  # there in any case, so that the map is not drawn anew
    if filtered.nothing:
        filters.nothing_passes(view)


@st.fragment
def explore() -> None:
    """The map and what was clicked on it; only this part is drawn again after a click."""
    try:
        draw()
    except CoreError as error:
        state.say(error)


def draw() -> None:
    """The map on the left, what was clicked on the right, what was gathered below."""
    data = state.map_of(view, method)
    with st.container(key="split-map"):
        left, right = st.columns([3.1, 1], gap="medium")
    places = state.places(data)
    asked = st.query_params.get("point")
    chosen = asked if asked in places else None
    only = filtered.only
    result = (
        matching.similar_to_id(lib, view, chosen, k=MATCHES, only=only, known=filtered.known)
        if chosen
        else None
    )
    around = [m.image.id for m in result.matches[1:]] if result else []
    selected = [places[id] for id in selecting.current(uid) if id in places]
    link = only.as_link()
    if link and selected:  # what was gathered before and does not pass is left out
        selected = mapdata.among(data, selected, filtered.rows)
    urls = state.map_urls(view, data, method, colour, state.colour_version(view), link)

    def within(x: list[float], y: list[float], hidden: Collection[str]) -> list[int]:
        return mapdrawn.within(state.drawing(view, data, colour, link), x, y, hidden)

    with left:
        event = scatter_map(
            key="map",
            revision=data.revision,
            points_url=urls.points,
            point_url=urls.point,
            plotly_url=plotly_url(),
            within=within,
            held_url=urls.held,
            density_url=urls.density,
            query=places.get(chosen) if chosen else None,
            matches=[places[id] for id in around if id in places],
            selected=selected,
            caption=mapdata.note(view, data),
        )
    if event is not None:
        if event.kind == "click" and event.clicked is not None and event.clicked < len(data.ids):
            state.set_link(point=data.ids[event.clicked])
        elif event.kind == "clear":
            state.set_link(point=None)
        chosen = [data.ids[row] for row in event.selected if row < len(data.ids)]
        # with shift more is gathered: what the filter hides of the selection then stays in it
        more = bool(selected) and set(selected) <= set(event.selected)
        gather = selecting.add if more else selecting.put
        if event.kind != "click" and gather(uid, chosen):
            st.rerun()  # all of the page: the sidebar counts them
        st.rerun(scope="fragment")
    with right:
        if result is not None:
            opened(result)
        elif selected:
            st.caption("Click a dot, or a picture below, to open it here with its matches.")
        else:
            st.markdown("#### Touch the map")
            st.markdown(
                ":material/near_me: **Point** at a dot to see its picture  \n"
                ":material/left_click: **Click** one to open it with its nearest matches  \n"
                ":material/lasso_select: **Lasso or box** (tools above the map) to gather many  \n"
                ":material/zoom_in: **Scroll** to zoom, **drag** to move"
            )
    if selected:
        with left:
            clicked = gathered(lib, view, [data.ids[row] for row in selected])
        if clicked is not None:
            state.set_link(point=clicked)
            st.rerun(scope="fragment")


def opened(result: matching.Result) -> None:
    """The image that was clicked, and its matches beside the map."""
    image, matches = result.matches[0].image, result.matches[1:]
    gallery(
        [image_tile(uid, image, large=True)], key="opened", revision=f"opened {image.id}",
        tile_px=180, selectable=False, label="The image",
    )  # fmt: skip
    known = labels.current(lib.catalogue, uid, [image.id]).get(image.id)
    cluster = state.clusters(view).get(image.id)
    facts(
        label_text(known.label, known.status) if known else "No label",
        {
            "cluster": "" if cluster is None else ("noise" if cluster < 0 else cluster),
            "frame": size_text(image),
            "sample": image.sample,
            **image.metadata,
            "id": image.id,
        },
    )
    st.page_link(
        "views/similar.py", label="Open in Similar", icon=":material/image_search:",
        query_params={
            "collection": collection.name, "encoder": view.encoding.encoder, "id": image.id,
            **({filters.NAME: link} if (link := filtered.only.as_link()) else {}),
        },
    )  # fmt: skip
    if matches:
        st.caption(f"Its {len(matches)} nearest matches, ringed on the map")
        ids = [match.image.id for match in matches]
        clicked = selecting.ticked(
            match_tiles(uid, matches, image), ids, uid, key="around",
            revision=f"around {image.id} {view.snapshot.version} {filtered.only}",
            tile_px=84, height=420, label="Nearest matches",
        )  # fmt: skip
        if clicked is not None:
            state.set_link(point=ids[clicked])
            st.rerun(scope="fragment")


explore()
