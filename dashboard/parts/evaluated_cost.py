"""How robust encoders are, what they cost, and keeping them joined as one more."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from core.evaluation.figures import Figure
from core.evaluation.joining import name_of_joined
from core.evaluation.storing import PREFIX, Evaluation
from core.library import View
from dashboard import state
from dashboard.parts.encodernames import called, colours, heading
from dashboard.parts.evaluations import begin, encoders_of

COSTS = {
    "images_per_second": ("images a second here", ",.1f"),
    "vector_bytes": ("bytes a vector", ",d"),
    "vectors_mb": ("MB of vectors of these images", ",.1f"),
    "download_mb": ("MB to download once", ",.0f"),
    "memory_mb": ("MB of memory here", ",.0f"),
}


def robustness(view: View, found: Evaluation) -> None:
    """Whether an image keeps its neighbours when its picture is changed."""
    st.subheader("When a picture is turned, lit or cut otherwise", anchor=False)
    rows = [row for row in found.meta["encoders"] if "robustness" in row]
    if not rows:
        st.write(
            "Not measured yet. An encoder that answers to light, direction or cutting tells "
            "samples apart before it tells kinds apart."
        )
        _measure(view, found)
        return
    n = max(row["robustness"]["images"] for row in rows)
    st.caption(
        f"Share of an image's 24 nearest that are found again when its picture is changed; {n:,} "
        "pictures were encoded anew. 1 would be all of them. None of these changes what is in the "
        "picture."
    )
    body = []
    for change in rows[0]["robustness"]["kept"]:
        cells = [Figure.from_json(row["robustness"]["kept"][change]) for row in rows]
        body.append((change, [_figure(each) for each in cells]))
    st.html(_table([str(row["encoder"]) for row in rows], body, found, "Robustness"))
    for row in rows:
        for note in row["robustness"]["notes"]:
            st.caption(f":material/warning: {state.as_text(called(row['encoder']))}: "
                       f"{state.as_text(note)}.")  # fmt: skip
        if row["robustness"]["unreadable"]:
            st.caption(f"{row['robustness']['unreadable']:,} pictures could not be read.")


def _measure(view: View, found: Evaluation) -> None:
    there = [name for name in found.meta["covers"] if name in encoders_of(view)]
    pressed = st.button(
        "Measure it", icon=":material/rotate_90_degrees_cw:", key="robustness go",
        disabled=state.settings().read_only or not there or bool(st.session_state.get("working")),
        help="Encodes 200 pictures eight times each: a minute or more per encoder.",
    )  # fmt: skip
    if pressed:
        begin(view, there, join=_joined(found) is not None and len(there) > 1, robust=True)


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


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return f'<td title="{escape(figure.why or "")}">-</td>'
    ends = "" if figure.low is None else f"<br><small>{figure.low:.2f} to {figure.high:.2f}</small>"
    return f"<td>{figure.value:.2f}{ends}</td>"


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


def _joined(found: Evaluation) -> str | None:
    """The row of encoders side by side that this evaluation made."""
    new = [name for name in found.encoders if name not in found.meta["covers"]]
    return new[0] if new else None


def keep(view: View, found: Evaluation) -> None:
    """Encoders side by side as one more encoder of the collection."""
    plain = [name for name in found.meta["covers"] if not name.startswith(PREFIX)]
    there = encoders_of(view)
    plain = [name for name in plain if name in there]
    if len(plain) < 2:
        return
    name = _joined(found) or name_of_joined(plain)
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
