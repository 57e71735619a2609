"""What a source is, shown before it is indexed: one line, its first pictures, what was left aside.

Looking may take long (a large folder, a bucket), so it goes on beside the page and once only: a
page that is drawn again meets the same look, whether it still goes on or ended.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from core.errors import CoreError, ImageError
from core.sources.base import ImageRef
from core.sources.preview import Look, Names, counted
from core.sources.uri import REMOTE, scheme_of
from dashboard import state
from dashboard.parts.aside import left_aside
from dashboard.parts.gallery import Tile, gallery
from dashboard.parts.tiles import label_text

SIDE = 224  # pixels of a picture: small enough to travel inside the page
AT_ONCE_S = 0.4  # before it is said that something is going on
POLL_S = 0.5
AHEAD = 6  # pictures fetched at once where each is a request


@dataclass(frozen=True)
class Seen:
    """A look and its first pictures."""

    look: Look
    tiles: tuple[Tile, ...]


class _Looking(threading.Thread):
    """One look, going on."""

    def __init__(self, where: str, name: str | None) -> None:
        super().__init__(name=f"look at {where}", daemon=True)
        self.where, self.source_name = where, name
        self.done = threading.Event()
        self.count = 0
        self.seen: Seen | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        from core.sources import open_source
        from core.sources.preview import look

        try:
            source = open_source(self.where, name=self.source_name, bounded=True)
            found = look(source, progress=self._count)
            self.seen = Seen(found, _tiles(found))
        except Exception as error:
            self.error = error
        finally:
            self.done.set()

    def _count(self, count: int) -> None:
        self.count = count


@st.cache_resource(max_entries=16, ttl=900, show_spinner=False)
def _looking(where: str, name: str | None, stamp: str, again: int) -> _Looking:
    """Every argument tells one look from another; Streamlit leaves out what begins with ``_``."""
    del stamp, again
    started = _Looking(where, name)
    started.start()
    return started


def look_at(where: str, *, name: str | None, stamp: str) -> Seen | None:
    """What a source is; None when it cannot be used, which is said.

    Parameters
    ----------
    where : str
        A path or an address that a page may read.
    name : str or None
        The SOURCE of its ids; its own name when None.
    stamp : str
        What changes when the source did.
    """
    again = st.session_state.setdefault("look_again", 0)
    looking = _looking(where, name, stamp, again)
    if not looking.done.wait(AT_ONCE_S):
        shown = state.as_text(where if scheme_of(where) else where.rsplit("/", 1)[-1])
        with st.spinner(f"Looking at {shown} ...", show_time=True):
            counted_so_far = st.empty()
            while not looking.done.wait(POLL_S):  # writing lets a click end this run
                counted_so_far.caption(f"{looking.count:,} found so far" if looking.count else " ")
            counted_so_far.empty()
    if isinstance(looking.error, CoreError):
        state.say(_of_the_sender(looking.error))
        _offer_again()
        return None
    if looking.error is not None:
        raise looking.error
    return looking.seen


def _of_the_sender(error: CoreError) -> CoreError:
    """An error about an upload without where it lies on the server, which says nothing to them."""
    uploads = re.escape(f"{state.library().workspace.uploads}/")
    return CoreError(re.sub(rf"{uploads}[0-9a-f]{{16}}(/?)", _upload_name, str(error)))


def _upload_name(found: re.Match[str]) -> str:
    return "" if found[1] else "what was uploaded"


def stamp_of(path: Path) -> str:
    """Of a file its size and time, of a folder its own time: what lies deeper shows after a while,
    or at once with "Look again"."""
    try:
        found = path.stat()
    except OSError:
        return ""  # looking says why
    return f"{found.st_size}:{found.st_mtime_ns}"


def pixel_size(look: Look | None) -> str:
    """What is known of it, for a field that is left empty to keep it."""
    if look is None or look.um_per_px is None:
        return "unknown"
    low, high = look.um_per_px
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _offer_again() -> None:
    if st.button("Look again", icon=":material/refresh:", type="tertiary"):
        st.session_state.look_again += 1
        st.rerun()


def _tiles(found: Look) -> tuple[Tile, ...]:
    """The first pictures, small; one that cannot be read says why."""
    from core.ranging import choose

    uris = [found.uri(ref) for ref in found.first]
    far = any(scheme_of(uri) in REMOTE for uri in uris)
    value_range = choose(uris).value_range
    with ThreadPoolExecutor(AHEAD if far else 1) as pool:  # neighbours are cut from one collage
        made = pool.map(lambda ref: _tile(ref, found.uri(ref), value_range), found.first)
        return tuple(made)


def _tile(ref: ImageRef, uri: str, value_range: tuple[float, float] | None) -> Tile:
    from core.images import read_image, thumbnail

    title = ref.id.rsplit("/", 1)[-1]
    label = label_text(ref.label, ref.label_status)
    try:
        pixels = read_image(uri, value_range=value_range)
        data = base64.b64encode(thumbnail(pixels, side=SIDE)).decode()
    except ImageError as error:
        return Tile("", title, (error.reason,))
    except (MemoryError, OSError, ValueError) as error:  # one strange picture is not the page's end
        return Tile("", title, (f"it cannot be shown ({type(error).__name__})",))
    return Tile(
        thumb=f"data:image/webp;base64,{data}",
        title=title,
        lines=(label,) if label else (),
        width=pixels.shape[1],
        height=pixels.shape[0],
        um_per_px=ref.um_per_px,
    )


def show(seen: Seen, *, um_per_px: float | None, revision: str) -> None:
    """One line, the pictures, and what was left aside or assumed."""
    found = seen.look
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = ". Index?" if found.count else "."
        st.markdown(f"#### {state.as_text(found.sentence())}{asked}", width="stretch")
        _offer_again()
    facts = _facts(found)
    if facts:
        st.caption(" · ".join(map(state.as_text, facts)))
    tiles: Sequence[Tile] = seen.tiles
    if um_per_px:
        tiles = [replace(tile, um_per_px=um_per_px) for tile in tiles]
    gallery(
        tiles,
        key="preview",
        revision=revision,
        tile_px=100,
        selectable=False,
        empty="It holds no picture that could be indexed.",
        label="The first of them",
    )
    if found.notes:
        notes = [state.as_text(note) for note in found.notes]
        text = notes[0] if len(notes) == 1 else "\n".join(f"- {note}" for note in notes)
        st.info(text, icon=":material/info:")
    if found.skipped_count:
        with st.expander(f"Left aside, and why ({found.skipped_count:,})"):
            left_aside((s.uri, s.reason, s.count) for s in found.skipped)
            if (more := found.skipped_count - sum(s.count for s in found.skipped)) > 0:
                st.caption(f"and {more:,} more; all are listed once it is indexed")


def _facts(found: Look) -> list[str]:
    """What comes along."""
    told = []
    if found.labelled:
        standing = ""
        if found.validated < found.labelled:
            some = f"{found.validated:,}" if found.validated else "none"
            standing = f", {some} of {found.labelled:,} validated"
        told.append(f"Labels come with it: {_named(found.labels, 'kinds')}{standing}")
    if found.samples.count:
        told.append(_named(found.samples, "samples"))
    if found.folders.count and not found.labelled:
        told.append(_named(found.folders, "folders"))
    if found.dates is not None:
        first, last = found.dates
        told.append(first if first == last else f"{first} to {last}")
    return told


def _named(names: Names, noun: str) -> str:
    """``12 kinds (Copepod, Detritus, ...)``."""
    more = ", ..." if names.more or names.count > len(names.first) else ""
    counted_names = (
        f"more than {names.count:,} {noun}" if names.more else counted(names.count, noun)
    )
    return f"{counted_names} ({', '.join(names.first)}{more})"
