"""A picture pasted anywhere on the page."""

import base64
import binascii

import streamlit as st

LIMIT = 20 * 2**20

_JS = """
export default function (component) {
  const { setTriggerValue, data } = component;
  const onPaste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const file = files.find((each) => each.type.startsWith("image/"));
    if (!file || file.size > data.limit) return;
    event.preventDefault();
    const reader = new FileReader();
    reader.onload = () => setTriggerValue("pasted", reader.result.split(",")[1]);
    reader.readAsDataURL(file);
  };
  document.addEventListener("paste", onPaste);
  document.body.dataset.listensForPaste = "yes";
  return () => document.removeEventListener("paste", onPaste);
}
"""
_listener = st.components.v2.component("plankton.paste", js=_JS)


def pasted(*, key: str) -> bytes | None:
    """The picture that was just pasted, once; None otherwise."""
    given = _listener(key=key, data={"limit": LIMIT}, on_pasted_change=lambda: None)
    text = getattr(given, "pasted", None)
    if not text:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if 0 < len(data) <= LIMIT else None
