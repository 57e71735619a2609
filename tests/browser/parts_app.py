"""Made-up pictures and points, served with the real Streamlit: what the part tests drive.

The sidebar shows as JSON what the part has handed to Python; the URL chooses what is drawn. The
same file is the ASGI application and, served by it, the script.
"""

import asyncio
import json
import math
import os
import random
import time
from array import array
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import plotly
import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from core import mapdrawn
from core.mapdata import MapData
from core.mapsample import LIMIT
from dashboard import held

HOSTILE = "<img src=x onerror=window.hacked=1>.png"
COLOURS = [
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#EE8866", "#44BB99",
]  # fmt: skip


def points(n: int, groups: int) -> tuple[array, array, list[int]]:
    """Blobs on a ring; the last group is spread over everything, as noise is."""
    rng = random.Random(5)
    xs, ys, of = array("f"), array("f"), []
    for row in range(n):
        group = row % groups
        angle = 2 * math.pi * group / groups
        wide = 5.0 if group == groups - 1 and groups > 2 else 0.8
        centre = 0.0 if wide > 1 else 5.0
        xs.append(rng.gauss(centre * math.cos(angle), wide))
        ys.append(rng.gauss(centre * math.sin(angle), 0.6 * wide))
        of.append(group)
    return xs, ys, of


def group_names(groups: int) -> list[dict[str, object]]:
    names = [{"name": f"cluster {g}", "colour": COLOURS[g % len(COLOURS)]} for g in range(groups)]
    if groups > 2:
        names[-1] = {"name": "noise", "colour": "#9A9A9A"}
    return names


def svg(row: int, width: int, height: int) -> str:
    """A drawn cell: an ellipse with a nucleus and two lashes, different for every row."""
    rng = random.Random(row)
    tone, turn = rng.randint(60, 120), rng.randint(0, 180)
    rx, ry = width * rng.uniform(0.2, 0.4), height * rng.uniform(0.15, 0.4)
    x, y = width / 2, height / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<rect width="100%" height="100%" fill="rgb(214,216,212)"/>'
        f'<g transform="rotate({turn} {x} {y})"><ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" '
        f'fill="rgb({tone},{tone + 30},{tone})" stroke="#333" stroke-width="2"/>'
        f'<circle cx="{x + rx / 4}" cy="{y}" r="{min(rx, ry) / 3}" fill="#2b3a2b"/>'
        f'<path d="M{x + rx} {y} q{rx / 2} {-ry} {rx / 2} {ry}" fill="none" stroke="#444"/>'
        f"</g></svg>"
    )


async def thumb(request: Request) -> Response:
    row = int(request.path_params["row"])
    width, height = size_of(row)
    return Response(svg(row, width, height), media_type="image/svg+xml")


@lru_cache(maxsize=4)
def drawing(n: int, groups: int, limit: int) -> mapdrawn.Drawn:
    """What the dashboard keeps of a map, made of the same points."""
    xs, ys, of = points(n, groups)
    named = [{**g, "count": of.count(i)} for i, g in enumerate(group_names(groups))]
    coordinates = np.column_stack([np.frombuffer(xs, np.float32), np.frombuffer(ys, np.float32)])
    data = MapData("", [f"made/{row}" for row in range(n)], coordinates, 0, {}, np.arange(n))
    codes, none = np.array(of, np.int64), np.full(n, -2)
    return mapdrawn.Drawn(data, named, codes, none, none, f"covers {n:,} of {n:,} images", limit)


def asked(request: Request) -> mapdrawn.Drawn:
    of = request.query_params
    return drawing(int(of["n"]), int(of["groups"]), int(of.get("limit", LIMIT)))


async def map_points(request: Request) -> Response:
    of = request.query_params
    if of["n"] == "666":
        return Response(status_code=500)
    made = await asyncio.to_thread(asked, request)
    if "x0" in of:
        ends = [(float(of[f"{axis}0"]), float(of[f"{axis}1"])) for axis in "xy"]
        return binary(mapdrawn.region(made, *ends))
    if "rows" in of:
        return binary(mapdrawn.some(made, [int(row) for row in of["rows"].split(",")]))
    return binary(mapdrawn.points(made))


async def map_density(request: Request) -> Response:
    made = await asyncio.to_thread(asked, request)
    return binary(mapdrawn.shades(made, request.query_params.getlist("hidden")))


async def map_held(request: Request) -> Response:
    made = await asyncio.to_thread(asked, request)
    return binary(mapdrawn.held(made, held.kept(request.query_params["key"])))


def binary(body: bytes) -> Response:
    return Response(body, media_type="application/octet-stream")


async def map_point(request: Request) -> Response:
    row = int(request.path_params["row"])
    if request.query_params.get("gone"):
        return Response(status_code=410)
    title = HOSTILE if row == 1 else f"image {row}.png"
    lines = [f"sample {row % 7}", "412 x 300 px, 96 µm"]
    return JSONResponse(
        {"id": f"made/{row}", "title": title, "lines": lines, "thumb": f"/thumb/{row}"}
    )


async def about(request: Request) -> Response:
    row = int(request.path_params["row"])
    title = HOSTILE if row == 1 else f"image {row}.png"
    lines = [("depth (m)", HOSTILE if row == 1 else "12"), ("id", f"made/{row}")]
    return JSONResponse({"title": title, "lines": lines, "picture": f"/thumb/{row}?large"})


