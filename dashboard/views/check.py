"""Check: labels that are probably wrong, near-duplicates that disagree, kinds that overlap."""

from __future__ import annotations

import streamlit as st

from core import labels
from dashboard import state
from dashboard.parts import checked, checking, empty
from dashboard.parts.labelling import who

PARTS = {
    "mistakes": "Probable mistakes",
    "duplicates": "Near-duplicates",
    "overlaps": "Overlapping kinds",
}

view = empty.opened()
lib, uid = state.library(), view.collection.uid
if not labels.revision(lib.catalogue, uid):
    st.subheader("There is no label yet")
    st.write("Once images have labels, what may be wrong with them is found here.")
    st.page_link("views/label.py", label="Go to Label", icon=":material/label:",
                 query_params={"collection": view.collection.name})  # fmt: skip
    st.stop()
current = checking.held(view)
found = state.standing(view, current.checkup)
counts = {
    "mistakes": len(found.mistakes),
    "duplicates": len(found.duplicates),
    "overlaps": len(found.overlaps),
}
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    key = state.linked("part", list(PARTS), "mistakes")
    part = st.segmented_control(
        "Look through", list(PARTS), format_func=lambda p: f"{PARTS[p]} ({counts[p]:,})", key=key,
        required=True, on_change=state.follow, args=("part", key),
    )  # fmt: skip
    by = "" if state.settings().read_only else who(width=220)
    checking.again(view)
st.caption(checked.account(found, current, labels.revision(lib.catalogue, uid)))
if said := st.session_state.pop("conflicts", None):
    st.warning(said, icon=":material/group:")
if why := found.why.get(part):
    st.info(state.as_text(f"Not enough to go by: {why}."), icon=":material/info:")
    st.stop()
if part == "mistakes":
    checked.mistakes(view, current, found, by=by)
elif part == "duplicates":
    checked.duplicates(view, current, found, by=by)
else:
    checked.overlaps(view, found)
