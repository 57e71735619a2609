"""Stacked bars of a composition: a click takes the images behind a part of one as the selection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.composition import Composition, Kind
from core.filtering import Filter
from core.library import View
from core.mapdata import GREY, GROUPS, NONE, REST, colour_of
from dashboard import state
from dashboard.parts import filters, selecting
from dashboard.parts.composing import Asked
from dashboard.parts.gallery import gallery
from dashboard.parts.tiles import labelled_tiles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NAMED = 20
"""Kinds that have a colour of their own; the others are one part, "others"."""
SHOWN = 200
"""Bars drawn; the table has all."""
TALL = 640
"""Pixels beyond which the bars scroll."""
AXIS = 30
"""Pixels for the axis above the bars."""
END = 0.28
"""Room for the numbers at the bars' ends, by the longest bar."""
CLEAR = "rgba(0, 0, 0, 0)"
NAME = 24
"""Letters of a bar's name; the whole of it is said when it is pointed at."""
PICTURES = 60


@dataclass(frozen=True)
class Part:
    """One colour of the bars."""

    name: str
    kinds: tuple[int, ...]
    colour: str
    pattern: str = ""


def chart(view: View, made: Composition, asked: Asked, *, revision: str) -> None:
    """The bars; what was clicked becomes the selection.

    Parameters
    ----------
    revision : str
        Changes, with what was asked, whenever the same place may stand for other images.
    """
    parts = parts_of(made)
    said = f"{asked} {revision} {view.snapshot.version} {state.colour_version(view)}"
    key = f"bars {hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}"

    def clicked() -> None:
        points: Sequence[Mapping[str, Any]] = st.session_state[key]["selection"]["points"]
        take(view, made, parts, points)

    figure = figure_of(made, parts, asked)
    tall = figure.layout.height > TALL
    legend(made, parts)
    with st.container(height=TALL if tall else "content", border=tall, key="bars"):
        st.plotly_chart(
            figure, key=key, on_select=clicked, selection_mode="points",
            config={"displayModeBar": False},
            alt=f"Stacked bars: {len(made.groups)} bars of {len(made.kinds)} kinds. The table "
            "below says the same.",
        )  # fmt: skip
    more = len(made.groups) - SHOWN
    st.caption(
        ":material/left_click: **Click a part of a bar** to take its images as the selection, or "
        "the number at its end for the whole bar. The number is images counted, with Shannon's H′."
        + (
            f" The first {SHOWN} of {len(made.groups):,} bars are drawn; the table has all."
            if more > 0
            else ""
        )
    )


def parts_of(made: Composition) -> list[Part]:
    """Kinds with the colours they have on the map, the rest together, leftovers in grey."""
    real = [n for n, kind in enumerate(made.kinds) if kind.place is not None]
    own = real if len(real) <= NAMED + 1 else real[:NAMED]
    rest = tuple(n for n in real if n not in own)
    parts = [Part(made.kinds[n].name, (n,), *_look(made.kinds[n])) for n in own]
    if rest:
        parts.append(Part(f"{len(rest)} others", rest, REST))
    grey = [n for n, kind in enumerate(made.kinds) if kind.place is None]
    return [*parts, *(Part(made.kinds[n].name, (n,), *_look(made.kinds[n])) for n in grey)]


def _look(kind: Kind) -> tuple[str, str]:
    if kind.place is None:
        return (GREY if kind.noise else NONE), ""
    pattern = "/" if kind.apart else "." if kind.place >= GROUPS else ""
    return colour_of(kind.place), pattern  # the pattern tells a colour that comes again


def legend(made: Composition, parts: Sequence[Part]) -> None:
    """What the colours mean; wraps to whatever width there is, and stays while bars scroll."""
    said = []
    for part in parts:
        n = int(made.counts[:, list(part.kinds)].sum())
        paint = part.colour
        if part.pattern:
            paint = f"repeating-linear-gradient(45deg, {paint} 0 3px, #fff 3px 4px)"
        said.append(
            '<li style="display:flex;align-items:center;gap:.35rem;white-space:nowrap">'
            f'<i style="width:.75rem;height:.75rem;border-radius:2px;background:{paint}"></i>'
            f'<span title="{escape(part.name)}">{escape(_short(part.name))}</span>'
            f'<small style="opacity:.7">{n:,}</small></li>'
        )
    st.html(
        '<ul aria-label="Legend" style="display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;'
        f'padding:0;list-style:none;font-size:.85rem">{"".join(said)}</ul>'
    )


