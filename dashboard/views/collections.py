"""Collections: bring images in, watch progress, see what was skipped, delete."""

from __future__ import annotations

import streamlit as st

from core import jobs
from core.catalogue import check_name
from core.errors import CoreError
from core.managing import size_on_disk, summary
from dashboard import state
from dashboard.parts import empty
from dashboard.parts.adding import add_images
from dashboard.parts.running import job_card

ENDED = 3  # finished jobs shown, so that images can be added without scrolling far

lib, settings = state.library(), state.settings()
st.title("Collections")

for job in [job for job in jobs.listed(lib.workspace) if not job.active][:ENDED]:
    job_card(job.id)

entries = summary(lib)
by_name = {c.name: c for c in state.collections()}
if entries:
    st.dataframe(
        [
            {
                "Collection": e["name"],
                "Images": e["images"],
                "Encoder": e["encoder"],
                "Vector length": e["dimension"],
                "On disk (MB)": size_on_disk(lib, by_name[e["name"]]) / 1e6,
                "Made (UTC)": by_name[e["name"]].created[:16].replace("T", " "),
            }
            for e in entries
        ],
        hide_index=True,
        width="stretch",
        column_config={
            "On disk (MB)": st.column_config.NumberColumn(format="%.1f"),
            "Images": st.column_config.NumberColumn(format="localized"),
        },
    )
else:
    empty.offer(here=True)

if settings.read_only:
    st.info("This dashboard only shows; collections are changed on the command line.")
    st.stop()

add_images()

if entries and st.session_state.picked is not None:
    chosen = st.session_state.picked.collection.name
    st.subheader(f"Change “{state.as_text(chosen)}”")
    st.caption("The collection chosen in the sidebar.")
    here = [e for e in entries if e["name"] == chosen]
    with st.container(horizontal=True):
        with st.popover("Make its map again", icon=":material/map:"):
            which = st.selectbox("Seen by", [e["encoder"] for e in here], key=f"map of {chosen}")
            if st.button("Make the map", type="primary"):
                empty.start(["map", "--collection", chosen, "--encoder", which], f"Map {chosen}")
        with st.popover("Rename", icon=":material/edit:"):
            new = st.text_input("New name", value=chosen, key=f"rename {chosen}")
            if st.button("Rename", type="primary", disabled=new == chosen):
                try:
                    check_name(new)
                except CoreError as error:
                    state.say(error)
                else:
                    arguments = ["rename", "--collection", chosen, "--to", new]
                    empty.start(arguments, f"Rename {chosen} to {new}")
        with st.popover("Delete", icon=":material/delete:"):
            st.write(
                f"Deletes {sum(e['images'] or 0 for e in here):,} vectors, thumbnails, maps and "
                f"clusters of “{state.as_text(chosen)}”. Your image files are not touched, and "
                "labels come back when the same images are indexed under this name."
            )
            typed = st.text_input("Type its name to confirm", key=f"delete {chosen}")
            if st.button("Delete", type="primary", disabled=typed != chosen):
                empty.start(["delete", "--collection", chosen], f"Delete {chosen}")
