"""What the browser fetches beside Streamlit's own: thumbnails, map points, Plotly, uploads.

Only images of the catalogue are served, by collection and id: no path can be asked for.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.catalogue import Image
from core.errors import CoreError, ImageError, NotFoundError, RangeError, StaleError
from core.labels import current as current_labels
from core.library import View
from core.preparing import thumbnail_path, write_thumbnail
from core.ranging import value_range_of
from core.sources.uri import REMOTE, parse
from dashboard import held, state
from dashboard.downloads import taken
from dashboard.parts.queries import told
from dashboard.parts.tiles import label_text, size_text, tile_size
from dashboard.receiving import upload
from dashboard.uploads import SAFE

if TYPE_CHECKING:
    from core.arrays import Rgb
    from core.mapdata import MapData
    from core.mapdrawn import Drawn

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
SHORT = {"Cache-Control": "private, max-age=60"}
PICTURE_PX = 1_200
ABOUT = 12
"""Lines of the card beside a tile."""
WHERE = re.compile(r"(^|_)(station|depth|date|time|lat|lon|latitude|longitude)(_|$)", re.IGNORECASE)
PATIENCE_S = 60.0
"""For a turn, where many pictures are asked for at once."""

_unpacking = threading.BoundedSemaphore(2)
"""A picture of 64 million pixels takes half a gigabyte while it is unpacked."""
_fetching = threading.BoundedSemaphore(8)
"""Slow servers hold up no more requests than these."""


def routes() -> list[Route]:
    """Every route, for `st.App`."""
    return [
        Route("/thumb/{uid}/{id:path}", _guarded(thumb)),
        Route("/picture/{uid}/{id:path}", _guarded(picture)),
        Route("/about/{uid}/{id:path}", _guarded(about)),
        Route("/taken/{key}", _guarded(taken)),
        Route("/points", _guarded(points)),
        Route("/point", _guarded(point)),
        Route("/density", _guarded(density)),
        Route("/held", _guarded(selected)),
        Route("/assets/plotly.min.js", plotly),
        Route("/upload", upload, methods=["POST", "DELETE"]),
    ]


def _guarded(endpoint: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Where people have to log in, answer only what a page drawn for one of them asks for."""

    def answer(request: Request) -> Response:
        given = request.query_params.get("pass", "").encode()
        if state.has_login() and not secrets.compare_digest(given, state.PAGE_SECRET.encode()):
            return _refuse("log in on the dashboard first", 403)
        return endpoint(request)

    return answer


def thumb(request: Request) -> Response:
    """A thumbnail, made again when the workspace lost it."""
    try:
        image, path = _asked_image(request)
        headers = _cached(request, image)
        if path.exists():
            return FileResponse(path, media_type="image/webp", headers=headers)
        from core.images import thumbnail

        with _pixels(image, _range(request)) as pixels:
            try:
                write_thumbnail(pixels, path)
            except OSError:  # a full or read-only workspace still shows its pictures
                return Response(thumbnail(pixels), media_type="image/webp", headers=headers)
        return FileResponse(path, media_type="image/webp", headers=headers)
    except _BusyError as error:
        return _refuse(error, 503)
    except (CoreError, OSError) as error:
        return _refuse(error, 404)


class _BusyError(Exception):
    """Too many pictures are asked for."""


@contextmanager
def _turn(slots: threading.BoundedSemaphore) -> Iterator[None]:
    if not slots.acquire(timeout=PATIENCE_S):
        raise _BusyError("many pictures are being read just now; ask again in a minute")
    try:
        yield
    finally:
        slots.release()


@contextmanager
def _pixels(image: Image, value_range: tuple[float, float] | None) -> Iterator[Rgb]:
    """An image's pixels, of which only few requests hold any at a time."""
    from core.images import read_picture
    from core.sources.reading import read_bytes

    address = parse(image.uri)
    data = None
    with ExitStack() as turns:
        if address.scheme in REMOTE:
            turns.enter_context(_turn(_fetching))
            if not address.part.startswith("xywh="):  # a collage is kept by who cuts it
                data = read_bytes(image.uri)
        turns.enter_context(_turn(_unpacking))
        yield read_picture(image.uri, value_range=value_range, data=data).pixels


