"""Composition: what are the samples made of, and how diverse are they?"""

from __future__ import annotations

import streamlit as st

from core.composition import composed
from core.errors import CoreError
from dashboard import state
from dashboard.parts import bars, composing, empty, filters

view = empty.opened()
composing.something_to_count(view)
filtered = filters.bar(view)
if filtered.nothing:
    filters.nothing_passes(view)
    st.stop()
known = state.columns(view)
try:
    asked = composing.choices(view)
    made = composed(known, asked.kinds, only=filtered.only, **asked.how)
    order = composing.order(asked, made)
    if order is not None:
        made = composed(known, asked.kinds, only=filtered.only, **asked.how, order=order)
except CoreError as error:
    state.say(error)
    st.stop()
composing.hints(known, asked, made)
bars.chart(view, made, asked, revision=f"{order} {filtered.only}")
bars.behind(view, filtered.only)
composing.tables(view, made, asked)
composing.meaning(made, asked)
