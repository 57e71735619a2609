"""A picture pasted on a page reaches Python, once."""

import base64
from pathlib import Path

import pytest

from core.images import encode_png

pytestmark = pytest.mark.browser

APP = """
import streamlit as st
from dashboard.parts.paste import pasted

count = st.session_state.setdefault("count", 0)
data = pasted(key="paste")
if data is not None:
    st.session_state.count += 1
    st.session_state.size = len(data)
st.button("again")
st.write(f"pasted {st.session_state.count} times, {st.session_state.get('size', 0)} bytes")
"""

PASTE = """([text, type]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "picture.png", { type }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def url(serve, tmp_path_factory) -> str:
    app: Path = tmp_path_factory.mktemp("paste") / "paste_app.py"
    app.write_text(APP, encoding="utf-8")
    return serve(app, {})


def test_a_pasted_picture_arrives_once_and_text_does_not(page, url):
    import numpy as np

    picture = encode_png(np.full((8, 9, 3), 120, np.uint8))
    tab = page(url)
    tab.get_by_text("pasted 0 times, 0 bytes").wait_for()
    tab.locator("body[data-listens-for-paste]").wait_for(state="attached")
    tab.evaluate(PASTE, [base64.b64encode(b"words").decode(), "text/plain"])
    tab.evaluate(PASTE, [base64.b64encode(picture).decode(), "image/png"])
    tab.get_by_text(f"pasted 1 times, {len(picture)} bytes").wait_for()
    tab.get_by_role("button", name="again").click()
    tab.wait_for_timeout(500)
    assert tab.get_by_text("pasted 1 times").is_visible()
