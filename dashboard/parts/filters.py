"""The filter bar of Similar and Map: which images may be matches, or stand out on the map.

The filter lives in the link, under one name, so that both pages, and whoever is sent the link,
have the same; the session only carries it from page to page.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date

import streamlit as st

from core.columns import NONE, Choices, Columns, Field, named
from core.filtering import Condition, Filter, checked, passing
from core.library import View
from dashboard import state

NAME = "filter"
OLDER = ("only_label", "only_sample", "from", "to", "once")
PAGES = ("similar", "map", "composition")
SHOWN = 9
"""Fields offered at once; the others are chosen by name."""
PILLS = 8
"""Up to so many short words are shown side by side, more in a list to search."""
WIDEST = 90


@dataclass(frozen=True)
class Filtered:
    """What the filter of the page lets through."""

    only: Filter
    rows: list[int]
    """Rows of the view that pass; empty, and not looked for, when nothing is asked."""
    known: Columns | None
    """The view's columns when there is a filter."""

    @property
    def nothing(self) -> bool:
        """Whether no image passes."""
        return bool(self.only.as_link()) and not self.rows


def carry(page: str, uid: str) -> None:
    """On the way from page to page the filter comes along; on a page the link has the word."""
    _older_link()
    before = st.session_state.get("filter_page")
    st.session_state.filter_page = page
    if page not in PAGES:
        return
    kept = st.session_state.get("filter_kept", ("", ""))
    if before not in (None, page) and NAME not in st.query_params and kept[0] == uid and kept[1]:
        state.set_link(**{NAME: kept[1]})
    st.session_state.filter_kept = (uid, st.query_params.get(NAME, ""))


def _older_link() -> None:
    """A link of before there was one filter says the same in several words."""
    asked = st.query_params
    if not set(asked) & set(OLDER):
        return
    ends = {}
    for name, end in (("from", "size_min"), ("to", "size_max")):
        with suppress(ValueError):
            ends[end] = float(asked.get(name, ""))
    only = Filter.of(
        label=asked.get("only_label"), sample=asked.get("only_sample"),
        collapse=asked.get("once") == "True", **ends,
    )  # fmt: skip
    state.set_link(**dict.fromkeys(OLDER), **{NAME: asked.get(NAME) or only.as_link() or None})


def bar(view: View) -> Filtered:
    """The row of controls above a page's content; gives what passes."""
    text = st.query_params.get(NAME, "")
    only, wrong = Filter.from_link(text)
    known, rows = None, []
    if text:
        known = state.columns(view)
        only, stale = checked(known, only)
        wrong += stale
        rows = passing(known, only).nonzero()[0].tolist()
        _keep(view, only)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filter-bar"):
        popover = st.popover(
            "Filter", icon=":material/filter_alt:", key="filter fields", on_change="rerun"
        )
        for condition in only.where:
            _chip(view, condition)
        if only.collapse:
            st.button(
                "Identical files once", icon=":material/close:", icon_position="right",
                key="filter chip once", on_click=_collapse, args=(view, False),
                help="Take this condition away",
            )  # fmt: skip
        if only.as_link():
            n = len(view.snapshot)
            st.markdown(f"**{len(rows):,}** of {n:,} images pass", width="content")
            st.button(
                "Clear all", type="tertiary", key="filter clear", on_click=_keep,
                args=(view, Filter()),
            )  # fmt: skip
    if popover.open:
        with popover:
            _fields(view, only)
    with st.container():  # there in any case, so that what follows is not drawn anew
        for sentence in wrong:
            st.warning(
                state.as_text(sentence[:1].upper() + sentence[1:] + "."), icon=":material/link_off:"
            )
    return Filtered(only, rows, known)


def nothing_passes(view: View, *, other: bool = False) -> None:
    """Said where images would be, with a way out."""
    st.info(
        f"No {'other ' if other else ''}image passes the filter. Take one of its conditions away "
        "above, or widen it.",
        icon=":material/filter_alt_off:",
    )
    st.button("Clear the filter", key="filter clear below", on_click=_keep, args=(view, Filter()))


def _keep(view: View, only: Filter) -> None:
    link = only.as_link()
    state.set_link(**{NAME: link or None})
    st.session_state.filter_kept = (view.collection.uid, link)


def _now() -> Filter:
    return Filter.from_link(st.query_params.get(NAME, ""))[0]


def _ask(view: View, condition: Condition) -> None:
    _keep(view, _now().having(condition))


