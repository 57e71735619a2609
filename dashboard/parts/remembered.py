"""A person's name, kept by their own browser: in no link, no cookie, nothing others share."""

from __future__ import annotations

import streamlit as st

# asked once a session; what was said since is kept, and an emptied name forgotten
_JS = """
const KEY = "plankton explorer: your name";
export default function ({ data, setStateValue }) {
  try {
    if (data.name) localStorage.setItem(KEY, data.name);
    else if (data.name === "") localStorage.removeItem(KEY);
    else setStateValue("name", localStorage.getItem(KEY) ?? "");
  } catch {
    // a browser that keeps nothing: the name is asked again
  }
}
"""
_keeper = st.components.v2.component("plankton.remembered", js=_JS)


def remembered(name: str | None) -> str | None:
    """Keep a name, or forget it when it is empty; None asks for the one that is kept.

    Returns
    -------
    str or None
        The name the browser kept from before; None while it has not answered.
    """
    with st.sidebar:  # where a part without a face leaves no gap
        given = _keeper(key="remembered name", data={"name": name}, on_name_change=lambda: None)
    kept = getattr(given, "name", None)
    return kept.strip()[:80] if isinstance(kept, str) else None
