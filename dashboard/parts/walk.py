"""The walk from image to image: back and forward through what was looked at."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from dashboard import state

Query = dict[str, str]
KINDS = ("id", "upload", "text", "set")
LINKED = (*KINDS, "unlike")
"""What the link says of a query; a set may say what its matches are not to be like."""
LONGEST = 200


def here() -> Query | None:
    """What the link asks for."""
    for kind in KINDS:
        if st.query_params.get(kind):
            return {
                name: st.query_params[name]
                for name in ((kind, "unlike") if kind == "set" else (kind,))
                if st.query_params.get(name)
            }
    return None


def _walk() -> list[Query]:
    place = (st.query_params.get("collection"), st.query_params.get("encoder"))
    if st.session_state.get("walk_place") != place:
        st.session_state.walk_place = place
        st.session_state.walk, st.session_state.walk_at = [], -1
    walk: list[Query] = st.session_state.walk
    return walk


def note(query: Query) -> None:
    """Remember that this was looked at, unless it is where the walk stands."""
    walk, at = _walk(), st.session_state.walk_at
    if 0 <= at < len(walk) and walk[at] == query:
        return
    for near in (at - 1, at + 1):  # the browser's own back and forward
        if 0 <= near < len(walk) and walk[near] == query:
            st.session_state.walk_at = near
            return
    st.session_state.walk = [*walk[: at + 1], query][-LONGEST:]
    st.session_state.walk_at = len(st.session_state.walk) - 1


def stands() -> Query | None:
    """Where the walk stands, when the link does not say; None before its first step."""
    walk, at = _walk(), st.session_state.walk_at
    return walk[at] if 0 <= at < len(walk) else None


def go(query: Query) -> NoReturn:
    """Make this the query."""
    state.set_link(**{name: query.get(name) for name in LINKED})
    st.rerun()


def steps() -> tuple[bool, bool]:
    """Whether there is a way back and a way forward."""
    current = here()
    if current is not None:
        note(current)
    walk, at = _walk(), st.session_state.walk_at
    return at > 0, at < len(walk) - 1


def step(by: int) -> NoReturn:
    """Go back or forward."""
    st.session_state.walk_at += by
    go(_walk()[st.session_state.walk_at])
