"""A filter on the page: the target, what it costs, curves, pictures, and the way out."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import CoreError
from core.library import View
from core.screen import Screen
from core.screen_views import KindSeen
from dashboard import state
from dashboard.parts import screen_curves, screen_keep, screen_kinds, screen_pictures, screen_point


@st.fragment
def body(view: View, made: Screen, kinds: Sequence[KindSeen]) -> None:
    """All of it, drawn again whenever target or threshold move; nothing is trained for that.

    Parameters
    ----------
    kinds : sequence
        Those that can be moved to the other side; none of a filter that was kept.
    """
    try:
        at, options = screen_point.working_point(made)
        if kinds:
            screen_kinds.choose(view, kinds)
        outcome = at.screened.at(at.threshold)
        screen_point.cost(at, outcome)
        screen_curves.curves(at, outcome, options)
        screen_point.checked(at, outcome)
        screen_pictures.pictures(view, at, outcome)
        screen_curves.kinds_and_samples(at, outcome)
        screen_curves.learning(at)
        screen_keep.keep(view, at)
    except CoreError as error:
        state.say(error)
