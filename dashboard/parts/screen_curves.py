"""Diagrams of a filter: what it costs at every threshold, by kind, by sample, by labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from core.outcome import Outcome, Part
from core.screen import Screen
from core.screen_telling import gained, percent
from dashboard import state
from dashboard.parts.tradeoff import Curve, tradeoff

KEEP, DROP = "#0C8599", "#C2711A"
WHISKER = "#5b666d"
BAND = "rgba(12, 133, 153, 0.16)"
FLOOR = 0.7
"""Recall below which the curves are not drawn unless the working point is there."""
PLAIN = {"displayModeBar": False}


def curves(at: Screen, outcome: Outcome, options: Mapping[str, float]) -> None:
    """Both curves, with the working point on them; where it is let go becomes the threshold."""
    kept = at.screened.kept_dropped(list(options.values()))
    pr = at.screened.precision_recall(list(options.values()))
    precision = dict(zip(pr["threshold"], pr["precision"], strict=True))
    floor = _floor(at, outcome)
    seen = [place for place, recall in enumerate(kept["recall"]) if recall >= floor]
    texts = [list(options)[place] for place in seen]
    thresholds, recall, low, high, dropped = (
        [kept[name][place] for place in seen]
        for name in ("threshold", "recall", "low", "high", "dropped_share")
    )
    precise = [precision.get(threshold) for threshold in thresholds]
    said = [
        _said(text, *shares)
        for text, *shares in zip(texts, dropped, recall, low, high, precise, strict=True)
    ]
    lowest = min((share for share in precise if share is not None), default=0.0)
    both = [
        Curve(
            "Kept against dropped", "Plankton kept against images dropped, at every threshold.",
            "images dropped (%)", "plankton kept (%)", _hundred(dropped), _hundred(recall),
            (0.0, max(100 * max(dropped), 1.0)), (100 * floor, 100.0), 100 * at.target, "y",
            _hundred([max(share, floor) for share in low]), _hundred(high),
        ),
        Curve(
            "Precision and recall", "Share of plankton among what is kept, against plankton kept.",
            "plankton kept (%)", "plankton among the kept (%)", _hundred(recall),
            [None if share is None else round(100 * share, 3) for share in precise],
            (100 * floor, 100.0), (100 * max(lowest - 0.02, 0.0), 100.0), 100 * at.target, "x",
        ),
    ]  # fmt: skip
    drawn = f"{at.training.get('fingerprint')} {said}"
    tradeoff(
        both, said, at=thresholds.index(at.threshold), key="screen tradeoff",
        revision=hashlib.blake2b(drawn.encode(), digest_size=8).hexdigest(),
        on_release=lambda place: state.set_link(threshold=texts[place]),
    )  # fmt: skip


def _floor(at: Screen, outcome: Outcome) -> float:
    """Recall down to which curves are drawn: in steps, so that axes seldom move."""
    room = min(outcome.recall, at.target) - 0.05
    return max(0.0, min(FLOOR, math.floor(10 * room) / 10))


def _said(
    text: str, dropped: float, recall: float, low: float, high: float, precise: float | None
) -> str:
    among = "" if precise is None else f" Of what is kept, {percent(precise)} is plankton."
    said = (
        f"Threshold {text} drops {percent(dropped)} of the images and keeps {percent(recall)} "
        f"(95 %: {100 * low:.1f} to {100 * high:.1f} %) of the plankton.{among}"
    )
    return said.replace(" %", "\u00a0%")


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
        height=max(len(parts), 2) * 22 + 34, margin={"l": 0, "r": 22, "t": 24, "b": 0},
        showlegend=False, dragmode=False,
        yaxis={"tickvals": places, "ticktext": ticks, "fixedrange": True, "showgrid": False,
               "range": [max(len(parts), 2) - 0.5, -0.5], "automargin": True, "zeroline": False},
        xaxis={"range": [0, 101], "fixedrange": True, "side": "top",
               "tickvals": [0, 50, 100], "ticktext": ["0 %", "50 %", "100 %"],
               "zeroline": False},
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
        said = (gain[name] for name in ("labels", "points", "low", "high"))
        st.markdown(gained(*said, mark="**"))
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
