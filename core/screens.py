"""Trained filters kept in the workspace: JSON, npy and parquet, replaced in one step.

A folder a model under ``workspace/screens/COLLECTION``: ``model.json`` names the files that belong
to it, which are written first, under names of their own; so a reader sees the old model or the new.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from core.encoders.card import Identity
from core.errors import CoreError, NotFoundError, WorkspaceError
from core.outcome import Screened
from core.results import Column, load_result, save_result
from core.screen import Screen
from core.screening import Model
from core.workspace import Workspace, check_name, now, read_json, slug, write_json

FORMAT = 1

STATE = "model.json"

WORDS = (
    "name", "collection", "target", "threshold", "promised", "labels_needed", "familiar_from",
    "seed", "why", "made_by",
)  # fmt: skip

ARRAYS = ("weights", "offsets", "sample")


def check_model_name(name: str) -> None:
    """Refuse what a model cannot be called.

    Raises
    ------
    RangeError
        Saying what is expected.
    """
    check_name(name, "the model's name")


def save(workspace: Workspace, uid: str, screen: Screen) -> None:
    """Keep a model; an older one of that name is replaced at once.

    Raises
    ------
    RangeError
        If it cannot be called that.
    WorkspaceError
        If it cannot be written.
    """
    check_model_name(screen.name)
    folder, token = _folder(workspace, uid, screen.name), secrets.token_hex(4)
    s = screen.screened
    files = {name: f"{name}.{token}.npy" for name in ARRAYS} | {"images": f"images.{token}.parquet"}
    state = {
        "format": FORMAT,
        **{word: getattr(screen, word) for word in WORDS},
        "created": screen.created or now(),
        "identity": screen.identity.as_json(),
        "fit": None if screen.fit is None else dict(screen.fit),
        "keep": list(screen.keep),
        "drop": list(screen.drop),
        "value_range": None if screen.value_range is None else list(screen.value_range),
        "training": dict(screen.training),
        "learning": dict(screen.learning),
        "versions": dict(screen.versions),
        "kinds": s.kinds,
        "samples": s.samples,
        "effect": s.effect,
        "validated_by": s.validated_by,
        "files": files,
    }
    columns: dict[str, Column] = {
        "id": s.ids,
        "score": s.score,
        "unfamiliar": s.unfamiliar,
        "truth": s.truth,
        "kind": s.kind,
        "sample": s.sample,
        "size_bytes": s.size_bytes,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            _write_array(folder / files[name], getattr(screen.model, name))
        save_result(folder / files["images"], columns, {"kind": "screen", "name": screen.name})
        write_json(folder / STATE, state)
    except OSError as error:
        raise workspace.unwritable(error) from error
    for path in folder.iterdir():
        if path.name not in {STATE, *files.values()} and not path.name.startswith("."):
            path.unlink(missing_ok=True)


def load(workspace: Workspace, uid: str, name: str) -> Screen:
    """A model that was kept.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    WorkspaceError
        If it is damaged, or of a newer version.
    """
    folder = _folder(workspace, uid, name)
    state = _state(folder, workspace, uid, name)
    while True:
        try:
            return _read(folder, state)
        except (FileNotFoundError, NotFoundError) as error:
            again = _state(folder, workspace, uid, name)
            if again["files"] == state["files"]:
                raise _damaged(folder, error) from error
            state = again  # replaced while we looked
        except (OSError, ValueError, KeyError, TypeError, CoreError) as error:
            raise _damaged(folder, error) from error


def _read(folder: Path, state: Mapping[str, Any]) -> Screen:
    files = state["files"]
    arrays = {name: np.load(folder / Path(files[name]).name, allow_pickle=False) for name in ARRAYS}
    stored = load_result(folder / Path(files["images"]).name, columns=("score", "truth"))

    def column(name: str, kind: type[Any]) -> NDArray[Any]:
        return np.asarray(stored.columns[name]).astype(kind)

    return Screen(
        name=state["name"],
        collection=state["collection"],
        identity=Identity.from_json(state["identity"]),
        fit=state["fit"],
        keep=tuple(state["keep"]),
        drop=tuple(state["drop"]),
        target=state["target"],
        threshold=state["threshold"],
        promised=state["promised"],
        labels_needed=state["labels_needed"],
        familiar_from=state["familiar_from"],
        seed=state["seed"],
        value_range=None if state["value_range"] is None else tuple(state["value_range"]),
        training=state["training"],
        learning=state["learning"],
        why=state["why"],
        versions=state["versions"],
        created=state["created"],
        made_by=state.get("made_by"),
        model=Model(arrays["weights"], arrays["offsets"], arrays["sample"]),
        screened=Screened(
            ids=stored.ids,
            score=column("score", np.float64),
            unfamiliar=column("unfamiliar", np.bool_),
            truth=column("truth", np.int8),
            kind=column("kind", np.int32),
            kinds=state["kinds"],
            sample=column("sample", np.int32),
            samples=state["samples"],
            size_bytes=column("size_bytes", np.float64),
            effect=state["effect"],
            validated_by=state["validated_by"],
        ),
    )


def listed(workspace: Workspace, uid: str) -> list[dict[str, Any]]:
    """What is known of every model of a collection, the newest first; a damaged one hides no other.

    Returns
    -------
    list of dict
        ``name``, ``created``, ``encoder``, ``keep``, ``target_recall``, ``promised``,
        ``threshold``, ``labels``, ``validated_by``; of a damaged one ``name`` and ``why``.
    """
    found = []
    for folder in _folders(workspace.screens(uid)):
        try:
            state = _state(folder, workspace, uid, unquote(folder.name))
            found.append(
                {
                    "name": state["name"],
                    "created": state["created"],
                    "encoder": state["identity"]["name"],
                    "keep": state["keep"],
                    "target_recall": state["target"],
                    "promised": state["promised"],
                    "threshold": state["threshold"],
                    "labels": state["training"]["images"],
                    "validated_by": state["validated_by"],
                }
            )
        except NotFoundError:
            continue  # being written, or deleted just now
        except (WorkspaceError, KeyError, TypeError) as error:
            found.append({"name": unquote(folder.name), "created": "", "why": str(error)})
    return sorted(found, key=lambda each: (each["created"], each["name"]), reverse=True)


def delete(workspace: Workspace, uid: str, name: str) -> None:
    """Forget a model; labels, images and exported filters stay.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    folder = _folder(workspace, uid, name)
    if not (folder / STATE).exists():
        raise _unknown(workspace, uid, name)
    try:
        (folder / STATE).unlink()  # first, so that nobody meets half of it
        shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise workspace.unwritable(error) from error


