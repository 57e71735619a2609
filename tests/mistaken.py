"""Drawn pictures in folders by kind, some in a wrong one: for tests of what finds them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from core.sources.base import ImageRef
from core.sources.sample import SampleSource, draw_sample

N = 150
WRONG = {"chaetoceros": "copepod", "bubble": "fibre"}
"""The first picture of each lies in the folder of another kind."""


class Mistaken(NamedTuple):
    folder: Path
    wrong: dict[str, tuple[str, str]]
    """id -> its folder, what it is."""
    pair: tuple[str, str]
    """The same picture in two folders."""


def mistaken(base: Path) -> Mistaken:
    """Draw them under ``base/run``, whose folders' names are the labels."""
    draw_sample(base / "drawn", n=N, seed=4)
    folder, wrong, copied = base / "run", {}, None
    moved = dict(WRONG)
    for number, ref in enumerate(SampleSource(base / "drawn", name="drawn").refs()):
        assert isinstance(ref, ImageRef)
        kind = str(ref.label)
        place = moved.pop(kind, kind)
        path = folder / place / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base / "drawn" / ref.inner, path)
        if place != kind:
            wrong[f"run/{place}/{path.name}"] = (place, kind)
        elif copied is None and kind == "ceratium":
            copied = path
    assert copied is not None
    assert not moved
    other = folder / "ciliate" / "copy.png"
    shutil.copy(copied, other)
    return Mistaken(folder, wrong, (f"run/ceratium/{copied.name}", "run/ciliate/copy.png"))
