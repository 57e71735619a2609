"""Diagrams of a filter: what it costs at every threshold, by kind, by sample, by labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.outcome import Outcome, Part
from core.screen import Screen
from dashboard import state
from dashboard.parts.screen_point import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

KEEP, DROP, POINT, QUIET = "#0C8599", "#C2711A", "#E8590C", "#8a949b"
WHISKER = "#5b666d"
BAND = "rgba(12, 133, 153, 0.16)"
FLOOR = 0.7
"""Recall below which the curves are not drawn unless the working point is there."""
PLAIN = {"displayModeBar": False}


def curves(at: Screen, outcome: Outcome, options: Mapping[str, float]) -> None:
    """Both curves; a click anywhere on one takes the threshold of the point nearest to it."""
    kept, precision = at.screened.kept_dropped(), at.screened.precision_recall()
    floor = max(0.0, min(FLOOR, outcome.recall - 0.1))
    with st.container(key="split curves"):
        left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Kept against dropped**")
        _clickable(
            _kept_figure(kept, at, outcome, floor), kept["threshold"], at, options, "kept",
            "Plankton kept against images dropped, at every threshold.",
        )  # fmt: skip
    with right:
        st.markdown("**Precision and recall**")
        _clickable(
            _precision_figure(precision, at, outcome, floor), precision["threshold"], at, options,
            "precision", "Share of plankton among what is kept, against plankton kept.",
        )  # fmt: skip
    st.caption(
        ":material/left_click: **Click a curve** to put the working point there. The band is the "
        "95 % interval, the dotted line the target."
    )


def _clickable(
    figure: Figure, thresholds: Sequence[float], at: Screen, options: Mapping[str, float],
    name: str, alt: str,
) -> None:  # fmt: skip
    drawn = f"{name} {at.threshold} {at.target} {at.training.get('fingerprint')}"
    key = f"screen {hashlib.blake2b(drawn.encode(), digest_size=8).hexdigest()}"

    def clicked() -> None:
        points = st.session_state[key]["selection"]["points"]
        place = points[-1].get("point_index") if points else None
        if type(place) is int and 0 <= place < len(thresholds):  # the browser is not trusted
            wanted = thresholds[place]
            text = min(options, key=lambda each: abs(options[each] - wanted))
            state.set_link(threshold=text)

    st.plotly_chart(
        figure, key=key, on_select=clicked, selection_mode="points", config=PLAIN, alt=alt
    )


def _kept_figure(
    curve: Mapping[str, list[float]], at: Screen, outcome: Outcome, floor: float
) -> Figure:
    import plotly.graph_objects as go

    x, y = _hundred(curve["dropped_share"]), _hundred(curve["recall"])
    low, high = _hundred(curve["low"]), _hundred(curve["high"])
    seen = [place for place, recall in enumerate(curve["recall"]) if recall >= floor]
    figure = go.Figure(
        [
            go.Scatter(
                x=x + x[::-1], y=low + high[::-1], fill="toself", fillcolor=BAND,
                line={"width": 0}, hoverinfo="skip", mode="lines",
            ),
            _line(x, y, curve["threshold"],
                  "dropped %{x:.1f} %<br>kept %{y:.1f} % of the plankton"),
            _point(100 * outcome.dropped_share, 100 * outcome.recall),
        ]
    )  # fmt: skip
    figure.add_hline(100 * at.target, line={"dash": "dot", "width": 1, "color": QUIET})
    right = max((x[place] for place in seen), default=100.0)
    _axes(figure, "images dropped (%)", "plankton kept (%)", (-0.01 * right, right), floor)
    return figure


def _precision_figure(
    curve: Mapping[str, list[float]], at: Screen, outcome: Outcome, floor: float
) -> Figure:
    import plotly.graph_objects as go

    x, y = _hundred(curve["recall"]), _hundred(curve["precision"])
    nearest = min(
        range(len(x)), key=lambda place: abs(curve["threshold"][place] - at.threshold), default=0
    )
    figure = go.Figure(
        [
            _line(x, y, curve["threshold"],
                  "kept %{x:.1f} % of the plankton<br>%{y:.1f} % of what is kept is plankton"),
            _point(100 * outcome.recall, y[nearest] if y else 0.0),
        ]
    )  # fmt: skip
    figure.add_vline(100 * at.target, line={"dash": "dot", "width": 1, "color": QUIET})
    lowest = min((b for a, b in zip(x, y, strict=True) if a >= 100 * floor), default=0.0)
    ends = (100 * floor, 100.5)
    _axes(figure, "plankton kept (%)", "plankton among the kept (%)", ends, lowest / 100 - 0.02)
    return figure


def _line(x: Sequence[float], y: Sequence[float], thresholds: Sequence[float], text: str) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=x, y=y, mode="lines+markers", customdata=[f"{t:.3g}" for t in thresholds],
        line={"color": KEEP, "width": 2.5}, marker={"size": 7, "color": CLEAR},
        selected={"marker": {"color": POINT}}, unselected={"marker": {"opacity": 0}},
        hovertemplate=f"{text}<br>threshold %{{customdata}}<extra></extra>",
    )  # fmt: skip


CLEAR = "rgba(0, 0, 0, 0)"


def _point(x: float, y: float) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[x], y=[y], mode="markers", hoverinfo="skip",
        marker={"size": 15, "color": POINT, "line": {"width": 2, "color": "#fff"}},
    )  # fmt: skip


def _axes(figure: Figure, x: str, y: str, ends: tuple[float, float], floor: float) -> None:
    figure.update_layout(
        height=300, margin={"l": 0, "r": 8, "t": 8, "b": 0}, showlegend=False, dragmode=False,
        hovermode="x", hoverdistance=-1, clickmode="event+select",
        xaxis={"title": x, "range": list(ends), "fixedrange": True, "zeroline": False,
               "showspikes": False},
        yaxis={"title": y, "range": [100 * max(0.0, floor), 101], "fixedrange": True,
               "zeroline": False},
    )  # fmt: skip


def _hundred(shares: Sequence[float]) -> list[float]:
    return [round(100 * share, 3) for share in shares]


def kinds_and_samples(at: Screen, outcome: Outcome) -> None:
    """What becomes of each kind: none may vanish unseen; then of each sample."""
    wanted = [part for part in outcome.kinds if part.wanted]
    rest = [part for part in outcome.kinds if not part.wanted]
    st.markdown("#### Kind by kind")
    worst = [part for part in wanted if (part.share_kept or 0) < 0.5]
    if worst:
        names = ", ".join(state.as_text(part.name) for part in worst)
        st.warning(f"Most images of these kinds are lost: {names}.", icon=":material/warning:")
    with st.container(key="split kind bars"):
        left, right = st.columns([3, 2], gap="large")
    with left:
        st.caption("**To keep**: share kept, the worst first, with its 95 % interval")
        _bars(wanted, KEEP, "kinds to keep")
    with right:
        st.caption("**To drop**: share kept all the same; less is better")
        _bars(rest, DROP, "kinds to drop")
    if outcome.samples:
        st.markdown("#### Sample by sample")
        _samples(outcome.samples)


def _bars(parts: Sequence[Part], colour: str, about: str) -> None:
    import plotly.graph_objects as go

    shares = [100 * (part.share_kept or 0) for part in parts]
    ends = [part.ci95 or (0.0, 1.0) for part in parts]
    names = [escape(part.name, quote=False) for part in parts]
    places = list(range(len(parts)))
    figure = go.Figure(
        go.Bar(
            y=places, x=shares, orientation="h", marker={"color": colour, "opacity": 0.85},
            width=0.7,
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.5, "width": 4, "color": WHISKER,
                "array": [100 * high - s for (_, high), s in zip(ends, shares, strict=True)],
                "arrayminus": [s - 100 * low for (low, _), s in zip(ends, shares, strict=True)],
            },
            hovertext=[
                f"<b>{name}</b><br>{part.kept:,} of {part.labelled:,} labelled images kept<br>"
                f"95 %: {100 * low:.0f} to {100 * high:.0f} %"
                for name, part, (low, high) in zip(names, parts, ends, strict=True)
            ],
            hoverinfo="text",
        )
    )  # fmt: skip
    ticks = [
        f"{_short(part.name)}  {part.kept:,}/{part.labelled:,}" for part in parts
    ]  # the numbers, since a bar of 3 images says little
    figure.update_layout(
        height=max(len(parts), 2) * 22 + 34, margin={"l": 0, "r": 8, "t": 24, "b": 0},
        showlegend=False, dragmode=False,
        yaxis={"tickvals": places, "ticktext": ticks, "fixedrange": True, "showgrid": False,
               "range": [max(len(parts), 2) - 0.5, -0.5], "automargin": True, "zeroline": False},
        xaxis={"range": [0, 101], "fixedrange": True, "side": "top", "ticksuffix": " %",
               "tickvals": [0, 25, 50, 75, 100], "zeroline": False},
    )  # fmt: skip
    st.plotly_chart(figure, key=f"screen {about}", config=PLAIN, alt=f"Share kept of {about}.")


def _short(name: str) -> str:
    return escape(name if len(name) <= 22 else f"{name[:12]}…{name[-9:]}", quote=False)


def _samples(parts: Sequence[Part]) -> None:
    number = st.column_config.NumberColumn
    st.dataframe(
        {
            "Sample": [part.name for part in parts],
            "Images": [part.images for part in parts],
            "Dropped": [100 * part.dropped_share for part in parts],
            "Labelled to keep": [part.labelled for part in parts],
            "Of these kept": [
                None if part.share_kept is None else 100 * part.share_kept for part in parts
            ],
            "95 % interval": [
                ""
                if part.ci95 is None
                else f"{100 * part.ci95[0]:.0f} to {100 * part.ci95[1]:.0f} %"
                for part in parts
            ],
            "Expected lost": [part.expected_lost for part in parts],
        },
        hide_index=True, height=min(38 + 35 * len(parts), 320), key="screen samples",
        column_config={
            "Dropped": number(format="%.1f %%"), "Of these kept": number(format="%.1f %%"),
            "Expected lost": number(format="%.1f"),
        },
    )  # fmt: skip


def learning(at: Screen) -> None:
    """How it got better with labels, and what more would bring where that can be said."""
    points, gain, why = (at.learning.get(name) for name in ("points", "gain", "why"))
    st.markdown("#### Would more labels help?")
    if gain:
        low, high = gain["low"], gain["high"]
        st.markdown(
            f"About **{gain['labels']:,} more labels would gain {gain['points']:.1f} points** of "
            f"accuracy (95 %: {low:.1f} to {high:.1f}), if they come like those there are."
        )
    else:
        st.markdown(
            f"What more labels would gain cannot be said: {state.as_text(why or 'not measured')}."
        )
    if points:
        _learning_figure(points)
        last = points[-1]
        st.caption(
            f"Trained on so many labels, tested on others, {_sides(at)}held out; at "
            f"{last['labels']:,}: {percent(last['accuracy'])} right. The band is one standard "
            "deviation between draws."
        )


def _sides(at: Screen) -> str:
    return "whole samples of them " if at.screened.validated_by == "sample" else ""


def _learning_figure(points: Sequence[Mapping[str, Any]]) -> None:
    import plotly.graph_objects as go

    x = [point["labels"] for point in points]
    y = [100 * point["accuracy"] for point in points]
    sd = [100 * point["accuracy_sd"] for point in points]
    low, high = ([a + sign * b for a, b in zip(y, sd, strict=True)] for sign in (-1, 1))
    figure = go.Figure(
        [
            go.Scatter(x=x + x[::-1], y=low + high[::-1], fill="toself", fillcolor=BAND,
                       line={"width": 0}, hoverinfo="skip", mode="lines"),
            go.Scatter(x=x, y=y, mode="lines+markers", line={"color": KEEP}, marker={"size": 8},
                       hovertemplate="%{x:,} labels: %{y:.1f} % right<extra></extra>"),
        ]
    )  # fmt: skip
    figure.update_layout(
        height=240, margin={"l": 0, "r": 8, "t": 8, "b": 0}, showlegend=False, dragmode=False,
        xaxis={"title": "labels", "type": "log", "tickvals": x, "ticktext": [f"{n:,}" for n in x],
               "fixedrange": True},
        yaxis={"title": "decided rightly (%)", "fixedrange": True},
    )  # fmt: skip
    st.plotly_chart(figure, key="screen learning", config=PLAIN, alt="Accuracy against labels.")
