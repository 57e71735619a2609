"""Similar: which images look like this one?"""

from __future__ import annotations

import base64
import random

import streamlit as st

from core import labels, matching, sheets
from core.errors import CoreError, EncoderError, ImageError, NotFoundError
from core.ranging import value_range_of
from dashboard import state
from dashboard.parts import empty, filters, queries, selecting, sets
from dashboard.parts.explain import explain
from dashboard.parts.gallery import gallery
from dashboard.parts.growing import grow_button
from dashboard.parts.paste import pasted
from dashboard.parts.selecting import ticked
from dashboard.parts.taking import zip_button
from dashboard.parts.tiles import image_tile, label_text, match_tiles, picture_tile, size_text
from dashboard.parts.walk import go, step, steps

COUNTS = (6, 12, 24, 48, 96)
ORDERS = {"distance": "Distance", "size": "Size"}
UPLOAD_PX = 640

view = empty.opened()
lib, collection, ids = state.library(), view.collection, view.snapshot.ids
uid = collection.uid

with st.sidebar:
    key = state.linked("k", COUNTS, 24)
    k = st.select_slider(
        "Matches",
        COUNTS,
        key=key,
        on_change=state.follow,
        args=("k", key),
        help="How many to show.",
    )


@st.cache_data(max_entries=32, show_spinner=False)
def upload_address(digest: str, value_range: tuple[float, float] | None) -> str:
    """An upload as a browser can show it, whatever format it came in, in an address of its own.

    It is kept for whoever uploaded it, so there is no address to fetch it from.
    """
    data = sheets.as_png(
        queries.uploaded_bytes(digest), name="the uploaded picture", side=UPLOAD_PX,
        value_range=value_range,
    )  # fmt: skip
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


# what to look for
picture = pasted(key="query_paste")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    shuffled = st.button("Random image", icon=":material/shuffle:", type="primary")
    back, forward = steps()
    if st.button("", icon=":material/arrow_back:", help="Back", disabled=not back):
        step(-1)
    if st.button("", icon=":material/arrow_forward:", help="Forward", disabled=not forward):
        step(+1)
    queries.upload(view, picture)
    queries.pick_by_id(lib, uid)
    queries.describe(view)

filtered = filters.bar(view)
only, known_columns = filtered.only, filtered.known
if shuffled:
    go({"id": ids[random.choice(filtered.rows)] if filtered.rows else random.choice(ids)})
query = queries.asked()
try:
    with st.spinner("Looking for the nearest matches ..."):
        if query is None:
            query = queries.first(ids)
        if "upload" in query:
            data = queries.uploaded_bytes(query["upload"])
            result = matching.similar_to_image(
                lib, view, data, name="the uploaded picture", k=k, only=only,
                um_per_px=queries.pixel_size(), encoder=state.encoder_for(view),
                known=known_columns,
            )  # fmt: skip
        elif "text" in query:
            result = matching.similar_to_text(
                lib, view, query["text"], k=k, only=only, encoder=state.encoder_for(view),
                known=known_columns,
            )  # fmt: skip
        elif "set" in query:
            chosen = sets.marked(lib, uid, query["set"])
            unlike = sets.marked(lib, uid, query["unlike"]) if "unlike" in query else []
            result = matching.similar_to_set(
                lib, view, chosen, unlike=unlike, k=k, only=only, known=known_columns
            )
        else:
            result = matching.similar_to_id(
                lib, view, query["id"], k=k, only=only, known=known_columns
            )
except EncoderError as error:
    state.say(error)
    st.stop()
except ImageError as error:
    state.say(error)
    st.caption("Expected a picture: PNG, JPEG, TIFF, BMP, GIF, WebP or most others, up to 20 MB.")
    st.stop()
except NotFoundError as error:
    state.say(error)
    st.caption("Choose a random image, or pick one by its id.")
    st.stop()
except CoreError as error:
    state.say(error)
    st.stop()

with st.container(key="split-similar"):
    left, right = st.columns([1, 2.9], gap="medium")
