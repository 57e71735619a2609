"""Screen: a cheap filter that keeps the plankton and drops the rubbish, and what it may promise."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from dashboard import state
from dashboard.parts import empty
from dashboard.parts.screen_kinds import enough
from dashboard.parts.screen_made import opened_model, trained
from dashboard.parts.screen_page import body
from dashboard.parts.screen_sorting import sort_here, sorting_asked

view = empty.opened()
kinds = state.kinds_seen(view)
try:
    made = opened_model(view)
    if made is None and (not enough(kinds) or sorting_asked()):
        sort_here(view, kinds)
        st.stop()
    if made is None:
        made = trained(view, kinds)
except CoreError as error:
    state.say(error)
    st.stop()
body(view, made, kinds if "model" not in st.query_params else ())
