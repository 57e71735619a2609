"""What pages share on the server: the open workspace, cached views, links."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import streamlit as st
from streamlit import config

from core.catalogue import Collection, Image
from core.errors import CoreError, NotFoundError, SourceError, StaleError
from core.library import Library, View
from core.settings import Settings

if TYPE_CHECKING:
    from core.checking import Checked
    from core.checkups import Checkup
    from core.columns import Columns, Field
    from core.composition import Kinds
    from core.encoders.base import Encoder
    from core.evaluation.storing import Evaluation
    from core.grouping import Grouping
    from core.mapdata import MapData
    from core.mapdrawn import Drawn
    from core.screen import Screen
    from core.screen_views import KindSeen

LOCAL = {"localhost", "127.0.0.1", "::1"}
PAGE_SECRET = secrets.token_urlsafe(16)
"""What our own pages know and no other site does; uploads, and fetches after a login, carry it."""
_encoder_lock = threading.Lock()
_columns_lock = threading.Lock()
_grouping_lock = threading.Lock()
_drawn_lock = threading.Lock()
_screen_lock = threading.Lock()


def on_localhost() -> bool:
    """Whether only this machine can open the dashboard."""
    return (config.get_option("server.address") or "") in LOCAL


def settings() -> Settings:
    """Settings from the environment; beyond localhost without a login pages only show."""
    return _settings(tuple(sorted(_plankton_variables().items())), on_localhost())


def _plankton_variables() -> dict[str, str]:
    found = {key: value for key, value in os.environ.items() if key.startswith("PLANKTON_")}
    if "--read-only" in sys.argv[1:]:  # streamlit run dashboard/app.py -- --read-only
        found["PLANKTON_READ_ONLY"] = "1"
    return found


@lru_cache(maxsize=8)
def _settings(variables: tuple[tuple[str, str], ...], localhost: bool) -> Settings:
    from dataclasses import replace

    made = Settings.from_environment(dict(variables), localhost=localhost)
    return made if localhost or has_login() else replace(made, read_only=True)


def has_login() -> bool:
    """Whether ``st.login`` is configured."""
    try:
        return "auth" in st.secrets
    except Exception:  # no secrets file at all
        return False


def library() -> Library:
    """The open workspace, shared by all pages and routes.

    Raises
    ------
    CoreError
        If it cannot be opened.
    """
    return _library(settings())


@lru_cache(maxsize=4)
def _library(wanted: Settings) -> Library:
    return Library.open(wanted)


def view(collection: Collection, encoder: str | None) -> View:
    """A collection as an encoder sees it now; read again only when it changed."""
    lib = library()
    encoding = lib.catalogue.encoding(collection, encoder)
    return _view(lib, collection.uid, collection.name, encoding.encoder,
                 lib.vectors_version(collection, encoding))  # fmt: skip


@lru_cache(maxsize=4)
def _view(lib: Library, uid: str, name: str, encoder: str, _version: str) -> View:
    return lib.vectors(lib.catalogue.collection(name), encoder)


def encoder_for(current: View) -> Encoder:
    """The view's encoder, loaded once."""
    with _encoder_lock:
        identity = current.encoding.identity
        return _encoder(_Key(current, f"{identity} {current.encoding.made_by}"))


class _Key:
    """A view as a cache key: equal when its encoder is."""

    def __init__(self, current: View, identity: str) -> None:
        self.view = current
        self.identity = identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.identity == self.identity


@lru_cache(maxsize=2)
def _encoder(key: _Key) -> Encoder:
    from core.matching import encoder_of

    return encoder_of(key.view)


def map_of(current: View, method: str) -> MapData:
    """The map of a view with every image in its place.

    Raises
    ------
    NotFoundError
        If none was made yet.
    """
    lib = library()
    path = lib.workspace.projection(current.collection.uid, current.encoding.encoder, method)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    revision = lib.catalogue.revision(current.collection.uid)
    return _map(lib, _Current(current), method, stamp, revision)


class _Current:
    """A view as a cache key: equal while its vectors are the same."""

    def __init__(self, current: View) -> None:
        self.view = current
        snapshot = current.snapshot
        self.key = (
            current.collection.uid,
            current.encoding.encoder,
            current.encoding.generation,
            snapshot.version,
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Current) and other.key == self.key


@lru_cache(maxsize=4)
def _map(lib: Library, current: _Current, method: str, _stamp: int, _revision: int) -> MapData:
    from core.mapdata import map_data

    return map_data(lib, current.view, method=method)


