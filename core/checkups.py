"""A view's labels checked: computed once a change of labels, kept, and what of it still stands."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core import labels
from core.checking import Checked, Duplicates, Mistake, Overlap, check_labels
from core.library import Library, View
from core.progress import Progress, Report, nobody
from core.proposing import validated
from core.workspace import now, read_json, slug, write_json

FORMAT = 1
QUICK_LABELS = 8_000
QUICK_NUMBERS = 4_000_000
"""Labels, and numbers of their vectors, that are checked within about 5 s on one core."""


@dataclass(frozen=True)
class Checkup:
    """What a check found, and of which labels."""

    checked: Checked
    revision: int
    """`labels.revision` when it looked."""
    vectors: str
    at: str
    """ISO 8601, UTC."""


def check(
    library: Library, view: View, *, within: float | None = None, seed: int, report: Report = nobody
) -> Checkup:
    """Check the current validated labels of a view; what is found is kept for pages.

    Parameters
    ----------
    within : float, optional
        Distance of near-duplicates; by default chosen from the vectors.
    seed : int
    report : Report

    Raises
    ------
    RangeError
        If `within` is not in 0 to 2.
    """
    catalogue, uid = library.catalogue, view.collection.uid
    revision = labels.revision(catalogue, uid)
    there = catalogue.stamps(uid)  # labels of images that are gone wait for them
    known = validated(labels.current(catalogue, uid))
    checked = check_labels(
        view.snapshot.vectors,
        view.snapshot.ids,
        {id: label for id, label in known.items() if id in there},
        confirmed=labels.confirmed(catalogue, uid),
        within=within,
        seed=seed,
        on_progress=lambda message, share: report(
            Progress(message, round(100 * (share or 0)), 100)
        ),
    )
    made = Checkup(checked, revision, _vectors(library, view), now())
    with contextlib.suppress(OSError):  # a full or read-only workspace shows it all the same
        write_json(_path(library, view), {"format": FORMAT, **asdict(made)})
    return made


def kept(library: Library, view: View) -> Checkup | None:
    """The last check that was kept; None when there is none that this version reads."""
    try:
        found = read_json(_path(library, view))
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return None
        return Checkup(_checked(found["checked"]), found["revision"], found["vectors"], found["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_current(library: Library, view: View, checkup: Checkup) -> bool:
    """Whether nothing was said and no vector came since."""
    revision = labels.revision(library.catalogue, view.collection.uid)
    return (checkup.revision, checkup.vectors) == (revision, _vectors(library, view))


def is_quick(library: Library, view: View) -> bool:
    """Whether checking takes seconds, not minutes."""
    n = len(validated(labels.current(library.catalogue, view.collection.uid)))
    return n <= QUICK_LABELS and n * int(view.snapshot.vectors.shape[1]) <= QUICK_NUMBERS


def standing(library: Library, view: View, checkup: Checkup) -> Checked:
    """What of a check still stands: labels decided on or confirmed since are left out."""
    catalogue, uid, checked = library.catalogue, view.collection.uid, checkup.checked
    now = validated(labels.current(catalogue, uid))
    confirmed = labels.confirmed(catalogue, uid)

    def stands(group: Duplicates) -> bool:
        same = all(now.get(id) == label for id, label in zip(group.ids, group.labels, strict=True))
        return same and not all(id in confirmed for id in group.ids)

    return replace(
        checked,
        mistakes=[
            each
            for each in checked.mistakes
            if now.get(each.id) == each.label and each.id not in confirmed
        ],
        duplicates=[group for group in checked.duplicates if stands(group)],
        overlaps=[
            replace(each, between=tuple(id for id in each.between if now.get(id) in each.labels))
            for each in checked.overlaps
        ],
    )


def _vectors(library: Library, view: View) -> str:
    return f"{view.encoding.generation}.{view.snapshot.version}"


def _path(library: Library, view: View) -> Path:
    # beside the clusterings, so that it goes with the collection and its encoder
    folder = library.workspace.root / "clusterings" / view.collection.uid
    return folder / slug(view.encoding.encoder) / "check.json"


def _checked(found: dict[str, Any]) -> Checked:
    """As `asdict` wrote it: lists become tuples again."""
    return Checked(
        **{
            **found,
            "mistakes": [Mistake(**_tuples(each)) for each in found["mistakes"]],
            "duplicates": [Duplicates(**_tuples(each)) for each in found["duplicates"]],
            "overlaps": [Overlap(**_tuples(each)) for each in found["overlaps"]],
        }
    )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in fields.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
