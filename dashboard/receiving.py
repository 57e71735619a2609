"""Files on their way in: one request each, streamed to disk, gathered in a batch.

A file is there once it is whole, and none ever takes another's place.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from core.errors import CoreError
from core.workspace import Workspace
from dashboard import state, uploads
from dashboard.uploads import SAFE

NAME_BYTES = 200  # file systems take 255, and a file on its way carries a longer name
DEPTH = 16
_PART = ".part-"  # hidden, so that no source lists a file that is not whole yet


@dataclass
class _Batch:
    """What has come of one drop."""

    files: int = 0
    bytes: int = 0


_batches: OrderedDict[Path, _Batch] = OrderedDict()
BATCHES = 64


class _RefusedError(Exception):
    """Why a file is not taken, for its sender."""

    def __init__(self, why: object, status: int) -> None:
        super().__init__(str(why))
        self.status = status


async def upload(request: Request) -> Response:
    """Take one file (POST), or throw away a batch that nothing was indexed from (DELETE)."""
    try:
        workspace = _workspace(request)
        if request.method == "DELETE":
            await run_in_threadpool(_discard, workspace, request.query_params.get("batch", ""))
            return JSONResponse({}, headers=SAFE)
        parts = _parts(request.query_params.get("name", ""))
        size = request.headers.get("content-length", "")
        folder, new = await run_in_threadpool(
            _folder, workspace, request.query_params.get("batch", ""), parts
        )
        try:
            came = await _receive(request, folder, parts, int(size) if _number(size) else 0)
        except BaseException as error:
            if new:
                _forget(folder)
            if isinstance(error, OSError):
                raise _RefusedError(workspace.unwritable(error), 507) from error
            raise
    except _RefusedError as error:
        return PlainTextResponse(str(error), status_code=error.status, headers=SAFE)
    except ClientDisconnect:
        return PlainTextResponse("the upload was cut off", status_code=400, headers=SAFE)
    return JSONResponse(
        {"batch": folder.name, "upload": "/".join([folder.name, *parts]), "bytes": came},
        headers=SAFE,
    )


def _workspace(request: Request) -> Workspace:
    if not from_our_page(request):
        why = "uploads come from the dashboard's own page; reload it and try again"
        raise _RefusedError(why, 403)
    try:
        settings, workspace = state.settings(), state.library().workspace
    except CoreError as error:
        raise _RefusedError(error, 409) from error
    if settings.read_only:
        raise _RefusedError("this dashboard only shows; nothing can be added", 403)
    return workspace


def from_our_page(request: Request) -> bool:
    """Whether a page that this process drew sent it: same origin, and it knows the page's secret.

    A page is drawn for whoever may see it, so with ``st.login`` only they can upload.
    """
    try:
        origin = urlsplit(request.headers.get("origin", "")).netloc
    except ValueError:  # no address at all
        return False
    known = secrets.compare_digest(
        request.headers.get("x-plankton", "").encode(), state.PAGE_SECRET.encode()
    )
    return bool(origin) and origin == request.headers.get("host") and known


def _parts(name: str) -> list[str]:
    """Folders and name of a file, fit to be that; a zip lies in no folder."""
    found = [_safe(part) for part in re.split(r"[/\\]", name)]
    last = found[-1]
    if Path(last).suffix.lower() not in uploads.TAKEN:
        raise _RefusedError(
            f"{last or 'a file without a name'} came; expected pictures, files of an instrument "
            "(such as .lst, .adc, .tsv), a table or a .zip",
            415,
        )
    parts = [part for part in found if part]
    if last.lower().endswith(".zip"):
        parts = parts[-1:]
    if len(parts) > DEPTH:
        raise _RefusedError(f"{last} lies more than {DEPTH} folders deep", 415)
    return parts


def _safe(name: str) -> str:
    """One part of a path: nothing that climbs, hides or cannot be printed; at most 200 bytes.

    Tables and instruments name files, so a name is left as it is wherever it can be.
    """
    plain = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in name)
    return plain.encode("utf-8", "replace")[-NAME_BYTES:].decode(errors="ignore").strip(" .")


def _folder(workspace: Workspace, batch: str, parts: list[str]) -> tuple[Path, bool]:
    """Where this file's batch lies, and whether it begins with it."""
    if not batch:
        with contextlib.suppress(CoreError, OSError):
            uploads.sweep(state.library())
        folder = workspace.uploads / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise _RefusedError(workspace.unwritable(error), 507) from error
        return folder, True
    folder = workspace.uploads / batch
    if not uploads.BATCH.fullmatch(batch) or not folder.is_dir():
        raise _RefusedError("this upload is not here any more; choose the files again", 404)
    if parts[-1].lower().endswith(".zip"):
        raise _RefusedError(f"{parts[-1]} came among other files; upload a .zip on its own", 415)
    return folder, False


async def _receive(request: Request, folder: Path, parts: list[str], size: int) -> int:
    """Write one file as it comes; gives its bytes. What is not whole in the end is deleted."""
    batch = _batch(folder)
    if batch.files >= uploads.FILES_LIMIT:
        raise _RefusedError(
            f"more than {uploads.FILES_LIMIT:,} files came; pack them in a .zip, or put them into "
            "a folder and index that",
            413,
        )
    if batch.bytes + size > uploads.UPLOAD_LIMIT:
        raise _too_large(batch.bytes + size)
    path = folder.joinpath(*parts)
    part = path.with_name(_PART + secrets.token_hex(8))
    received = 0
    try:
        if path.exists():
            raise _RefusedError(f"{'/'.join(parts)} came twice; one of the two was left out", 409)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _RefusedError(
                f"{parts[-1]}: another file is called like its folder", 409
            ) from None
        with part.open("wb") as stream:
            async for chunk in request.stream():
                received += len(chunk)
                batch.bytes += len(chunk)
                if batch.bytes > uploads.UPLOAD_LIMIT:
                    raise _too_large(batch.bytes)
                stream.write(chunk)
        part.replace(path)
    except BaseException:
        batch.bytes -= received
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    batch.files += 1
    return received


def _batch(folder: Path) -> _Batch:
    """What came so far; counted once, though the dashboard may have been restarted since."""
    if folder not in _batches:
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        _batches[folder] = _Batch(len(sizes), sum(sizes))
        while len(_batches) > BATCHES:
            _batches.popitem(last=False)
    _batches.move_to_end(folder)
    return _batches[folder]


def _number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,18}", text))


def _too_large(size: int) -> _RefusedError:
    return _RefusedError(
        f"{size / 2**30:.1f} GB came; up to {uploads.UPLOAD_LIMIT / 2**30:.0f} GB can be uploaded, "
        "for more put it into a folder and index that",
        413,
    )


def _forget(folder: Path) -> None:
    _batches.pop(folder, None)
    shutil.rmtree(folder, ignore_errors=True)


def _discard(workspace: Workspace, batch: str) -> None:
    folder = workspace.uploads / batch
    if not uploads.BATCH.fullmatch(batch) or not folder.is_dir():
        return
    try:
        used = uploads.in_use(state.library())
    except CoreError as error:
        raise _RefusedError(error, 409) from error
    if used is None or batch in used:
        raise _RefusedError("a collection reads from this upload; delete that first", 409)
    _forget(folder)