def places(data: MapData) -> dict[str, int]:
    """id -> row of every image of a map."""
    return _places(_Held(data))


@lru_cache(maxsize=4)
def _places(held: _Held) -> dict[str, int]:
    return {id: row for row, id in enumerate(held.what.ids)}


def clusters(current: View, name: str | None = None) -> dict[str, int | None]:
    """id -> cluster of a clustering, -1 for noise; of the newest when none is named."""
    return _clusters(library(), _Current(current), colour_version(current), name)[0]


def cluster_text(current: View, id: str, name: str | None = None) -> str:
    """The cluster of an image in words, by its name where it has one; empty when it has none."""
    found, names = _clusters(library(), _Current(current), colour_version(current), name)
    cluster = found.get(id)
    if cluster is None:
        return ""
    return "noise" if cluster < 0 else names.get(str(cluster), f"cluster {cluster}")


@lru_cache(maxsize=4)
def _clusters(
    lib: Library, current: _Current, _version: str, name: str | None
) -> tuple[dict[str, int | None], dict[str, str]]:
    from core.analysis import clusters_of

    ids = current.view.snapshot.ids
    found, meta = clusters_of(lib, current.view, ids, name=name)
    names = (meta or {}).get("names") or {}
    return dict(zip(ids, found, strict=True)), {str(c): str(said) for c, said in names.items()}


def drawing(current: View, data: MapData, colour: str, only: str = "") -> Drawn:
    """A map coloured and filtered; looked at again only when something changed.

    Raises
    ------
    NotFoundError
        If there is nothing of that name to colour by.
    """
    with _drawn_lock:  # points and shades are asked for at once: one makes it, the other waits
        return _drawn(
            library(), _Current(current), _Held(data), _Held(columns(current)), colour, only,
            colour_version(current),
        )  # fmt: skip


@lru_cache(maxsize=4)
def _drawn(
    lib: Library,
    current: _Current,
    data: _Held,
    known: _Held,
    colour: str,
    only: str,
    _version: str,
) -> Drawn:
    from core.filtering import Filter, checked
    from core.mapdrawn import drawn

    # the page says what of its link means nothing any more
    asked, _ = checked(known.what, Filter.from_link(only)[0])
    return drawn(lib, current.view, data.what, known.what, colour=colour, only=asked)


def kinds(current: View, *, of: str, clustering: str | None, validated: bool = False) -> Kinds:
    """The cluster or label of every image; read again when there may be others.

    Raises
    ------
    NotFoundError
        If there is no such clustering, or no label at all.
    """
    version = colour_version(current)
    return _kinds(library(), _Current(current), of, clustering, validated, version)


@lru_cache(maxsize=4)
def _kinds(
    lib: Library, current: _Current, of: str, clustering: str | None, validated: bool, _version: str
) -> Kinds:
    from core.composition import kinds_of

    return kinds_of(lib, current.view, of=of, clustering=clustering, validated=validated)


def standing(current: View, checkup: Checkup) -> Checked:
    """What of a check still stands; looked at again when labels changed."""
    from core import labels

    lib = library()
    revision = labels.revision(lib.catalogue, current.collection.uid)
    return _standing(lib, _Current(current), _Held(checkup), revision)


@lru_cache(maxsize=4)
def _standing(lib: Library, current: _Current, checkup: _Held, _labels: int) -> Checked:
    from core.checkups import standing as found

    return found(lib, current.view, checkup.what)


def evaluation(uid: str, name: str) -> Evaluation:
    """A stored evaluation, read again only when it was made anew.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    WorkspaceError
        If it is damaged.
    """
    from core.evaluation.storing import path_of

    lib = library()
    path = path_of(lib.workspace, uid, name)
    return _evaluation(lib, uid, name, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=4)
def _evaluation(lib: Library, uid: str, name: str, _stamp: int) -> Evaluation:
    from core.evaluation.storing import load

    return load(lib.workspace, uid, name)


def grouping(current: View, name: str, *, guess: bool = False) -> Grouping:
    """A card for each cluster of a clustering; made again when anything they say changed.

    With `guess` names are guessed by the view's encoder, which must read text.
    """
    lib = library()
    path = lib.workspace.clustering(current.collection.uid, current.encoding.encoder, name)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    with _grouping_lock:
        return _grouping(lib, _Current(current), _Held(columns(current)), name, stamp, guess)


