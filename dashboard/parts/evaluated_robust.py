"""How robust encoders are: what is done to a picture, and how many neighbours that leaves."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import streamlit as st

from core.errors import ImageError
from core.evaluation.figures import Figure
from core.evaluation.storing import Evaluation
from core.library import View
from dashboard import state
from dashboard.parts.encodernames import called, colours, legend
from dashboard.parts.evaluations import begin, encoders_of, joined

TRIES = 20
"""Pictures tried before none is shown."""


def robustness(view: View, found: Evaluation) -> None:
    """Whether an image keeps its neighbours when its picture is changed."""
    st.subheader("When a picture is turned, lit or cut otherwise", anchor=False)
    rows: list[dict[str, Any]] = [row for row in found.meta["encoders"] if "robustness" in row]
    if not rows:
        st.write(
            "Not measured yet. An encoder that answers to light, direction or cutting tells "
            "samples apart before it tells kinds apart."
        )
        _measure(view, found)
        return
    n = max(row["robustness"]["images"] for row in rows)
    st.caption(
        f"Share of an image's 24 nearest that are found again when its picture is changed, with "
        f"95 % intervals; {n:,} pictures were encoded anew. None of these changes what is in the "
        "picture, so 1, all of them, would be best."
    )
    legend([row["encoder"] for row in rows])
    number = st.session_state.setdefault("robust example", 0)
    st.html(_table(rows, found, _examples(view, found, number)))
    if st.button("Another picture", icon=":material/casino:", key="robust another"):
        st.session_state["robust example"] = number + 1
        st.rerun()
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
        begin(view, there, join=joined(found) is not None and len(there) > 1, robust=True)


def _examples(view: View, found: Evaluation, number: int) -> dict[str, str]:
    """A picture as it is and changed, as addresses of data; empty where none can be read."""
    ids = found.ids
    for step in range(min(TRIES, len(ids))):
        # far apart in the order, since neighbours there are often of one kind
        id = ids[(number * 7_919 + step) % len(ids)]
        try:
            return _changed(view.collection.uid, id)
        except ImageError:
            continue
    return {}


@st.cache_data(max_entries=64, show_spinner=False)
def _changed(uid: str, id: str) -> dict[str, str]:
    from core.evaluation.robustness import examples
    from core.pictures import encode_png
    from core.sheets import picture_of

    lib = state.library()
    images = lib.catalogue.images(uid, [id])
    if not images:
        raise ImageError(id, "it is no longer in the collection")
    every = examples(picture_of(lib, uid, images[0], side=256))
    return {
        name: "data:image/png;base64," + base64.b64encode(encode_png(each)).decode("ascii")
        for name, each in every.items()
    }


def _table(rows: list[dict[str, Any]], found: Evaluation, pictures: dict[str, str]) -> str:
    paint = colours(found.encoders)
    kept = rows[0]["robustness"]["kept"]
    order = [*pictures, *(change for change in kept if change not in pictures)]
    lines = []
    for change in (each for each in order if each in kept):
        figures = {row["encoder"]: Figure.from_json(row["robustness"]["kept"][change])
                   for row in rows}  # fmt: skip
        lines.append(
            f'<tr><th scope="row">{escape(change)}</th><td>{_picture(pictures, change)}</td>'
            f'<td class="dots">{"".join(_dots(each, paint[e]) for e, each in figures.items())}</td>'
            f"<td>{''.join(_words(each) for each in figures.values())}</td></tr>"
        )
    plain = next(iter(pictures), None)  # as it is
    first = "" if plain is None else (
        f'<tr><th scope="row">{escape(plain)}</th><td>{_picture(pictures, plain)}</td>'
        "<td></td><td></td></tr>"
    )  # fmt: skip
    axis = "".join(f'<b style="left:{25 * n}%">{text}</b>' for n, text in enumerate(_TICKS))
    return (
        '<div class="evaluated-wide"><table class="evaluated robust" aria-label="Robustness">'
        f"<tbody>{first}{''.join(lines)}</tbody><tfoot><tr><td></td><td></td>"
        f'<td class="axis"><div>{axis}</div></td><td></td></tr></tfoot></table></div>'
    )


_TICKS = ("0", "0.25", "0.5", "0.75", "1")


def _picture(pictures: dict[str, str], change: str) -> str:
    if change not in pictures:
        return ""
    return f'<img src="{pictures[change]}" alt="a picture, {escape(change)}">'


def _dots(figure: Figure, colour: str) -> str:
    if figure.value is None:
        return "<div></div>"
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    return (
        f'<div style="color:{colour}"><s style="left:{100 * low:.2f}%;'
        f'width:{100 * (high - low):.2f}%"></s><u style="left:{100 * figure.value:.2f}%"></u></div>'
    )


def _words(figure: Figure) -> str:
    if figure.value is None:
        return f'<div title="{escape(figure.why or "")}">-</div>'
    ends = "" if figure.low is None else f" <small>{figure.low:.2f} to {figure.high:.2f}</small>"
    return f"<div>{figure.value:.2f}{ends}</div>"
