"""Encoders on a page: a colour each, the same in every plot, and names a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.evaluation.charts import COLOURS
from core.evaluation.storing import PREFIX
from core.evaluation.subject import BY_SIZE

DARK = ("#3bc9db", "#ff9f5a", "#b197fc", "#69db7c", "#f783ac", "#adb5bd")
"""The same hues where the ground is dark."""
GREY = "#868e96"


def colours(names: Sequence[str]) -> dict[str, str]:
    """encoder -> colour, in the order of the table; what is no encoder is grey."""
    paints = DARK if is_dark() else COLOURS
    own = [name for name in names if name != BY_SIZE]
    found = {name: paints[n % len(paints)] for n, name in enumerate(own)}
    return found | {BY_SIZE: GREY}


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def called(name: str) -> str:
    """An encoder's name as a person reads it.

    Examples
    --------
    >>> called("joined:descriptors+precomputed:pixels"), called("descriptors")
    ('descriptors + precomputed:pixels, joined', 'descriptors')
    """
    if not name.startswith(PREFIX):
        return name
    return f"{' + '.join(name.removeprefix(PREFIX).split('+'))}, joined"


def heading(name: str) -> str:
    """HTML of a name at the head of a column, with places where a long one may break."""
    text = escape(called(name))
    for mark in "/:+-.":
        text = text.replace(mark, f"{mark}<wbr>")
    return text


def legend(names: Sequence[str]) -> None:
    """Which colour is which encoder; wraps to whatever width there is."""
    paint = colours(names)
    said = "".join(
        '<li style="display:flex;align-items:center;gap:.4rem">'
        f'<i style="flex:none;width:.75rem;height:.75rem;border-radius:50%;'
        f'background:{paint[name]}"></i>'
        f'<span title="{escape(name)}">{escape(called(name))}</span></li>'
        for name in names
    )
    st.html(
        '<ul aria-label="Encoders" style="display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;margin:0;'
        f'padding:0;list-style:none;font-size:.875rem">{said}</ul>'
    )