def _asked_image(request: Request) -> tuple[Image, Path]:
    """The image of the catalogue that an address names, and where its thumbnail lies."""
    uid = request.path_params["uid"]
    id = request.query_params.get("id") or request.path_params["id"]
    lib = state.library()
    image = lib.catalogue.image(uid, id)
    # one that came without its file having been read has no content hash yet
    named = image.content_hash or hashlib.blake2b(image.uri.encode(), digest_size=16).hexdigest()
    return image, thumbnail_path(lib.workspace.thumbnails(uid), named)


def _range(request: Request) -> tuple[float, float] | None:
    """What is black and white in deep pictures of the collection an address names."""
    return value_range_of(state.library().catalogue.options(request.path_params["uid"]))


def _cached(request: Request, image: Image) -> dict[str, str]:
    version = request.query_params.get("v")
    return {**(FOREVER if version and version == image.content_hash else SHORT), **SAFE}


def _refuse(why: object, status: int) -> Response:
    return PlainTextResponse(str(why), status_code=status, headers=SAFE)


def picture(request: Request) -> Response:
    """An image as a PNG of at most 1,200 pixels; its thumbnail when the file is gone."""
    try:
        from core.images import encode_png, fit_within

        image, _ = _asked_image(request)
        try:
            with _pixels(image, _range(request)) as pixels:
                data = encode_png(fit_within(pixels, PICTURE_PX))
        except _BusyError as error:
            return _refuse(error, 503)
        except (ImageError, OSError):
            return thumb(request)
    except (CoreError, OSError) as error:
        return _refuse(error, 404)
    return Response(data, media_type="image/png", headers=_cached(request, image))


def about(request: Request) -> Response:
    """What is known of an image in a few lines, and its picture, for the card beside a tile."""
    try:
        image, _ = _asked_image(request)
        uid = request.path_params["uid"]
        label = current_labels(state.library().catalogue, uid, [image.id]).get(image.id)
        name = Path(image.id).name
        return JSONResponse(
            {
                "title": label_text(label.label, label.status) if label else name,
                "lines": _facts(image),
                "picture": state.picture(uid, image),
            },
            headers={"Cache-Control": "no-store", **SAFE},  # a label may be given any moment
        )
    except (CoreError, OSError) as error:
        return _refuse(error, 404)


def _facts(image: Image) -> list[tuple[str, str]]:
    """Where and when it was taken first, its id last."""
    measured = tile_size(image)
    frame = size_text(image)
    first = {
        "ESD" if measured.startswith("ESD") else "frame": measured.split(" ", 1)[-1] or frame,
        "sample": image.sample,
        "picture": f"{image.width} × {image.height} px" if image.width else "",
    }
    sought = {name: image.metadata[name] for name in image.metadata if WHERE.search(name)}
    lines = told(first) + told(sought)
    taken_names = {name for name, _ in lines}
    lines += [line for line in told(image.metadata) if line[0] not in taken_names]
    return [*lines[: ABOUT - 1], ("id", image.id)]


def points(request: Request) -> Response:
    """The points of a map in binary: as drawn at first, of one region, or those of some rows."""
    from core.mapdrawn import points, region, some

    def answer(drawn: Drawn) -> bytes:
        asked = request.query_params
        if "x0" in asked:
            x, y = (_ends(asked, f"{axis}0", f"{axis}1") for axis in "xy")
            return region(drawn, x, y)
        if "rows" in asked:
            return some(drawn, _numbers(asked["rows"]))
        return points(drawn)

    view, answered = _of_a_map(request, answer)
    if view is not None:  # what the first card needs takes a while where images are many
        answered.background = BackgroundTask(_warm, view, request.query_params)
    return answered


def density(request: Request) -> Response:
    """How densely a map's points lie; `hidden` names groups that do not count."""
    from core.mapdrawn import shades

    hidden = set(request.query_params.getlist("hidden"))
    return _of_a_map(request, lambda drawn: shades(drawn, hidden))[1]


