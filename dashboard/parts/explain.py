"""In which named measures two images agree and differ, for encoders that can say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.catalogue import Image
from core.errors import CoreError
from core.explaining import Compared, comparison
from core.library import Library, View
from dashboard import state

SHOWN = 5


def explain(lib: Library, view: View, query: Image | None, others: Sequence[Image]) -> None:
    """Compare the query with the selected match."""
    if view.encoding.encoder != "descriptors" or query is None:
        return
    if not others:
        st.caption("Ctrl-click a match, or tick its corner, to see in what it agrees and differs.")
        return
    other = others[-1]
    try:
        agree, differ = comparison(lib, view, query, other)
    except CoreError as error:
        state.say(error)
        return
    name = state.as_text(Path(other.id).name)
    with st.container(border=True):
        st.markdown(f"**Compared with** {name}")
        st.markdown(
            _table("Alike in", agree[:SHOWN]) + "\n\n" + _table("Differ in", differ[:SHOWN])
        )


def _table(title: str, rows: Sequence[Compared]) -> str:
    """A Markdown table: the measure, the query's value, the match's."""
    lines = [f"| {title} | query | match |", "|---|---|---|"]
    lines += [
        f"| {state.as_text(r.name)} | {state.as_text(r.a_text)} | {state.as_text(r.b_text)} |"
        for r in rows
    ] or ["| nothing that stands out | | |"]
    return "\n".join(lines)
