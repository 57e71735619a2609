"""What needs the pictures themselves: how robust an encoder is, and what encoding costs here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core import encoders, ranging
from core.arrays import Rgb, Vectors
from core.errors import CoreError
from core.evaluation.robustness import CHANGES, IMAGES, Robustness, robustness, unknown
from core.images import read_image
from core.library import Library, View
from core.matching import encoder_of
from core.progress import Meter, Progress, Report, nobody

MB = 1_000_000


def looked_into(
    library: Library,
    view: View,
    ids: Sequence[str],
    vectors: Vectors,
    *,
    images: int = IMAGES,
    seed: int,
    report: Report = nobody,
) -> tuple[Robustness, float | None]:
    """Encode a sample of the images anew, unchanged and changed.

    Returns
    -------
    Robustness
    float or None
        Megabytes of memory that the encoder took; None where that is not known.
    """
    name = view.encoding.encoder
    report(Progress(f"Loading {name}", 0, None))
    before = _resident()
    try:
        encoder = encoder_of(view)
    except CoreError as error:
        return unknown(str(error)), None
    count = min(images, len(ids))
    rows = sorted(np.random.default_rng(seed).choice(len(ids), count, replace=False).tolist())
    known = {i.id: i for i in library.catalogue.images(view.collection.uid, [ids[r] for r in rows])}
    value_range = ranging.value_range_of(library.catalogue.options(view.collection.uid))

    def read(row: int) -> Rgb:
        return read_image(known[ids[row]].uri, value_range=value_range)

    meter = Meter(report, f"Encoding changed pictures ({name})", count)
    found = robustness(
        encoder,
        vectors,
        rows,
        read,
        um_per_px=[known[ids[row]].um_per_px for row in rows],
        seed=seed,
        tell=meter.advance,
    )
    after = _resident()
    taken = None if before is None or after is None else max(0.0, (after - before) / MB)
    return found, taken


def robustness_json(found: Robustness) -> dict[str, Any]:
    """How it stands in ``evaluate --json``."""
    return {
        "kept": {change: found.kept[change].as_json() for change in CHANGES},
        "images": found.images,
        "unreadable": found.unreadable,
        "same": found.same,
        "notes": found.notes,
    }


def cost(
    name: str, dimension: int, images: int, found: Robustness | None, memory_mb: float | None
) -> dict[str, Any]:
    """What using an encoder takes; None with a reason where that is not known.

    Returns
    -------
    dict
        ``vector_bytes``, ``vectors_mb`` of these images, ``download_mb`` at first use,
        ``images_per_second`` and ``memory_mb`` here, ``why`` for those that are None.
    """
    why: dict[str, str] = {}
    download: float | None = None
    try:
        download = encoders.describe(name).download_mb
        if download is None:
            why["download_mb"] = "its card does not say"
    except CoreError as error:
        why["download_mb"] = str(error)
    speed = None if found is None else found.images_per_second
    if found is None:
        why["images_per_second"] = why["memory_mb"] = "measured with --robustness only"
    elif speed is None:
        why["images_per_second"] = next(iter(found.kept.values())).why or "not measured"
        why["memory_mb"] = why["images_per_second"]
    elif memory_mb is None:
        why["memory_mb"] = "this system does not say what a process takes"
    return {
        "vector_bytes": 4 * dimension,
        "vectors_mb": round(4 * dimension * images / MB, 3),
        "download_mb": download,
        "images_per_second": speed,
        "memory_mb": None if memory_mb is None or speed is None else round(memory_mb, 1),
        "why": why,
    }


def joined_cost(costs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """That of encoders side by side: sums; images a second one after the other."""
    why: dict[str, str] = {}
    total: dict[str, Any] = {}
    for name in ("vector_bytes", "vectors_mb", "download_mb", "images_per_second", "memory_mb"):
        values = [each[name] for each in costs]
        if None in values:
            total[name] = None
            why[name] = next(each["why"][name] for each in costs if each[name] is None)
        elif name == "images_per_second":
            total[name] = round(1 / sum(1 / value for value in values), 3)
        else:
            total[name] = round(sum(values), 3)
    return {**total, "why": why}


def _resident() -> float | None:
    """Bytes of memory this process holds; None where the system does not say."""
    import os

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
