"""The figures of an evaluation: a picture with intervals, and a table with differences."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from core.evaluation.best import difference
from core.evaluation.compare import is_real
from core.evaluation.figures import TITLES, Figure, decimals
from core.evaluation.report import DRAWN
from core.evaluation.storing import Evaluation
from dashboard import state
from dashboard.parts.encodernames import GREY, called, colours, heading, legend

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Plot

ROW = 18
"""Pixels an encoder takes in the picture, under each figure."""
HELP = {
    "precision_at_1": "How often the nearest other image is of the same kind.",
    "precision_at_5": "Of the 5 nearest, how many are of the same kind.",
    "precision_at_24": "Of the 24 nearest, how many are of the same kind: what Similar shows.",
    "mean_average_precision": "How early all others of the kind come when everything is ranked.",
    "knn_accuracy": "The 5 nearest vote on the kind; each image is left out of its own vote.",
    "knn_new_samples": "The 5 nearest of other samples vote: what to expect of a new sample, since "
    "images of one sample often look alike, whatever their kind.",
    "knn_macro_f1": "The same votes; every kind weighs the same, however rare, and wrong finds "
    "count against it.",
    "knn_balanced_accuracy": "The same votes; the mean over kinds of the share found.",
    "linear_probe_accuracy": "A logistic regression on the vectors, tested on images, or samples, "
    "it was not trained on.",
    "linear_probe_macro_f1": "The same classifier; every kind weighs the same.",
    "linear_probe_balanced_accuracy": "The same classifier; the mean over kinds of the share "
    "found.",
    "ami": "How far clusters found without labels agree with them; 0 is chance, 1 the same.",
    "ari": "The same by pairs of images (adjusted Rand index).",
    "label_silhouette": "Whether kinds are apart (1), touch (0) or lie within each other (below).",
}


def figures(found: Evaluation) -> None:
    """Everything measured, the picture first."""
    rows = [row["encoder"] for row in (*found.meta["encoders"], *found.meta["baselines"])]
    st.subheader("Figures", anchor=False)
    legend(rows)
    st.plotly_chart(
        picture(found, rows), key="evaluated figures", config={"displayModeBar": False},
        alt="Figures with their 95 % intervals, a dot an encoder. The table below says the same.",
    )  # fmt: skip
    st.caption(
        "Dots with their 95 % intervals; further right is better. The thick grey line is chance "
        "(labels shuffled), the thin one what a perfect encoder would get."
    )
    table(found, rows)


def picture(found: Evaluation, rows: Sequence[str]) -> Plot:
    """A dot with its interval for each encoder under each figure, chance and ceiling as ticks."""
    import plotly.graph_objects as go

    paint, ceiling = colours(rows), found.meta["ceiling"]
    drawn = [name for name in DRAWN if found.figure(rows[0], name).value is not None]
    spread = 0.62 / max(len(rows), 1)
    plot = go.Figure()
    for number, row in enumerate(rows):
        values = [found.figure(row, name) for name in drawn]
        there = [(place, each) for place, each in enumerate(values) if each.value is not None]
        plot.add_scatter(
            x=[each.value for _, each in there],
            y=[place + (number - (len(rows) - 1) / 2) * spread for place, _ in there],
            mode="markers", name=escape(called(row)),
            marker={"color": paint[row], "size": 9},
            error_x={"type": "data", "symmetric": False, "thickness": 2, "width": 0,
                     "color": paint[row],
                     "array": [(e.high or e.value or 0) - (e.value or 0) for _, e in there],
                     "arrayminus": [(e.value or 0) - (e.low if e.low is not None else e.value or 0)
                                    for _, e in there]},
            hovertext=[f"<b>{escape(called(row))}</b><br>{TITLES[drawn[place]]}: {each}"
                       for place, each in there],
            hoverinfo="text",
        )  # fmt: skip
    chance = found.row(rows[0])["chance"]
    for name, marks, symbol, colour in (
        ("chance", {n: chance[n]["value"] for n in drawn if n in chance}, "line-ns", GREY),
        ("at best", {n: ceiling.get(n, 1.0) for n in drawn}, "line-ns", GREY),
    ):
        plot.add_scatter(
            x=list(marks.values()), y=[drawn.index(n) for n in marks], mode="markers", name=name,
            marker={"symbol": symbol, "size": ROW + 10 * len(rows), "opacity": 0.7,
                    "line": {"width": 4 if name == "chance" else 1.5, "color": colour}},
            hovertext=[f"{TITLES[n]}: {name} {value:.3f}" for n, value in marks.items()],
            hoverinfo="text",
        )  # fmt: skip
    plot.update_layout(
        showlegend=False, dragmode=False, hovermode="closest",
        height=max(len(drawn) * (20 + ROW * len(rows)), 160) + 40,
        margin={"l": 8, "r": 16, "t": 8, "b": 28},
        xaxis={"range": [min(0.0, _lowest(found, rows, drawn)) - 0.02, 1.03], "fixedrange": True,
               "zeroline": False, "tickvals": [0, 0.25, 0.5, 0.75, 1]},
        yaxis={"range": [len(drawn) - 0.45, -0.55], "fixedrange": True, "showgrid": False,
               "zeroline": False, "tickmode": "array", "tickvals": list(range(len(drawn))),
               "ticktext": [_alone(name) for name in drawn], "automargin": True},
    )  # fmt: skip
    return plot


def _lowest(found: Evaluation, rows: Sequence[str], drawn: Sequence[str]) -> float:
    every = (found.figure(row, name) for row in rows for name in drawn)
    return min((each.low for each in every if each.low is not None), default=0.0)


def _alone(name: str) -> str:
    """A title on two lines, which says everything where the one before it is not drawn."""
    text = TITLES[name]
    for begins, means in (("knn", "5 nearest vote"), ("linear_probe", "a classifier")):
        if name.startswith(begins):
            text = text.replace("the same", means, 1)
    head, comma, tail = text.partition(", ")
    return f"{head},<br>{tail}" if comma else text


def table(found: Evaluation, rows: Sequence[str]) -> None:
    """Every figure of every encoder, with chance, size alone and ceiling; differences to one."""
    ref = rows[0]
    if len(rows) > 1:
        key = state.linked("ref", rows, rows[0])
        ref = st.selectbox(
            "Differences to", rows, key=key, width=420, format_func=called,
            on_change=state.follow, args=("ref", key),
            help="Both are drawn again together, image by image. A difference is real where its "
            "95 % interval leaves out 0.",
        )  # fmt: skip
    others = [row for row in rows if row != ref]
    st.html(_html(found, [ref, *others]))


def _html(found: Evaluation, rows: Sequence[str]) -> str:
    ref, ceiling = rows[0], found.meta["ceiling"]
    paint = colours([r["encoder"] for r in (*found.meta["encoders"], *found.meta["baselines"])])
    head = "".join(
        f'<th scope="col"><i style="background:{paint[row]}"></i>{heading(row)}</th>'
        for row in rows
    )
    chance = found.row(found.encoders[0])["chance"]
    body = []
    for name in found.figures:
        best = max((found.figure(row, name).value or -9 for row in rows), default=-9)
        cells = [_cell(found.figure(ref, name), best)]
        cells += [
            _cell(found.figure(row, name), best, difference(found.meta, name, ref, row))
            for row in rows[1:]
        ]
        luck = f"{chance[name]['value']:.3f}" if name in chance else ""
        most = f"{ceiling.get(name, 1.0):.3f}"
        body.append(
            f'<tr><th scope="row" title="{escape(HELP[name])}">{escape(TITLES[name])}</th>'
            f"{''.join(cells)}<td>{luck}</td><td>{most}</td></tr>"
        )
    return (
        '<div class="evaluated-wide"><table class="evaluated" aria-label="Figures"><thead><tr>'
        f'<th></th>{head}<th scope="col">by chance</th><th scope="col">at best</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(figure: Figure, best: float, gap: Figure | None = None) -> str:
    if figure.value is None:
        return f'<td title="{escape(figure.why or "")}">-</td>'
    value = decimals(figure.value)
    said = f"<b>{value}</b>" if figure.value == best else value
    if ends := figure.ends():
        said += f"<br><small>{ends}</small>"
    if gap is not None and gap.value is not None:
        said += f"<br>{_gap(gap)}"
    return f"<td>{said}</td>"


def _gap(gap: Figure) -> str:
    assert gap.value is not None
    real = is_real(gap)
    value, ends = decimals(gap.value, signed=True), gap.ends(signed=True)
    if real is None:
        return f'<span title="{escape(gap.why or "")}">{value}, unknown</span>'
    if not real:
        return f'<span class="maybe" title="{ends}">{value}, may be chance</span>'
    tone = "more" if gap.value > 0 else "less"
    return f'<span class="{tone}" title="{ends}">{value}, real</span>'
