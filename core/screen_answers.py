"""What people answered about images that a filter drops, kept in the workspace for the next visit.

A JSON file a training, ``workspace/audits/COLLECTION/FINGERPRINT.json``: a list of screens, each a
mapping of ids to true (it should have been kept), false or null (nobody can say). They count at
every threshold of that training and for whoever opens it; what is trained on other labels begins
anew, since images that were looked at and labelled are no fair sample for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.errors import WorkspaceError
from core.workspace import Workspace, read_json, slug, write_json

Answers = dict[str, bool | None]

_lock = threading.Lock()  # two people answer in one dashboard


def kept(workspace: Workspace, uid: str, fingerprint: str) -> list[Answers]:
    """The screens answered so far, the oldest first.

    Parameters
    ----------
    uid : str
        The collection's.
    fingerprint : str
        Of the labels and vectors that the filter was trained on.

    Raises
    ------
    WorkspaceError
        If the file cannot be read or is damaged.
    """
    path = _path(workspace, uid, fingerprint)
    try:
        screens = read_json(path) or []
        if not isinstance(screens, list):
            raise ValueError("no list of screens")
        for answers in screens:
            if not isinstance(answers, dict) or not set(answers.values()) <= {True, False, None}:
                raise ValueError("a screen that is no mapping of ids to answers")
    except (OSError, ValueError, TypeError) as error:
        why = " ".join(str(error).split())[:160]
        raise WorkspaceError(
            f"the answers in {path} cannot be read ({why}); delete that file to begin anew"
        ) from error
    return screens


def merged(screens: Iterable[Answers]) -> Answers:
    """All answers at once; of an image answered twice the last."""
    return {id: answer for each in screens for id, answer in each.items()}


def add(
    workspace: Workspace, uid: str, fingerprint: str, answers: Mapping[str, bool | None]
) -> None:
    """Keep one more screen.

    Raises
    ------
    WorkspaceError
        If it cannot be written, or what is there cannot be read.
    """
    with _lock:
        before = kept(workspace, uid, fingerprint)
        _write(workspace, uid, fingerprint, [*before, dict(answers)])


def take_back(workspace: Workspace, uid: str, fingerprint: str) -> None:
    """Forget the last screen, whoever answered it.

    Raises
    ------
    WorkspaceError
        If it cannot be written, or what is there cannot be read.
    """
    with _lock:
        _write(workspace, uid, fingerprint, kept(workspace, uid, fingerprint)[:-1])


def _write(workspace: Workspace, uid: str, fingerprint: str, screens: list[Answers]) -> None:
    try:
        write_json(_path(workspace, uid, fingerprint), screens)
    except OSError as error:
        raise workspace.unwritable(error) from error


def _path(workspace: Workspace, uid: str, fingerprint: str) -> Path:
    return workspace.audits(uid) / f"{slug(fingerprint)}.json"
