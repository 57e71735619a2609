"""The promise on real images: labels are drawn, and what was not drawn is looked at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.arrays import Vectors
from core.encoders import load
from core.encoders.base import FittedEncoder
from core.images import read_image
from core.promise import promise
from core.screening import train
from core.sources.uri import quote_path
from tests.core.conftest import DATA

CAMERA = DATA / "plankton_camera"
NOT_PLANKTON = {"Blob", "Dot", "Filament", "Snow", "Spiral", "Unknown"}
DRAWS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAMERA.is_dir(), reason="no real images here"),
]


@pytest.fixture(scope="module")
def camera() -> tuple[Vectors, np.ndarray]:
    """Vectors of every image, and whether it is of a named organism."""
    paths = sorted(CAMERA.glob("*/*.png"))
    encoder = load("descriptors")
    assert isinstance(encoder, FittedEncoder)
    with ThreadPoolExecutor(2) as pool:
        measured = list(pool.map(lambda p: encoder.prepare(read_image(quote_path(p))), paths))
    vectors = encoder.fit(measured).encode(measured)
    return vectors, np.array([path.parent.name not in NOT_PLANKTON for path in paths])


@pytest.mark.parametrize(
    ("n", "target", "least"), [(200, 0.9, 15), (200, 0.95, 15), (600, 0.9, 15), (600, 0.99, 15)]
)
def test_promises_are_kept(camera: tuple[Vectors, np.ndarray], n: int, target: float, least: int):
    vectors, wanted = camera
    promised = reached = 0
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(wanted))
        drawn, rest = order[:n], order[n:]
        made = train(vectors[drawn], wanted[drawn], seed=seed)
        said = promise(made.effective[wanted[drawn]], target, effect=made.effect)
        new = made.model.nearest(vectors[rest]) < made.familiar_from
        keep = (made.model.score(vectors[rest]) >= said.threshold) | new
        promised += said.promised
        reached += said.promised and keep[wanted[rest]].mean() >= target
    assert promised >= least
    assert reached >= 0.9 * promised
