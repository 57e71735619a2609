"""Original images to take away, in the background when they are many."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import jobs, taking
from core.catalogue import Image
from core.errors import CoreError
from core.library import Library, View
from dashboard import state
from dashboard.downloads import taken_url
from dashboard.parts.empty import start

ICON = ":material/folder_zip:"
HELP = "The original image files, with a list of what is known of each."


def zip_button(lib: Library, view: View, images: Sequence[Image], *, name: str) -> None:
    """The originals of these images as a zip: at once when they are few, else by a job."""
    uid = view.collection.uid
    if taking.fits_at_once(images):
        st.download_button(
            "Zip", lambda: taking.zip_bytes(lib, uid, images), f"{name}.zip", "application/zip",
            icon=ICON, on_click="ignore", help=HELP,
        )  # fmt: skip
        return
    key = taking.key_of(uid, images)
    packed = lib.workspace.exports / f"{key}.zip"
    if packed.is_file():
        size = packed.stat().st_size / 2**20
        st.link_button(f"Zip, {size:,.0f} MB", taken_url(key, name), icon=ICON, help=HELP)
        return
    problem = _problem(lib, images, key)
    clicked = st.button(
        "Zip", icon=ICON, disabled=problem is not None,
        help=problem or f"{HELP} They are packed in the background; the link is then here.",
        key=f"zip {key}",
    )  # fmt: skip
    if clicked:
        _pack(lib, view, images, key)


def _problem(lib: Library, images: Sequence[Image], key: str) -> str | None:
    """Why these cannot be packed from the page now."""
    if state.settings().read_only:
        return "This dashboard only shows, and these are too many to pack at once. Choose fewer."
    try:
        taking.check_limit(images, taking.PAGE_LIMIT)
    except CoreError as error:
        return state.as_text(str(error))
    if any(job.active and _ids(lib, key) in job.arguments for job in jobs.listed(lib.workspace)):
        return "Being packed now; the link is here when it is done."
    return None


def _ids(lib: Library, key: str) -> str:
    return str(lib.workspace.exports / f"{key}.csv")


def _pack(lib: Library, view: View, images: Sequence[Image], key: str) -> None:
    try:
        taking.prepare(lib.workspace, key, [image.id for image in images])
    except CoreError as error:
        state.say(error)
        return
    start(
        [
            "export", "--collection", view.collection.name, "--encoder", view.encoding.encoder,
            "--format", "zip", "--ids-from", _ids(lib, key), "--bounded",
            "-o", str(lib.workspace.exports / f"{key}.zip"),
        ],
        f"Pack {len(images):,} original images of {view.collection.name}",
    )  # fmt: skip