def selected(request: Request) -> Response:
    """The selection that a page handed out, for as long as it is kept."""
    from core.mapdrawn import held as packed

    rows = held.kept(request.query_params.get("key", ""))
    if rows is None:
        return _refuse("this selection is not kept any more; reload the page", 410)
    return _of_a_map(request, lambda drawn: packed(drawn, rows))[1]


def _of_a_map(request: Request, answer: Callable[[Drawn], bytes]) -> tuple[View | None, Response]:
    """What a map that a page drew answers; no view when it cannot."""
    asked = request.query_params
    try:
        view, data = _map_asked(request)
        body = answer(
            state.drawing(view, data, asked.get("colour", "label"), asked.get("filter", ""))
        )
    except StaleError as error:
        return None, _refuse(error, 410)
    except (CoreError, OSError) as error:
        return None, _refuse(error, 404)
    headers = {**FOREVER, **SAFE}
    return view, Response(body, media_type="application/octet-stream", headers=headers)


def _ends(asked: QueryParams, low: str, high: str) -> tuple[float, float]:
    try:
        return float(asked[low]), float(asked[high])
    except (KeyError, ValueError) as error:
        said = f"{asked.get(low, '')!r:.40} to {asked.get(high, '')!r:.40}"
        raise RangeError(f"{low} to {high} is {said}; expected two numbers") from error


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"([0-9]{1,9},){0,199}[0-9]{1,9}", text):
        raise RangeError(f"rows is {text[:40]!r}; expected up to 200 numbers such as 3,17,40")
    return [int(part) for part in text.split(",")]


def _warm(view: View, asked: QueryParams) -> None:
    with suppress(CoreError, OSError):
        state.clusters(view, _clustering(asked.get("colour", "")))


def _clustering(colour: str) -> str | None:
    kind, _, name = colour.partition(":")
    return name if kind == "cluster" else None


def point(request: Request) -> Response:
    """One point's text and picture, for the card that hovers."""
    asked = request.query_params
    try:
        view, data = _map_asked(request)
        text = asked.get("row", "")
        row = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
        if not 0 <= row < len(data.ids):
            raise NotFoundError(f"row is {text[:20]!r}; expected 0 to {len(data.ids) - 1}")
        lib, uid = state.library(), view.collection.uid
        image = lib.catalogue.image(uid, data.ids[row])
        return JSONResponse(
            {
                "id": image.id,
                "title": Path(image.id).name,
                "lines": _lines(image, view, asked.get("clustering")),
                "thumb": state.thumb(uid, image),
            },
            headers={**SHORT, **SAFE},
        )
    except StaleError as error:
        return _refuse(error, 410)
    except (CoreError, OSError) as error:
        return _refuse(error, 404)


def _lines(image: Image, view: View, clustering: str | None) -> list[str]:
    """Label, cluster, size and sample; those it has."""
    lib, uid = state.library(), view.collection.uid
    label = current_labels(lib.catalogue, uid, [image.id]).get(image.id)
    cluster = ""
    with suppress(NotFoundError):  # a clustering that was deleted since hides no card
        cluster = state.cluster_text(view, image.id, clustering)
    lines = [
        label_text(label.label, label.status) if label else "",
        cluster,
        tile_size(image),
        image.sample or "",
    ]
    return [line for line in lines if line]


def _map_asked(request: Request) -> tuple[View, MapData]:
    asked = request.query_params
    return state.map_row(
        asked.get("uid", ""),
        asked.get("encoder", ""),
        asked.get("method", "umap"),
        asked.get("revision", ""),
    )


@lru_cache(maxsize=1)
def _plotly() -> tuple[bytes, str]:
    data = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return data, hashlib.blake2b(data, digest_size=8).hexdigest()


def plotly_url() -> str:
    """Where the copy of Plotly that ships with the Python package is served."""
    return f"/assets/plotly.min.js?v={_plotly()[1]}"


def plotly(_request: Request) -> Response:
    return Response(_plotly()[0], media_type="text/javascript", headers={**FOREVER, **SAFE})
