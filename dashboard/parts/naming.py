"""A box to choose a label's name or type a new one, which tells of names that may be meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from core import vocabulary
from core.errors import CoreError
from dashboard import state

WHAT = "What are they? Choose a label or type a new one"


def name_box(
    label: str,
    known: Sequence[str],
    *,
    key: str,
    placeholder: str = "such as Copepod",
    width: int | Literal["stretch"] = "stretch",
) -> str | None:
    """Ask for a name; one much like a known one is pointed out, and can be swapped for it.

    Parameters
    ----------
    known : sequence of str
        The names in use, in the order they are offered.
    key : str
        Unique on the page.

    Returns
    -------
    str or None
        None while there is none, or where it will not do.
    """
    said = st.selectbox(
        label, known, index=None, key=key, accept_new_options=True, placeholder=placeholder,
        width=width,
    )  # fmt: skip
    name = (said or "").strip()
    if not name:
        return None
    try:
        vocabulary.check_name(name)
    except CoreError as error:
        state.say(error)
        return None
    likely = vocabulary.close_to(name, known)
    if likely:
        meant = state.as_text(likely[0])
        st.markdown(
            f":material/spellcheck: There is **{meant}** already: did you mean it?", width="content"
        )
        st.button(f"Take {meant}", key=f"{key} meant", on_click=_take, args=(key, likely[0]))
    return name


def _take(key: str, name: str) -> None:
    st.session_state[key] = name
