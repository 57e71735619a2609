"""The map: a scatter of all points that is hovered, clicked, boxed and lassoed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from dashboard import held
from dashboard.parts import acknowledged, fresh_event, row

_HERE = Path(__file__).parent
_SCRIPTS = ("mappoints.js", "maplook.js", "map.js")  # one module: the last one exports
# Plotly puts the rules of its mode bar into the document's head, where a shadow root cannot see
# them; so this part lives in the page itself and every class of it begins with "pm-".
_map = st.components.v2.component(
    "plankton.map",
    html='<div class="pm-root"></div>',
    css=(_HERE / "map.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
    isolate_styles=False,
)

Kind = Literal["click", "box", "lasso", "clear"]
_KINDS: tuple[Kind, ...] = ("click", "box", "lasso", "clear")
_ANY_ROW = 2**32  # how many points there are is known to who serves them

Within = Callable[[list[float], list[float], Collection[str]], Sequence[int]]
"""Rows inside the corners x and y, those of groups with hidden names left out."""


@dataclass(frozen=True)
class MapEvent:
    """What the user did: the point that was clicked, if any, and all that are selected now."""

    clicked: int | None
    selected: tuple[int, ...]
    kind: Kind


def scatter_map(
    *,
    key: str,
    revision: str,
    points_url: str,
    point_url: str,
    plotly_url: str,
    within: Within,
    held_url: str,
    density_url: str = "",
    query: int | None = None,
    matches: Sequence[int] = (),
    selected: Sequence[int] | None = None,
    height: int = 640,
    caption: str = "",
) -> MapEvent | None:
    """Draw the points that `points_url` answers and return what the user has done, once.

    Zoom, drag mode and hidden groups stay with the browser and survive every rerun, and a new
    revision too when the points lie where they lay. A selection never travels as a list: the
    browser sends the corners of what was drawn around points, and fetches the selected rows as
    one bit a point.

    Parameters
    ----------
    key : str
        Unique on the page.
    revision : str
        Changes whenever the same row may mean another point. A click made on another revision is
        not returned: the user is asked to click again.
    points_url : str
        Answers as `core.mapdrawn.points` says; with ``&x0=&x1=&y0=&y1=`` as `region`, and with
        ``&rows=`` as `some`.
    point_url : str
        Holds ``{row}``; answers JSON ``{"id", "title", "lines", "thumb"}``, or 410 when the
        points have changed since.
    plotly_url : str
        Where ``plotly.min.js`` is served.
    within : callable
        Finds the rows inside a box or lasso, whether they are drawn or not.
    held_url : str
        Holds ``{key}``, under which `dashboard.held` keeps the selection; answers as
        `core.mapdrawn.held` says.
    density_url : str
        Answers as `core.mapdrawn.shades` says, with ``&hidden=NAME`` for each hidden group. Empty
        for a map without shading.
    query : int or None
        Row drawn with a ring and joined to its `matches`.
    matches : sequence of int
        Rows drawn with a thin ring.
    selected : sequence of int or None
        Rows that stand out. None leaves it to the map, which keeps them until `revision` changes.
    height : int
        Height of the drawing in CSS pixels.
    caption : str
        Said under the map, and to a screen reader.

    Returns
    -------
    MapEvent or None
        None when nothing new was done. `clicked` is as the browser sent it and at least 0: whoever
        knows how many points there are must look it up with care.

    Raises
    ------
    CoreError
        If the browser sent a shape that is none.
    """
    mine = f"{key}:selected"
    now = _own(mine, revision) if selected is None else tuple(selected)
    event = fresh_event(key, revision)
    answer = None
    if event is not None and event.get("kind") in _KINDS:
        kind: Kind = event["kind"]
        if kind in ("box", "lasso"):
            found = within(
                _numbers(event.get("x")), _numbers(event.get("y")), _texts(event.get("hidden"))
            )
            now = tuple(sorted({*now, *found})) if event.get("add") is True else tuple(found)
        elif kind == "clear":
            now = ()
        answer = MapEvent(clicked=row(event.get("clicked"), _ANY_ROW), selected=now, kind=kind)
    if selected is None:
        st.session_state[mine] = (revision, now)
    _map(
        key=key,
        data={
            "key": key,
            "revision": revision,
            "points_url": points_url,
            "point_url": point_url,
            "plotly_url": plotly_url,
            "density_url": density_url,
            "held_url": held_url.replace("{key}", held.keep(revision, now)) if now else "",
            "query": query,
            "matches": list(matches),
            "ack": acknowledged(key),
            "height": height,
            "caption": caption,
        },
        on_event_change=lambda: None,
    )
    return answer


def _own(name: str, revision: str) -> tuple[int, ...]:
    """What the map keeps by itself, as long as its rows mean the same."""
    kept: tuple[str, tuple[int, ...]] = st.session_state.get(name, ("", ()))
    return kept[1] if kept[0] == revision else ()


def _numbers(value: object) -> list[float]:
    """The numbers the browser sent; it is not trusted."""
    if not isinstance(value, list | tuple):
        return []
    plain = (v for v in value if type(v) in (int, float))
    return [float(v) for v in plain if abs(v) < 1e300]


def _texts(value: object) -> set[str]:
    return {v for v in value if isinstance(v, str)} if isinstance(value, list | tuple) else set()
