"""A filter's curves with its working point on both, which is dragged along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from core.outcome import Point
from dashboard.parts import row

_HERE = Path(__file__).parent
_curves = st.components.v2.component(
    "plankton.dragged",
    html='<div class="dg-host"><div class="dg-root"></div></div>',
    css=(_HERE / "dragged.css").read_text(encoding="utf-8"),
    js=(_HERE / "dragged.js").read_text(encoding="utf-8"),
)


def dragged(
    points: Sequence[Point],
    at: int,
    *,
    target: float,
    floor: float,
    key: str,
    revision: str,
    moved: Callable[[int], None],
) -> None:
    """Draw kept against dropped, and precision against recall, and let the point be dragged.

    Arrow keys move it too; a click takes it to the nearest place of that curve.

    Parameters
    ----------
    points : by ascending threshold
    at : int
        The working point.
    target : float
        Recall that was asked for, drawn as a line.
    floor : float
        Recall below which nothing is drawn.
    key : str
        Unique on the page.
    revision : str
        Changes whenever the same place may stand for another threshold.
    moved : callable
        Told the place where the point was left; the browser is not trusted, it is one of them.
    """

    def told() -> None:
        event = st.session_state[key].get("event") or {}
        place = row(event.get("place"), len(points))
        if place is not None and event.get("revision") == revision:
            moved(place)

    _curves(
        key=key,
        data={
            "revision": revision,
            "points": [asdict(point) for point in points],
            "at": at,
            "target": target,
            "floor": floor,
        },
        on_event_change=told,
    )
