"""A real filter small enough for tests: discs are kept, fibres are dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from core import encoders
from core.arrays import Rgb
from core.bundling import Model, encoder_fields, write_bundle
from core.encoders import FittedEncoder

DISC, FIBRE = "disc", "fibre"


def vignette(kind: str, *, seed: int) -> Rgb:
    """A disc or a fibre on a noisy ground, of any size and place."""
    rng = np.random.default_rng([seed, kind == DISC])
    w, h = (int(side) for side in rng.integers(48, 72, 2))
    image = Image.new("L", (w, h), 210)
    draw = ImageDraw.Draw(image)
    dark, r = int(rng.integers(40, 90)), int(rng.integers(10, 17))
    x, y = int(rng.integers(r + 4, w - r - 4)), int(rng.integers(r + 4, h - r - 4))
    if kind == DISC:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=dark)
    else:
        end = int(rng.integers(6, h - 6))
        draw.line((5, int(rng.integers(6, h - 6)), w - 6, end), fill=dark, width=2)
    grey = np.asarray(image) + rng.normal(0, 3, (h, w))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def kind_of(number: int) -> str:
    """Every third is a disc."""
    return DISC if number % 3 == 0 else FIBRE


def write_vignettes(root: Path, n: int, *, seed: int = 1_000, start: int = 0) -> list[Path]:
    """``disc/00000.png``, ``fibre/00001.png``, ..."""
    paths = []
    for number in range(start, start + n):
        kind = kind_of(number)
        path = root / kind / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(vignette(kind, seed=seed + number)).save(path)
        paths.append(path)
    return paths


def write_filter(to: Path, *, name: str = "discs", n: int = 60, **card: Any) -> Path:
    """A logistic regression on descriptors of n drawn vignettes, exported."""
    from sklearn.linear_model import LogisticRegression

    encoder = encoders.load("descriptors")
    assert isinstance(encoder, FittedEncoder)
    kinds = [kind_of(number) for number in range(n)]
    prepared = [encoder.prepare(vignette(kind, seed=i)) for i, kind in enumerate(kinds)]
    encoder = encoder.fit(prepared)
    vectors = encoder.encode(prepared)
    keep = np.array([kind == DISC for kind in kinds])
    made = LogisticRegression(C=100, max_iter=2_000).fit(vectors, keep)
    model = Model(made.coef_, made.intercept_, vectors)
    fit = encoder.fit_as_json()
    fields = {
        "name": name,
        "encoder": encoder_fields(encoder.card, encoder.identity, fit),
        "keep": [DISC],
        "drop": [FIBRE],
        "threshold": 0.5,
        "familiar_from": -1.0,
        **card,
    }
    return write_bundle(to, model, fields, fit=fit)
