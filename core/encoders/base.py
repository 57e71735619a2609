"""The one protocol behind which every encoder stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.arrays import Rgb, Vectors
from core.encoders.card import Card, Identity

Prepared: TypeAlias = NDArray[np.generic]
"""What one image is reduced to before encoding; small enough to send between processes."""


@runtime_checkable
class Encoder(Protocol):
    """Turns images into unit-length vectors, in two steps.

    ``prepare`` runs image by image in worker processes, so it is picklable and loads no torch;
    ``encode`` runs on batches in the process that owns the model.
    """

    @property
    def card(self) -> Card: ...

    @property
    def identity(self) -> Identity: ...

    @property
    def prepare(self) -> Callable[[Rgb], Prepared]: ...

    def encode(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> Vectors:
        """(n, dimension) float32 unit rows; pixel sizes matter to encoders that keep size."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32 unit rows.

        Raises
        ------
        EncoderError
            If this encoder does not read text.
        """
        ...


@runtime_checkable
class FittedEncoder(Encoder, Protocol):
    """An encoder whose last step is fitted on the collection's own prepared images."""

    @property
    def fitted(self) -> bool: ...

    def fit(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> FittedEncoder:
        """The same encoder with its last step fitted on these images, in this order."""
        ...

    def fit_as_json(self) -> dict[str, Any]:
        """What was fitted, for the catalogue; `core.encoders.load(name, fit=...)` reads it."""
        ...