def figure_of(made: Composition, parts: Sequence[Part], asked: Asked) -> Figure:
    """A trace a part, a bar a group; the last trace is the numbers at their ends."""
    import plotly.graph_objects as go

    groups = made.groups[:SHOWN]
    n = len(groups)
    images = made.images.tolist()[:n]
    widest = 1.0 if asked.shares else float(max(images, default=1) or 1)
    names = [_text(group.name) for group in groups]
    places = list(range(n))
    figure = go.Figure()
    for part in parts:
        counts = made.counts[:n, list(part.kinds)].sum(axis=1).tolist()
        of_all = [c / max(total, 1) for c, total in zip(counts, images, strict=True)]
        hover = [
            f"<b>{_text(part.name)}</b><br>{_text(asked.title)} {name}<br>"
            f"{c:,} of {total:,} images, {share:.1%}"
            for name, c, total, share in zip(names, counts, images, of_all, strict=True)
        ]
        figure.add_bar(
            y=places, x=of_all if asked.shares else counts, orientation="h", name=_text(part.name),
            marker={"color": part.colour, "line": {"width": 0},
                    "pattern": {"shape": part.pattern, "size": 5, "fillmode": "overlay"}},
            hovertext=hover, hoverinfo="text", width=0.84,
            unselected={"marker": {"opacity": 0.35}},
        )  # fmt: skip
    ends = [_end(made, g) for g in places]
    figure.add_bar(  # to be read and clicked, not seen
        y=places, x=[END * widest] * n, orientation="h", width=0.84, marker={"color": CLEAR},
        text=ends, textposition="inside", insidetextanchor="start", textangle=0,
        constraintext="none", insidetextfont={"size": 12, "color": _ink()},
        hovertext=[f"<b>{_text(asked.title)} {name}</b><br>{end}"
                   for name, end in zip(names, ends, strict=True)],
        hoverinfo="text", name="all",
    )  # fmt: skip
    row = 34 if n <= 12 else 26 if n <= 40 else 20
    plot = max(n, 2) * row
    figure.update_layout(
        barmode="stack", hovermode="closest", dragmode=False, bargap=0, showlegend=False,
        height=plot + AXIS + 8, margin={"l": 8, "r": 8, "t": AXIS, "b": 8},
        yaxis={"range": [plot / row - 0.5, -0.5], "fixedrange": True, "showgrid": False,
               "zeroline": False, "tickmode": "array", "tickvals": places,
               "ticktext": [_text(_short(group.name)) for group in groups], "automargin": True},
        xaxis={"range": [0, widest * (1 + END)], "fixedrange": True, "side": "top",
               "zeroline": False, "tickformat": ".0%" if asked.shares else ",d", "tickangle": 0,
               **({"tickvals": [0, 0.25, 0.5, 0.75, 1]} if asked.shares else {"nticks": 5})},
    )  # fmt: skip
    return figure


def _ink() -> str:
    """The colour of text: plotly would choose it by the colour of the bar, and there is none."""
    return "#C9D4D9" if st.context.theme.type == "dark" else "#45535B"


def _end(made: Composition, group: int) -> str:
    counted = int(made.images[group])
    h = made.shannon[group]
    return f"{counted:,}" + (f" · H′ {h:.2f}" if h == h else "")  # not for NaN


def _short(text: str) -> str:
    """A name's beginning and end."""
    return text if len(text) <= NAME else f"{text[: NAME // 2]}…{text[-NAME // 2 + 1 :]}"


def _text(text: str) -> str:
    """Text that plotly, which reads some HTML, shows as it is."""
    return escape(text, quote=False)


def take(
    view: View, made: Composition, parts: Sequence[Part], points: Sequence[Mapping[str, Any]]
) -> None:
    """Make the images behind the clicked parts the selection; the browser is not trusted."""
    rows: set[int] = set()
    told = []
    for point in points:
        part, group = point.get("curve_number"), point.get("point_index")
        if type(part) is not int or type(group) is not int:
            continue
        if not (0 <= part <= len(parts) and 0 <= group < min(len(made.groups), SHOWN)):
            continue
        whole = part == len(parts)
        rows.update(made.rows(group, range(len(made.kinds)) if whole else parts[part].kinds))
        name = made.groups[group].name
        told.append(name if whole else f"{parts[part].name} in {name}")
    if not rows:
        return
    ids = [view.snapshot.ids[row] for row in sorted(rows)]
    uid = view.collection.uid
    selecting.put(uid, ids)
    st.session_state.behind = (uid, tuple(ids), ", ".join(told))
    st.toast(f"{len(ids):,} images selected", icon=":material/check_circle:")


def behind(view: View, only: Filter) -> None:
    """The images that were clicked, while they are the selection, and where to go on with them."""
    uid = view.collection.uid
    kept = st.session_state.get("behind", ("", (), ""))
    with st.container():  # there in any case, so that the tables below are not drawn anew
        if kept[0] != uid or kept[1] != selecting.current(uid) or not kept[1]:
            return
        ids, told = kept[1], kept[2]
        shown = state.library().catalogue.images(uid, ids[:PICTURES])
        here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
        if link := only.as_link():
            here[filters.NAME] = link
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            some = f", the first {len(shown)} below" if len(shown) < len(ids) else ""
            st.markdown(
                f"**{len(ids):,} images selected: {state.as_text(told)}**{some}", width="stretch"
            )
            st.page_link("views/map.py", label="See them on the map",
                         icon=":material/scatter_plot:", query_params=here)  # fmt: skip
            if shown:
                st.page_link("views/similar.py", label="Find similar images",
                             icon=":material/image_search:",
                             query_params=here | {"id": shown[0].id})  # fmt: skip
        event = gallery(
            labelled_tiles(state.library(), uid, shown), key="behind", revision=f"behind {ids}",
            tile_px=84, height=300, selectable=False, label="Images behind the bar",
        )  # fmt: skip
        if event is not None and event.clicked is not None:
            image = shown[event.clicked]
            st.switch_page("views/similar.py", query_params=here | {"id": image.id})
