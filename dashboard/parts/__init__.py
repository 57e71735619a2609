"""What pages share: small `st.components.v2` parts and the way their events come back.

A part draws what Python hands it under a `revision` and answers with one event
``{seq, revision, ...}``. Streamlit keeps that value for as long as the part is on the page, so
every later rerun sees it again; `fresh_event` hands each one out exactly once, and never when it
was made on an older revision, where the same row number may mean another image.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

STALE = "The collection changed while you clicked. Please click again."


def fresh_event(key: str, revision: str) -> Mapping[str, Any] | None:
    """Hand out the event that part `key` sent, once; None when there is nothing new.

    An event of another revision is dropped and the user is asked to click again. Call it before
    the part is drawn: what it returns is also what the part must be drawn with.

    Parameters
    ----------
    key : str
        Key of the part on this page.
    revision : str
        The revision that is about to be drawn.

    Returns
    -------
    mapping or None
        The event as the browser sent it. Its rows are not checked here: see `rows`.
    """
    state = st.session_state.get(key)
    event = state.get("event") if isinstance(state, Mapping) else None
    if not isinstance(event, Mapping):
        return None
    seen = f"{key}:seen"
    if st.session_state.get(seen) == event.get("seq"):
        return None
    st.session_state[seen] = event.get("seq")
    if event.get("revision") != revision:
        st.toast(STALE, icon=":material/sync_problem:")
        return None
    return event


def rows(value: object, n: int) -> tuple[int, ...]:
    """The row numbers in `value` that exist among `n` rows; the browser is not trusted."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(r for r in value if type(r) is int and 0 <= r < n)


def row(value: object, n: int) -> int | None:
    """`value` when it is the number of one of `n` rows, else None."""
    return next(iter(rows([value], n)), None)


def acknowledged(key: str) -> Any:
    """Number of the last event of part `key` that Python has seen, to be drawn with it."""
    return st.session_state.get(f"{key}:seen")