def find(workspace: Workspace, uids: Mapping[str, str], name: str) -> str:
    """The uid of the one collection that has a model of this name.

    Parameters
    ----------
    uids : collection name -> uid

    Raises
    ------
    NotFoundError
        If none has one.
    CoreError
        If several have.
    """
    having = [c for c, uid in uids.items() if (_folder(workspace, uid, name) / STATE).exists()]
    if not having:
        names = sorted({each["name"] for uid in uids.values() for each in listed(workspace, uid)})
        raise NotFoundError(_no_such(name, names))
    if len(having) > 1:
        raise CoreError(
            f"collections {', '.join(map(repr, sorted(having)))} each have a model {name!r}; "
            "say which with --collection"
        )
    return uids[having[0]]


def _folder(workspace: Workspace, uid: str, name: str) -> Path:
    return workspace.screens(uid) / slug(name)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _state(folder: Path, workspace: Workspace, uid: str, name: str) -> dict[str, Any]:
    try:
        state = read_json(folder / STATE)
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error
    if state is None:
        raise _unknown(workspace, uid, name)
    if not isinstance(state, dict) or not isinstance(state.get("format"), int):
        raise _damaged(folder, ValueError(f"{STATE} states no format"))
    if state["format"] > FORMAT:
        raise WorkspaceError(
            f"{folder} has format {state['format']}; this version reads up to {FORMAT}, "
            "update Plankton Explorer"
        )
    return state


def _unknown(workspace: Workspace, uid: str, name: str) -> NotFoundError:
    names = [
        unquote(folder.name)
        for folder in _folders(workspace.screens(uid))
        if (folder / STATE).exists()
    ]
    return NotFoundError(_no_such(name, names))


def _no_such(name: str, names: list[str]) -> str:
    there = ", ".join(map(repr, names[:8])) or "none yet, train one with `screen train`"
    return f"no model is called {name[:100]!r}; there is {there}"


def _damaged(folder: Path, error: Exception) -> WorkspaceError:
    why = " ".join(str(error).split())[:160] or type(error).__name__
    return WorkspaceError(f"the model {folder} is damaged ({why}); train it again")


def _write_array(path: Path, values: NDArray[Any]) -> None:
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("xb") as stream:
            np.save(stream, values, allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
