"""Give the selection a label: who says so, what, and a way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from core import labels, vocabulary
from core.errors import CoreError
from core.labels import Decision
from core.library import Library
from dashboard import state
from dashboard.parts.naming import name_box
from dashboard.parts.remembered import remembered


def label_images(lib: Library, uid: str, ids: Sequence[str]) -> None:
    """A form that says of all these images what they are; on disk before it says so."""
    known = sorted(each.name for each in vocabulary.names(lib.catalogue, uid))
    with st.popover(
        "Label", icon=":material/label:", disabled=state.settings().read_only, key="label images"
    ):
        name = name_box("What they are", known, key="label name")
        by = who()
        n = len(ids)
        said = st.button(
            f"Label {n:,} image{'' if n == 1 else 's'}", type="primary", key="label go",
            disabled=not (name and by),
            help=None if name and by else "Say what they are, and who says so.",
        )  # fmt: skip
    if said and name:
        _label(lib, uid, ids, label=name, by=by)
    _last(lib, uid)


def who(*, width: int | Literal["stretch"] = "stretch") -> str:
    """A person's name: that of the login, else asked once and kept by their browser, in no link."""
    if state.has_login() and st.user.is_logged_in:
        return str(st.user.get("name") or st.user.get("email"))
    key = "label who"
    known: str | None = st.session_state.get("who")  # None before anything was said
    kept = remembered(known)
    if known is None and kept:
        st.session_state.who = st.session_state[key] = kept
    elif key not in st.session_state:
        st.session_state[key] = known or ""
    st.text_input(
        "Your name", key=key, max_chars=80, placeholder="kept with what you say", width=width,
        on_change=_named, args=(key,),
    )  # fmt: skip
    return str(st.session_state[key]).strip()


def _named(key: str) -> None:
    st.session_state.who = st.session_state[key].strip()


def _label(lib: Library, uid: str, ids: Sequence[str], *, label: str, by: str) -> None:
    try:
        said = [Decision(id, label) for id in ids]
        action = labels.record(lib.catalogue, uid, said, by=by, how="selection")
    except CoreError as error:
        state.say(error)
        return
    st.session_state.labelled = (uid, action, len(ids), label, by)


def _last(lib: Library, uid: str) -> None:
    """What was said last in this session, until it is taken back."""
    done = st.session_state.get("labelled")
    if done is None or done[0] != uid:
        return
    _, action, n, label, by = done
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = f"Labelled {n:,} image{'' if n == 1 else 's'} {state.as_text(label)}."
        st.markdown(f":material/check: {said}", width="content")
        if not st.button("Undo", icon=":material/undo:", key="label undo"):
            return
    try:
        undone = labels.undo(lib.catalogue, uid, action, by=by)
    except CoreError as error:
        state.say(error)
        return
    del st.session_state.labelled
    say_undone(undone)
    st.rerun()


def say_undone(undone: labels.Undone) -> None:
    """What taking an action back did."""
    more = f"; {len(undone.decided_since):,} decided on since stay" if undone.decided_since else ""
    st.toast(f"Taken back for {len(undone.restored):,} images{more}.", icon=":material/undo:")