@lru_cache(maxsize=4)
def _grouping(
    lib: Library, current: _Current, known: _Held, name: str, _stamp: int, guess: bool
) -> Grouping:
    from core.grouping import grouping as found

    encode_text = encoder_for(current.view).encode_text if guess else None
    return found(lib, current.view, known.what, name=name, encode_text=encode_text)


def kinds_seen(current: View) -> tuple[KindSeen, ...]:
    """Validated labels with a picture each; looked at again when labels changed."""
    return _kinds_seen(library(), _Current(current), _said(current))


def _said(current: View) -> str:
    from core import labels

    lib, uid = library(), current.collection.uid
    return f"{lib.catalogue.revision(uid)}.{labels.revision(lib.catalogue, uid)}"


@lru_cache(maxsize=8)
def _kinds_seen(lib: Library, current: _Current, _said: str) -> tuple[KindSeen, ...]:
    from core.screen_views import kinds_seen as found

    return found(lib, current.view)


def screen(current: View, keep: tuple[str, ...], drop: tuple[str, ...]) -> Screen:
    """A filter trained on the labels as they are now; trained again only when they changed.

    Raises
    ------
    CoreError
        If there are too few labels on one side.
    """
    with _screen_lock:
        return _screen(library(), _Current(current), keep, drop, _said(current))


@lru_cache(maxsize=8)
def _screen(
    lib: Library, current: _Current, keep: tuple[str, ...], drop: tuple[str, ...], _said: str
) -> Screen:
    from core.screen_training import train_screen

    return train_screen(lib, current.view, name="filter", keep=keep, drop=drop, seed=0)


def columns(current: View) -> Columns:
    """What images can be filtered and coloured by; read again only when it changed."""
    from core import labels

    lib, uid = library(), current.collection.uid
    with _columns_lock:  # a page and its points ask at once: one reads, the other waits
        changed = lib.catalogue.revision(uid)
        return _labelled(lib, _Current(current), changed, labels.revision(lib.catalogue, uid))


@lru_cache(maxsize=4)
def _labelled(lib: Library, current: _Current, revision: int, _labels: int) -> Columns:
    from core.columns import read_labels

    return _columns(lib, current, revision).with_labels(read_labels(lib, current.view))


@lru_cache(maxsize=4)
def _columns(lib: Library, current: _Current, _revision: int) -> Columns:
    from core.columns import read_columns

    return read_columns(lib, current.view)


def fields(current: View) -> list[Field]:
    """The columns worth filtering by; looked for again only when something changed."""
    return _fields(_Held(columns(current)))


class _Held:
    """Something as a cache key: equal while it is the very same."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def __hash__(self) -> int:
        return id(self.what)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.what is self.what


@lru_cache(maxsize=4)
def _fields(held: _Held) -> list[Field]:
    from core.columns import fields as found

    return found(held.what)


def colourings(current: View) -> dict[str, str]:
    """What points can be coloured by."""
    from core.mapdata import colourings as found

    return found(library(), current, columns(current))


def map_row(uid: str, encoder: str, method: str, revision: str) -> tuple[View, MapData]:
    """The map that a browser drew, for a route.

    Raises
    ------
    StaleError
        If it changed since.
    """
    lib = library()
    found = next((c for c in lib.catalogue.collections() if c.uid == uid), None)
    if found is None:
        raise NotFoundError("there is no such collection any more")
    current = view(found, encoder)
    data = map_of(current, method)
    if data.revision != revision:
        raise StaleError("the collection changed, click again")
    return current, data


# links


def thumb(uid: str, image: Image) -> str:
    """Where an image's thumbnail is served."""
    return _address("thumb", uid, image)


def picture(uid: str, image: Image) -> str:
    """Where an image is served as large as a page needs it."""
    return _address("picture", uid, image)


def about(uid: str, image: Image) -> str:
    """Where what is known of an image is served."""
    return _address("about", uid, image)


def _address(kind: str, uid: str, image: Image) -> str:
    version = quote(image.content_hash or "")
    if {"", ".", ".."} & set(image.id.replace("\\", "/").split("/")):
        # on its way a path of such parts is folded or refused
        return f"/{kind}/{uid}/-?id={quote(image.id, safe='')}&v={version}{_pass()}"
    return f"/{kind}/{uid}/{quote(image.id, safe='/')}?v={version}{_pass()}"


def _pass() -> str:
    """What lets a browser fetch pictures and points where people have to log in."""
    return f"&pass={PAGE_SECRET}" if has_login() else ""