async def plotly_js(request: Request) -> Response:
    return FileResponse(Path(plotly.__file__).parent / "package_data" / "plotly.min.js")


async def bump(request: Request) -> Response:
    """Change the collection behind the back of every page that is open."""
    os.environ["PARTS_REVISION"] = str(int(os.environ.get("PARTS_REVISION", "0")) + 1)
    return Response()


def size_of(row: int) -> tuple[int, int]:
    return [(120, 90), (300, 60), (40, 160), (96, 96), (200, 150)][row % 5]


def number(name: str, otherwise: int) -> int:
    return int(st.query_params.get(name, otherwise))


def revision() -> str:
    return os.environ.get("PARTS_REVISION", "0")


def report(name: str, event: object) -> None:
    """Say how often the script ran, how many events it was handed, and the last of them."""
    log = st.session_state.setdefault(f"{name}-log", [])
    if event is not None:
        log.append(event)
    runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    last = log[-1] if log else None
    told = {"runs": runs, "events": len(log), "last": last}
    if "slow" in st.query_params:
        told["clicks"] = st.session_state.get("clicks", [])
    text = json.dumps(told, default=vars)
    st.sidebar.code(text, wrap_lines=True)


def gallery_page() -> None:
    from dashboard.parts.gallery import Tile, gallery

    words = ["chain", "pennate", "centric", "copepod", "ciliate", "detritus"]
    tiles = []
    for row in range(number("n", 24)):
        width, height = size_of(row)
        title = HOSTILE if row == 1 else f"{words[row % 6]} {row}, station 12, cast 4.png"
        tiles.append(
            Tile(
                thumb="/missing.png" if row == 2 else f"/thumb/{row}",
                title=title,
                lines=(f"distance {row / 100:.3f}", words[row % 6]),
                width=width,
                height=height,
                um_per_px=None if row == 3 else 1.1,
                mark="query" if row == 0 else None,
                about=f"/about/{row}",
            )
        )
    controlled = "controlled" in st.query_params
    event = gallery(
        tiles,
        key="grid",
        revision=revision(),
        selected=st.session_state.get("kept", ()) if controlled else None,
        selectable="plain" not in st.query_params,
        height=number("height", 0) or None,
    )
    if event is not None:
        st.session_state["kept"] = event.selected
        if event.clicked is not None:
            st.session_state["clicks"] = [*st.session_state.get("clicks", []), event.clicked]
    if "slow" in st.query_params:
        time.sleep(0.4)
    report("grid", event)


def sorting_page() -> None:
    from dashboard.parts.gallery import Tile
    from dashboard.parts.sorting import sorting

    screen = st.session_state.setdefault("at", 0)
    tiles = [Tile(thumb=f"/thumb/{row}", title=f"{row}.png") for row in range(number("n", 12))]
    decided = sorting(
        tiles,
        key="screen",
        revision=f"{revision()} {screen}",
        kind="copepod",
        answers=[
            ("ciliate", "chain") if row % 2 else ("chain", "ciliate", HOSTILE)
            for row in range(len(tiles))
        ],
        undoable=screen > 0,
        missing=st.query_params.get("missing"),
    )
    report("screen", decided)
    if decided is not None:
        st.session_state["at"] = screen + (-1 if decided.kind == "undo" else 1)
        st.rerun()


def map_page() -> None:
    from dashboard.parts.map import scatter_map

    n, groups, limit = number("n", 600), number("groups", 6), number("limit", LIMIT)
    query = st.session_state.get("query")
    coloured = "again" if st.sidebar.toggle("Colour again") else "first"
    if st.sidebar.toggle("Away"):
        return
    common = f"n={n}&groups={groups}&limit={limit}&colour={coloured}"
    event = scatter_map(
        key="map",
        revision=f"{revision()}-{n}-{groups}-{coloured}",
        points_url=f"/points?{common}",
        point_url="/point/{row}" + ("?gone=1" if "gone" in st.query_params else ""),
        plotly_url="/plotly.js",
        within=partial(mapdrawn.within, drawing(n, groups, limit)),
        held_url=f"/held?{common}&key={{key}}",
        density_url=f"/density?{common}",
        query=query,
        matches=range(query % groups, n, groups)[:24] if query is not None else (),
        height=number("height", 560),
        caption="Near means alike; the directions mean nothing.",
    )
    report("map", event)
    if event is not None and event.clicked is not None and event.clicked != query:
        st.session_state["query"] = event.clicked
        st.rerun()


def script() -> None:
    st.set_page_config(layout="wide")
    st.sidebar.button("Run again")
    if st.query_params.get("part") == "map":
        map_page()
    elif st.query_params.get("part") == "sorting":
        sorting_page()
    else:
        gallery_page()


if st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True) is not None:
    script()
else:
    app = st.App(
        Path(__file__).resolve(),
        routes=[
            Route("/thumb/{row:int}", thumb),
            Route("/about/{row:int}", about),
            Route("/points", map_points),
            Route("/point/{row:int}", map_point),
            Route("/density", map_density),
            Route("/held", map_held),
            Route("/plotly.js", plotly_js),
            Route("/bump", bump),
        ],
    )
