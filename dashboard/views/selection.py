"""Selection: what was gathered, to be looked at, labelled, kept and taken away."""

from __future__ import annotations

import streamlit as st

from core import exporting, selections, sheets
from dashboard import state
from dashboard.parts import empty, keeping, selecting, sets
from dashboard.parts.gallery import gallery
from dashboard.parts.growing import grow_button
from dashboard.parts.labelling import label_images
from dashboard.parts.taking import zip_button
from dashboard.parts.tiles import labelled_tiles
from dashboard.parts.walk import LINKED

SHOWN = 500

view = empty.opened()
lib, collection = state.library(), view.collection
uid = collection.uid
here = {"collection": collection.name, "encoder": view.encoding.encoder}
images = lib.catalogue.images(uid, selecting.current(uid))
ids = [image.id for image in images]
if not ids:
    st.subheader("Nothing selected yet")
    st.markdown(
        ":material/check_box: **Tick** images anywhere: on Home, on Similar, beside the map  \n"
        ":material/lasso_select: **Lasso or box** many on the map  \n"
        "They are gathered here, to be labelled, kept under a name, exported, or to look for more "
        "like them."
    )
    with st.container(horizontal=True, gap="medium"):
        st.page_link("views/map.py", label="Go to the map", icon=":material/scatter_plot:",
                     query_params=here, width="content")  # fmt: skip
        st.page_link("views/similar.py", label="Find similar images", query_params=here,
                     icon=":material/image_search:", width="content")  # fmt: skip
    keeping.kept(lib, uid)
    st.stop()

shown, name = images[:SHOWN], f"{collection.name}-selection"
n = len(ids)
st.markdown(f"#### {n:,} image{'' if n == 1 else 's'} selected")
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    more = st.button("More like these", icon=":material/image_search:", type="primary")
    label_images(lib, uid, ids)
    grow_button(view, ids, key="grow selection")
    keeping.keep(lib, uid)
    st.download_button(
        "CSV", lambda: exporting.csv_bytes(lib, view, ids), f"{name}.csv", "text/csv",
        icon=":material/table:", on_click="ignore",
    )  # fmt: skip
    st.download_button(
        "Sheet", lambda: sheets.selection_sheet(lib, uid, shown), f"{name}.png", "image/png",
        icon=":material/grid_on:", on_click="ignore",
        help="A contact sheet of the images shown as one picture.",
    )  # fmt: skip
    zip_button(lib, view, images, name=name)
if more:
    st.switch_page("views/similar.py", query_params={**here, **sets.more_like(lib, uid, ids)})

said = "Click one to see what is like it; tick some to take them out, or to keep only them."
st.caption(said if n <= SHOWN else f"The first {SHOWN} are shown. {said}")
revision = f"selection {selections.digest_of(ids)}"
chosen = st.session_state.get("within", ("", ()))
chosen = chosen[1] if chosen[0] == revision else ()
out = only = False
with st.container(horizontal=True, gap="small"):  # there in any case: the gallery stays in place
    if chosen:
        out = st.button(f"Take out the ticked ({len(chosen)})", icon=":material/remove:")
        only = st.button(f"Keep only the ticked ({len(chosen)})", icon=":material/done:")
if out or only:
    ticked = {shown[row].id for row in chosen}
    selecting.put(uid, [id for id in ids if (id in ticked) == only])
    st.rerun()
event = gallery(
    labelled_tiles(lib, uid, shown), key="selection", revision=revision, selected=chosen,
    tile_px=104, label="Selected images",
)  # fmt: skip
if event is not None and event.clicked is not None:
    for each in LINKED:
        st.query_params.pop(each, None)
    st.switch_page("views/similar.py", query_params={**here, "id": shown[event.clicked].id})
if event is not None and event.selected != chosen:
    st.session_state.within = (revision, event.selected)
    st.rerun()
keeping.kept(lib, uid)
