"""Zips that a job packed, streamed from the workspace to the browser."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from core.errors import CoreError
from dashboard import state
from dashboard.uploads import SAFE

KEY = re.compile(r"[0-9a-f]{32}")


def taken(request: Request) -> Response:
    """A zip that was packed, by its key: no path can be asked for."""
    key = request.path_params["key"]
    name = re.sub(r"[^\w .()-]", "_", request.query_params.get("name", ""))[:120] or "images"
    try:
        path = state.library().workspace.exports / f"{key}.zip"
        if KEY.fullmatch(key) and path.is_file():
            return FileResponse(
                path, media_type="application/zip", filename=f"{name}.zip", headers=SAFE
            )
        why = "this zip is not kept any more; pack it again"
    except (CoreError, OSError) as error:
        why = str(error)
    return PlainTextResponse(why, status_code=404, headers=SAFE)


def taken_url(key: str, name: str) -> str:
    """Where `taken` serves it."""
    asked = {"name": name}
    if state.has_login():
        asked["pass"] = state.PAGE_SECRET
    return f"/taken/{key}?{urlencode(asked)}"
