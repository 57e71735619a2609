"""Files, a folder or a zip on their way to the server, streamed to disk with progress shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import state, uploads

_HERE = Path(__file__).parent
_upload = st.components.v2.component(
    "plankton.uploader",
    html='<div class="uploader"></div>',
    css=(_HERE / "uploader.css").read_text(encoding="utf-8"),
    js=(_HERE / "uploader.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Uploaded:
    """What a person sent in one go."""

    batch: str
    files: int
    """As the browser counts them; changes when a file that failed was sent again."""


def uploader(*, key: str) -> Uploaded | None:
    """Let a person choose or drop files, a folder or a zip; None until all of it came."""
    _upload(
        key=key,
        data={
            "secret": state.PAGE_SECRET,
            "taken": sorted(uploads.TAKEN),
            "files_limit": uploads.FILES_LIMIT,
            "bytes_limit": uploads.UPLOAD_LIMIT,
        },
        on_done_change=lambda: None,
    )
    sent = st.session_state.get(key)
    done = sent.get("done") if sent else None
    if not isinstance(done, Mapping):  # the browser is not trusted
        return None
    batch, files = done.get("batch"), done.get("files")
    if not isinstance(batch, str) or not uploads.BATCH.fullmatch(batch):
        return None
    return Uploaded(batch, files if isinstance(files, int) else 0)
