"""What encoders cost, and keeping them joined as one more."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from core.evaluation.joining import name_of_joined
from core.evaluation.storing import PREFIX, Evaluation
from core.library import View
from dashboard import state
from dashboard.parts.encodernames import called, colours, heading
from dashboard.parts.evaluations import begin, encoders_of, joined

COSTS = {
    "images_per_second": ("images a second here", ",.1f"),
    "vector_bytes": ("bytes a vector", ",d"),
    "vectors_mb": ("MB of vectors of these images", ",.1f"),
    "download_mb": ("MB to download once", ",.0f"),
    "memory_mb": ("MB of memory here", ",.0f"),
}


def costs(found: Evaluation) -> None:
    """Speed, size, download and memory of each encoder, with what is not known and why."""
    st.subheader("What it costs", anchor=False)
    rows: list[dict[str, Any]] = found.meta["encoders"]
    body = [
        (title, [_cost(row["cost"], name, how) for row in rows])
        for name, (title, how) in COSTS.items()
    ]
    st.html(_table([str(row["encoder"]) for row in rows], body, found, "Costs"))
    unknown = {
        f"{COSTS[name][0]}: {why}"
        for row in rows
        for name, why in row["cost"]["why"].items()
        if "--robustness" not in why
    }
    if any("--robustness" in why for row in rows for why in row["cost"]["why"].values()):
        st.caption("Speed and memory are measured together with robustness.")
    for each in sorted(unknown):
        st.caption(f":material/help: {state.as_text(each)}")


def _cost(cost: dict[str, Any], name: str, how: str) -> str:
    value = cost[name]
    if value is None:
        return f'<td title="{escape(cost["why"].get(name, ""))}">-</td>'
    return f"<td>{format(int(value) if how == ',d' else value, how)}</td>"


def _table(
    names: list[str], body: list[tuple[str, list[str]]], found: Evaluation, label: str
) -> str:
    paint = colours(found.encoders)
    head = "".join(
        f'<th scope="col"><i style="background:{paint[name]}"></i>{heading(name)}</th>'
        for name in names
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(title)}</th>{"".join(cells)}</tr>' for title, cells in body
    )
    return (
        f'<div class="evaluated-wide"><table class="evaluated" aria-label="{escape(label)}">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def keep(view: View, found: Evaluation) -> None:
    """Encoders side by side as one more encoder of the collection."""
    plain = [name for name in found.meta["covers"] if not name.startswith(PREFIX)]
    there = encoders_of(view)
    plain = [name for name in plain if name in there]
    if len(plain) < 2:
        return
    name = joined(found) or name_of_joined(plain)
    st.subheader("Joined as one more encoder", anchor=False)
    kept = name in there
    if kept:
        st.markdown(
            f":material/check_circle: **{state.as_text(called(name))}** is an encoder of this "
            "collection: choose it under *Seen by*, on every page. Keep it again after images were "
            "added."
        )
    else:
        st.write(
            f"{state.as_text(called(name))}: the vectors one after the other, each weighing the "
            "same. Kept, it can be searched, mapped and clustered like any other; each image "
            "takes the sum of both."
        )
    pressed = st.button(
        "Keep it again" if kept else "Keep as one more encoder", icon=":material/join_full:",
        key="joined keep", help="Measures it once more, then stores its vectors.",
        disabled=state.settings().read_only or bool(st.session_state.get("working")),
    )  # fmt: skip
    if pressed:
        robust = any("robustness" in row for row in found.meta["encoders"])
        begin(view, plain, keep=True, robust=robust)
