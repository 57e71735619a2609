"""History: what was said of images, by whom and when; people, and the names labels go by."""

from __future__ import annotations

import streamlit as st

from core import labels
from dashboard import state
from dashboard.parts import empty, histories
from dashboard.parts.labelling import who
from dashboard.parts.renaming import renaming

PARTS = {"actions": "What was said", "people": "People and labels", "names": "Names"}

view = empty.opened()
lib, uid = state.library(), view.collection.uid
if not labels.revision(lib.catalogue, uid):
    st.subheader("Nothing was said yet")
    st.write("Every label that images are given is kept here: who said it, when and why.")
    st.page_link("views/label.py", label="Go to Label", icon=":material/label:",
                 query_params={"collection": view.collection.name})  # fmt: skip
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    key = state.linked("part", list(PARTS), "actions")
    part = st.segmented_control(
        "Show", list(PARTS), format_func=PARTS.get, key=key, required=True,
        on_change=state.follow, args=("part", key),
    )  # fmt: skip
    by = "" if state.settings().read_only or part == "people" else who(width=220)
if part == "people":
    histories.people(view)
elif part == "names":
    renaming(view, by=by)
else:
    asked = histories.filters(view)
    if asked["image"]:
        histories.card(view, asked["image"])
    histories.rows(view, asked, by=by)
