"""Where images come from, as bars: a line a value, with its count and the share of all it has."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.spread import Bar, Spread

TEXT = "min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
TRACK = "background:color-mix(in srgb,currentColor 9%,transparent);border-radius:3px;height:10px"
FILL = "background:var(--st-primary-color,#0b7285);border-radius:3px;height:10px"


def bars(spread: Spread) -> None:
    """One column's values; the longest bar is the most frequent."""
    most = max((bar.count for bar in spread.bars), default=0)
    lines = "".join(_line(bar, most) for bar in spread.bars)
    missing = ""
    if spread.missing:
        missing = f'<div style="opacity:.65">{spread.missing:,} without one</div>'
    st.html(
        f'<div style="font-size:13px;line-height:1.5;margin-bottom:6px" '
        f'aria-label="{escape(spread.title)}">'
        f'<div style="font-weight:600;margin-bottom:2px">{escape(spread.title)}</div>'
        f"{lines}{missing}</div>"
    )


def _line(bar: Bar, most: int) -> str:
    width = 100 * bar.count / most if most else 0
    share = f"{bar.count:,} of the {bar.of:,} images with {bar.value} are here ({bar.share:.0%})"
    return (
        f'<div title="{escape(share)}" style="display:grid;align-items:center;gap:8px;'
        'grid-template-columns:minmax(0,5fr) minmax(30px,3fr) minmax(60px,max-content)">'
        f'<div style="{TEXT}">{escape(bar.value)}</div>'
        f'<div style="{TRACK}"><div style="{FILL};width:{width:.1f}%"></div></div>'
        f'<div style="font-variant-numeric:tabular-nums;text-align:right">{bar.count:,}'
        f'<span style="opacity:.65"> · {bar.share:.0%}</span></div></div>'
    )