def _collapse(view: View, once: bool) -> None:
    _keep(view, replace(_now(), collapse=once))


def _chip(view: View, condition: Condition) -> None:
    title, unit = named(condition.name)
    if condition.name == "size":
        unit = state.columns(view).size_unit
    said = f"{title[:1].upper()}{title[1:]}: {_read(view, condition).said(unit)}"
    st.button(
        state.as_text(said if len(said) <= WIDEST else said[: WIDEST - 1] + "…"),
        icon=":material/close:", icon_position="right", key=f"filter chip {condition.name}",
        on_click=_ask, args=(view, Condition(condition.name)),
        help="Take this condition away",
    )  # fmt: skip


def _read(view: View, condition: Condition) -> Condition:
    """The condition with people by their names, which only the page shows."""
    column = state.columns(view).by_name.get(condition.name)
    if not isinstance(column, Choices) or not column.shown:
        return condition
    reading = column.reading()
    return replace(condition, values=tuple(reading.get(v, v) for v in condition.values))


def _fields(view: View, only: Filter) -> None:
    every = state.fields(view)
    known = {field.name for field in every}
    asked = [c.name for c in only.where if c.name in known]
    first = {field.name for field in every[:SHOWN]} | set(asked)
    others = {field.name: field for field in every if field.name not in first}
    for field in every:
        if field.name in first:
            _field(view, field, only.on(field.name))
    if others:
        more = st.multiselect(
            f"More to filter by ({len(others)})", list(others), key="filter more",
            format_func=lambda name: _title(others[name]), placeholder="choose columns",
        )  # fmt: skip
        for name in more:
            _field(view, others[name], None)
    key = "filter once"
    st.session_state[key] = only.collapse
    st.toggle(
        "Identical files once", key=key,
        on_change=lambda: _collapse(view, st.session_state[key]),
    )  # fmt: skip


def _title(field: Field) -> str:
    """A widget's label; what is escaped is spelled out to a screen reader, so only what must be."""
    return state.as_text(field.label) + (f" ({field.unit})" if field.unit else "")


def _field(view: View, field: Field, asked: Condition | None) -> None:
    if field.kind == "choice":
        _choice(view, field, asked)
    else:
        _range(view, field, asked)


def _choice(view: View, field: Field, asked: Condition | None) -> None:
    counts = dict(field.values)
    words = list(counts)
    key = f"filter {field.name}"
    st.session_state[key] = [word for word in asked.values if word in counts] if asked else []

    def changed() -> None:
        _ask(view, Condition(field.name, tuple(st.session_state[key])))

    def text(word: str) -> str:
        return f"{'none' if word == NONE else field.shown.get(word, word)} ({counts[word]:,})"

    if len(words) <= PILLS and sum(map(len, words)) <= WIDEST:
        st.pills(
            _title(field), words, selection_mode="multi", key=key,
            format_func=lambda word: state.as_text(text(word)), on_change=changed,
        )  # fmt: skip
    else:
        st.multiselect(
            _title(field), words, key=key, format_func=text, on_change=changed,
            placeholder=f"any of {len(words):,}",
        )  # fmt: skip


def _range(view: View, field: Field, asked: Condition | None) -> None:
    lowest, highest = f"filter {field.name} from", f"filter {field.name} to"
    low, high = (asked.low, asked.high) if asked else (None, None)
    st.session_state[lowest], st.session_state[highest] = low, high

    def changed() -> None:
        ends = (st.session_state[lowest], st.session_state[highest])
        _ask(view, Condition(field.name, low=ends[0], high=ends[1]))

    about = f"From {_end(field.low)} to {_end(field.high)} in this collection."
    if field.missing:
        about += f" {field.missing:,} images have none, and do not pass a range."
    title = _title(field)
    days = [day for day in (field.low, field.high, low, high) if isinstance(day, date)]
    with st.container(horizontal=True, gap="small"):
        for name, key, end in (("from", lowest, field.low), ("to", highest, field.high)):
            if field.kind == "date":
                st.date_input(
                    f"{title} {name}", key=key, min_value=min(days), max_value=max(days),
                    format="YYYY-MM-DD", on_change=changed, help=about,
                )  # fmt: skip
            else:
                st.number_input(
                    f"{title} {name}", key=key, placeholder=_end(end), format="%.6g",
                    on_change=changed, help=about,
                )  # fmt: skip


def _end(value: float | date | None) -> str:
    return value.isoformat() if isinstance(value, date) else f"{value:.6g}"