class MapUrls(NamedTuple):
    """Where what a map shows is served."""

    points: str
    point: str
    """One point's text and picture; holds ``{row}``."""
    density: str
    held: str
    """The selection; holds ``{key}``."""


def map_urls(
    current: View, data: MapData, method: str, colour: str, version: str, only: str = ""
) -> MapUrls:
    """Where the points, their shading and one point's card are served; `only` is a filter's link.

    The card tells the cluster of the clustering that colours, else of the newest.
    """
    common = urlencode(
        {
            "uid": current.collection.uid,
            "encoder": current.encoding.encoder,
            "method": method,
            "revision": data.revision,
        }
    )
    filtered = {"filter": only} if only else {}
    colouring = f"{common}&{urlencode({'colour': colour, 'version': version, **filtered})}"
    kind, _, name = colour.partition(":")
    card = urlencode({"clustering": name, "version": version}) if kind == "cluster" else ""
    return MapUrls(
        f"/points?{colouring}{_pass()}",
        f"/point?{common}&{card or urlencode({'version': version})}&row={{row}}{_pass()}",
        f"/density?{colouring}{_pass()}",
        f"/held?{colouring}&key={{key}}{_pass()}",
    )


def colour_version(current: View) -> str:
    """Changes whenever labels, metadata or clusterings may colour points differently."""
    from core import labels

    lib = library()
    uid = current.collection.uid
    folder = lib.workspace.clusterings(uid, current.encoding.encoder)
    stamps = [p.stat().st_mtime_ns for p in folder.glob("*.parquet")] if folder.is_dir() else []
    newest = max(stamps, default=0)
    return f"{lib.catalogue.revision(uid)}.{labels.revision(lib.catalogue, uid)}.{newest}"


def allowed_path(text: str) -> Path:
    """A local path a page may read: under ``PLANKTON_ROOTS``, links resolved.

    Raises
    ------
    SourceError
        If it lies elsewhere; says where it may lie.
    """
    roots = settings().roots
    try:
        path = Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # ~nobody, links in a circle, a NUL
        raise SourceError(
            f"{text[:200]!r} is no place ({error}); expected a folder or a zip of pictures"
        ) from error
    if not any(path == root or root in path.parents for root in roots):
        places = (
            ", ".join(str(root) for root in roots) or "nowhere (PLANKTON_ROOTS names no folder)"
        )
        raise SourceError(
            f"{path} may not be read from the page; expected a folder or zip under: {places}; "
            "start the dashboard with PLANKTON_ROOTS=FOLDER, or use the command line"
        )
    if not os.path.exists(path):  # noqa: PTH110  (False where pathlib raises: no right to look)
        raise SourceError(
            f"{str(path)[:300]} does not exist; expected a folder or a zip of pictures"
        )
    return path


def set_link(**values: Any) -> None:
    """Put values into the page's address; None takes one away.

    All at once: each change of the address is a step of the browser's own back button.
    """
    before = st.query_params.to_dict()
    after = before | {name: str(value) for name, value in values.items() if value is not None}
    for name in [name for name, value in values.items() if value is None]:
        after.pop(name, None)
    if after != before:
        st.query_params.from_dict(after)


def linked(name: str, options: Sequence[Any], default: Any, *, key: str | None = None) -> str:
    """Prepare a widget whose value is in the link; gives its key, to be used with `follow`.

    The link wins over what the session remembers, so back, forward and a shared link work.
    """
    key = key or f"link_{name}"
    by_text = {str(option): option for option in options}
    asked = by_text.get(st.query_params.get(name, ""))
    if asked is not None:
        st.session_state[key] = asked
    elif st.session_state.get(key) not in by_text.values():
        st.session_state[key] = default
    return key


def follow(name: str, key: str, *, also: Sequence[str] = ()) -> None:
    """A widget changed: its value goes into the link, and what depended on it leaves."""
    set_link(**{name: st.session_state[key]}, **dict.fromkeys(also))


def collections() -> list[Collection]:
    """Every collection, by name."""
    return library().catalogue.collections()


def say(error: CoreError) -> None:
    """Show an error as text, whatever file names it holds."""
    text = " ".join(str(error).split())
    st.error(as_text(text), icon=":material/error:")


def as_text(text: str) -> str:
    """Text that Streamlit shows as it is, though it may look like Markdown or HTML."""
    for mark in "\\`*_{}[]<>()#+!|$~:":
        text = text.replace(mark, f"\\{mark}")
    return text
