"""What is taken for what: a table of kinds whose cells are clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from dashboard.parts import acknowledged, fresh_event, row

_HERE = Path(__file__).parent
_table = st.components.v2.component(
    "plankton.matrix",
    html='<div class="mx-host"><div class="mx-root"></div></div>',
    css=(_HERE / "matrix.css").read_text(encoding="utf-8"),
    js=(_HERE / "matrix.js").read_text(encoding="utf-8"),
)


def matrix(
    kinds: Sequence[str],
    cells: Mapping[tuple[int, int], int],
    totals: Sequence[int],
    *,
    key: str,
    revision: str,
    chosen: tuple[int, int] | None = None,
    label: str = "What is taken for what",
) -> tuple[int, int] | None:
    """Draw a confusion matrix, darker for a larger share of the row, and say which was clicked.

    Arrows go from cell to cell with the keyboard; empty cells are none to click.

    Parameters
    ----------
    kinds : names of rows and columns
    cells : (row, column) -> images, those that hold any
    totals : images of each row
    key : str
        Unique on the page.
    revision : str
        Changes whenever the same cell may hold other images.
    chosen : (row, column), optional
        The cell that is open.

    Returns
    -------
    (row, column) or None
        A cell that holds images, once; None when nothing new was clicked.
    """
    event = fresh_event(key, revision)
    _table(
        key=key,
        data={
            "revision": revision,
            "kinds": list(kinds),
            "cells": [{"row": r, "column": c, "count": n} for (r, c), n in cells.items()],
            "totals": list(totals),
            "chosen": None if chosen is None else list(chosen),
            "label": label,
            "ack": acknowledged(key),
        },
        on_event_change=lambda: None,
    )
    clicked = None if event is None else event.get("clicked")
    if not isinstance(clicked, list | tuple) or len(clicked) != 2:
        return None
    at = row(clicked[0], len(kinds)), row(clicked[1], len(kinds))
    if at[0] is None or at[1] is None or (at[0], at[1]) not in cells:
        return None
    return at[0], at[1]
