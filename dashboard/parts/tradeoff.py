"""Curves over one series of choices, with a point on each that is dragged along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from dashboard.parts import acknowledged, fresh_event, row

_HERE = Path(__file__).parent
_curves = st.components.v2.component(
    "plankton.tradeoff",
    html='<div class="to-host"><div class="to-root"></div></div>',
    css=(_HERE / "tradeoff.css").read_text(encoding="utf-8"),
    js=(_HERE / "tradeoff.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Curve:
    """One chart; its numbers are per cent, one for each choice."""

    title: str
    about: str
    """Read to whoever does not see it."""
    across: str
    up: str
    """Titles of the axes."""
    x: Sequence[float]
    y: Sequence[float | None]
    """None where there is nothing to say; no point can be put there."""
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    target: float
    target_on: Literal["x", "y"]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def tradeoff(
    curves: Sequence[Curve],
    said: Sequence[str],
    *,
    at: int,
    key: str,
    revision: str,
    on_release: Callable[[int], None],
) -> None:
    """Draw curves with one working point on all of them.

    It is dragged, put elsewhere by a click, or moved by the arrow keys; what it means there is
    said while it moves. Python hears of it once it was let go.

    Parameters
    ----------
    curves : sequence of Curve
    said : strings
        What each choice means, as long as the numbers of a curve.
    at : int
        The choice the point stands on.
    key : str
        Unique on the page.
    revision : str
        Changes with the choices.
    on_release : callable
        Called with the choice, before the page is drawn again.
    """

    def let_go() -> None:
        place = released(key, revision, len(said))
        if place is not None:
            on_release(place)

    _curves(
        key=key,
        data={
            "revision": revision,
            "curves": [vars(curve) for curve in curves],
            "said": list(said),
            "at": at,
            "ack": acknowledged(key),
        },
        on_event_change=let_go,
    )


def released(key: str, revision: str, n: int) -> int | None:
    """The choice among `n` where the point was let go, once; the browser is not trusted."""
    event = fresh_event(key, revision)
    return None if event is None else row(event.get("place"), n)
