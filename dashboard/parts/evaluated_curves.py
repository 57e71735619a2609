"""What labels bring: accuracy against labels per kind, all encoders in one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.evaluation.figures import Figure
from core.evaluation.storing import Evaluation
from dashboard import state
from dashboard.parts.encodernames import called, colours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Plot

WAYS = {"probe": "A classifier trained on them", "knn": "Votes of the nearest labelled images"}
KINDS = 12
"""Kinds named that took part."""

Curve = Mapping[str, Any]


def curves(found: Evaluation) -> None:
    """The measured curves, drawn on where that was shown to hold, and why not elsewhere."""
    every = [(r["encoder"], r.get("label_efficiency")) for r in found.meta["encoders"]]
    rows = [(name, curve) for name, curve in every if curve and curve["why"] is None]
    if not rows and not any(curve for _, curve in every):
        return
    st.subheader("What labels bring", anchor=False)
    if not rows:
        why = next(str(curve["why"]) for _, curve in every if curve)
        st.write(
            f"Too few labels for a curve: {state.as_text(why)}. Label some more of each kind, "
            "then evaluate again."
        )
        return
    took = [found.kinds[number] for number in rows[0][1]["kinds"]]
    named = ", ".join(took[:KINDS]) + (" and others" if len(took) > KINDS else "")
    st.caption(
        f"Accuracy with so many labels of each kind, every kind weighing the same, on the "
        f"**{len(took)} of {len(found.kinds)} kinds** with images enough to tell "
        f"({state.as_text(named)}). Bars are the lowest and highest of {rows[0][1]['draws']} draws."
    )
    with st.container(key="split-curves"):
        columns = st.columns(2, gap="medium")
    for (way, title), column in zip(WAYS.items(), columns, strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                picture(found.encoders, rows, way), key=f"evaluated curve {way}",
                config={"displayModeBar": False},
                alt=f"Accuracy against labels per kind: {title.lower()}.",
            )  # fmt: skip
            for line in beyond(rows, way):
                st.caption(line)


def beyond(rows: Sequence[tuple[str, Curve]], way: str) -> list[str]:
    """What twice the labels are expected to bring, or why nothing is said of it."""
    said = []
    for name, curve in rows:
        more, shown = curve["extended"][way], state.as_text(called(name))
        figure = Figure.from_json(more["accuracy"])
        if figure.value is None:
            why = state.as_text(figure.why or "not known")
            said.append(f":material/block: **{shown}** is not drawn on: {why}.")
            continue
        assert figure.low is not None
        assert figure.high is not None
        checked = Figure.from_json(more["predicted"])
        last = curve[way][-1]
        held = (
            f"; from the points before, {more['checked_at']} were predicted to give "
            f"{checked.low:.2f} to {checked.high:.2f}, and {more['measured']:.2f} was measured"
        )
        said.append(
            f":material/trending_up: **{shown}**: with {more['labels']} of each kind instead of "
            f"{last['labels']} expect {figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f}) "
            f"instead of {last['mean']:.2f}{held}."
        )
    return said


def picture(encoders: Sequence[str], rows: Sequence[tuple[str, Curve]], way: str) -> Plot:
    """A line an encoder; hollow, at the end of a dashed line, what is expected beyond."""
    import plotly.graph_objects as go

    paint = colours(encoders)
    plot = go.Figure()
    for name, curve in rows:
        points, text, colour = curve[way], escape(called(name)), paint[name]
        plot.add_scatter(
            x=[p["labels"] for p in points], y=[p["mean"] for p in points], name=text,
            mode="lines+markers", line={"color": colour, "width": 2},
            marker={"color": colour, "size": 8},
            error_y=_bars([(p["mean"], p["low"], p["high"]) for p in points], colour),
            hovertext=[f"<b>{text}</b><br>{p['labels']} labels of each kind: {p['mean']:.3f} "
                       f"({p['low']:.3f} to {p['high']:.3f})" for p in points],
            hoverinfo="text",
        )  # fmt: skip
        more = curve["extended"][way]
        figure = Figure.from_json(more["accuracy"])
        if figure.value is None or figure.low is None or figure.high is None:
            continue
        last = points[-1]
        plot.add_scatter(
            x=[last["labels"], more["labels"]], y=[last["mean"], figure.value], mode="lines",
            line={"color": colour, "width": 2, "dash": "dot"}, hoverinfo="skip",
        )  # fmt: skip
        plot.add_scatter(
            x=[more["labels"]], y=[figure.value], mode="markers",
            marker={"color": colour, "size": 10, "symbol": "circle-open", "line": {"width": 2}},
            error_y=_bars([(figure.value, figure.low, figure.high)], colour),
            hovertext=[f"<b>{text}</b><br>{more['labels']} labels of each kind: {figure} expected"],
            hoverinfo="text",
        )  # fmt: skip
    ticks = sorted({p["labels"] for _, curve in rows for p in curve[way]}
                   | {c["extended"][way]["labels"] for _, c in rows} - {None})  # fmt: skip
    plot.update_layout(
        showlegend=False, dragmode=False, hovermode="closest", height=320,
        margin={"l": 8, "r": 8, "t": 8, "b": 40},
        xaxis={"type": "log", "tickvals": ticks, "ticktext": [str(t) for t in ticks],
               "title": "labels of each kind", "fixedrange": True, "zeroline": False},
        yaxis={"range": [0, 1.02], "title": "accuracy", "fixedrange": True, "zeroline": False,
               "tickvals": [0, 0.25, 0.5, 0.75, 1]},
    )  # fmt: skip
    return plot


def _bars(ends: Sequence[tuple[float, float, float]], colour: str) -> dict[str, Any]:
    return {
        "type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": colour,
        "array": [high - value for value, _, high in ends],
        "arrayminus": [value - low for value, low, _ in ends],
    }  # fmt: skip