itself, compared = None, left.container()
with left:
    if "id" in query:
        itself, matches = result.matches[0], result.matches[1:]
        image = itself.image
        gallery(
            [image_tile(uid, image, large=True)], key="query", revision=f"query {image.id}",
            tile_px=220, selectable=False, label="The query",
        )  # fmt: skip
        compared = st.container()
        known = labels.current(lib.catalogue, uid, [image.id]).get(image.id)
        label = label_text(known.label, known.status) if known else ""
        queries.facts(
            label or "No label",
            {
                "frame": size_text(image),
                "sample": image.sample,
                "picture": f"{image.width} × {image.height} px" if image.width else "",
                **image.metadata,
                "id": image.id,
            },
        )
        st.page_link(
            "views/history.py", label="History", icon=":material/history:",
            help="Who said what of this image, and when",
            query_params={
                "collection": collection.name, "encoder": view.encoding.encoder, "image": image.id,
            },
        )  # fmt: skip
    else:
        matches = result.matches
        if "upload" in query and result.asked is not None:
            own = result.asked
            upload = upload_address(query["upload"], value_range_of(collection.options))
            gallery(
                [picture_tile(upload, own, title="The picture you uploaded")],
                key="query", revision=f"query {query}", tile_px=220, selectable=False,
                label="The query",
            )  # fmt: skip
            st.caption(f"**frame** {state.as_text(size_text(own))}")
        elif "set" in query:
            sets.shown_set(lib, uid, chosen, unlike)
        else:
            st.markdown(f"### “{state.as_text(query['text'])}”")
            st.caption("Text search on plankton is weak; read the matches as hints.")
    grown = [query["id"]] if "id" in query else chosen if "set" in query else []
    if grown:
        grow_button(view, grown, key="grow query")
    for note in result.notes:
        st.caption(note)
    if not result.exact:
        st.caption("Approximate: this collection does not fit in memory, so its server searched.")

with right:
    if not matches and filtered.only.as_link():
        filters.nothing_passes(view, other="id" in query)
        st.stop()
    if not matches:
        st.info("Nothing else to compare with yet: this is the only image.", icon=":material/info:")
        st.stop()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        among = "that pass the filter" if only.active else f"of {len(ids):,}"
        st.markdown(f"**{len(matches)} nearest {among}** · click one to go on", width="stretch")
        key = state.linked("order", list(ORDERS), "distance")
        order = st.segmented_control(
            "Order by", list(ORDERS), format_func=ORDERS.get, key=key, required=True,
            label_visibility="collapsed", on_change=state.follow, args=("order", key),
            help="The nearest first, or the smallest picture first (its longer side).",
        )  # fmt: skip
        name = f"{collection.name}-similar"
        st.download_button(
            "CSV", lambda: sheets.matches_csv(result), f"{name}.csv", "text/csv",
            icon=":material/table:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Sheet", lambda: sheets.matches_sheet(lib, uid, result), f"{name}.png", "image/png",
            icon=":material/grid_on:", on_click="ignore",
            help="A contact sheet of these matches as one picture.",
        )  # fmt: skip
        zip_button(lib, view, [match.image for match in result.matches], name=name)
    if "set" in query:
        with st.container(horizontal=True, gap="small"):
            sets.judge(lib, uid, result, chosen, unlike)
    if order == "size":
        matches = matching.by_size(matches)
    revision = f"{view.snapshot.version} {query} {k} {order} {only}"
    shown_ids = [match.image.id for match in matches]
    clicked = ticked(
        match_tiles(uid, matches, result.asked), shown_ids, uid, key="matches", revision=revision,
        label="Nearest matches",
    )  # fmt: skip
    if clicked is not None:
        go({"id": shown_ids[clicked]})
    with compared:
        if itself is not None:
            last = [id for id in selecting.current(uid) if id in set(shown_ids)][-1:]
            explain(lib, view, itself.image, lib.catalogue.images(uid, last))
