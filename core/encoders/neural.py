"""What the pretrained encoders share: preparing a picture, and running a model on it.

Importing this module loads no torch: worker processes unpickle `Square` and need only Pillow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from core.arrays import Rgb, Vectors, unit_rows
from core.encoders.base import Prepared
from core.encoders.card import Card, Identity
from core.encoders.weights import fingerprint
from core.errors import EncoderError, ShapeError

if TYPE_CHECKING:
    import torch

PREPROCESSING = 1
"""Counted up whenever `Square` or the normalisation would give other numbers."""

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
Tower: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"

_IMAGES_AT_224 = {"cpu": 32, "cuda": 256}  # in one pass; larger pictures, fewer of them


@dataclass(frozen=True)
class Square:
    """Brings a vignette to a model's square input without cutting its ends off.

    The longer side is brought to ``size`` first, so that a chain of 10,000 x 20 pixels never
    needs a square of 10,000, then the shorter one is filled with the vignette's own background.

    Attributes
    ----------
    size : int
        Pixels a side.
    interpolation : str
        ``bicubic`` or ``bilinear``, as the model was trained; Pillow's are antialiased.
    """

    size: int
    interpolation: str = "bicubic"

    def __call__(self, image: Rgb) -> Prepared:
        """(h, w, 3) uint8 -> (size, size, 3) uint8."""
        from core.images import pad_to_square

        height, width = image.shape[:2]
        scale = self.size / max(height, width)
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
        how = Image.Resampling[self.interpolation.upper()]
        return pad_to_square(np.asarray(Image.fromarray(image).resize(target, how)))


@dataclass(frozen=True)
class Expects:
    """What a model expects of a picture, read from its own configuration."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str

    @classmethod
    def of(cls, name: str, *, size: Any, mean: Any, std: Any, interpolation: str) -> Expects:
        """Check a configuration.

        Raises
        ------
        EncoderError
            If the model does not take square pictures of three colours.
        """
        sides = (size, size) if isinstance(size, int) else tuple(size)
        if sides[0] != sides[-1] or len(mean) != 3 or len(std) != 3:
            raise EncoderError(
                f"{name} takes pictures of {sides} with {len(mean)} channels; "
                "expected a model for square pictures of three colours"
            )
        if interpolation not in ("bicubic", "bilinear"):
            interpolation = "bicubic"  # "random" in some training configurations
        return cls(int(sides[0]), tuple(mean), tuple(std), interpolation)


class Neural:
    """A model behind the Encoder protocol.

    Parameters
    ----------
    card : Card
    model : torch.nn.Module
        With its weights; brought to ``.eval()`` and to CUDA when there is one.
    tower : callable
        (b, 3, s, s) float32 -> (b, d), part of ``model``.
    expects : Expects
    precision : "auto", "float32" or "bfloat16"
        What the model computes in; vectors are float32 in any case. ``auto`` takes bfloat16 only
        where the family was measured to lose at most 1/20 of the median distance between images
        by it (`bfloat16_on`) and the machine has it (`has_bfloat16`). On 110 real vignettes the
        largest 1 - cosine to float32 was 0.034 (ViT-B-32) and 0.058 (ResNet-50) of that distance,
        with 0.955 and 0.986 of 24 neighbours kept, both with random weights.
    """

    bfloat16_on: tuple[str, ...] = ()

    def __init__(
        self,
        card: Card,
        model: torch.nn.Module,
        tower: Tower,
        expects: Expects,
        *,
        precision: Precision = "auto",
    ) -> None:
        import torch

        self.card = card
        self.identity = Identity(
            name=card.name,
            weights=fingerprint(model.state_dict()),
            preprocessing=PREPROCESSING,
            dimension=card.dimension,
        )
        self.prepare = Square(expects.size, expects.interpolation)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device).eval()
        self._tower = tower
        self._mean = torch.tensor(expects.mean, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(expects.std, device=self._device).view(1, 3, 1, 1)
        self._bfloat16 = precision == "bfloat16" or (
            precision == "auto" and self._device.type in self.bfloat16_on and has_bfloat16()
        )
        most = _IMAGES_AT_224[self._device.type]
        self._batch = max(1, min(most, most * 224**2 // expects.size**2))

    @property
    def precision(self) -> str:
        """What the model computes in here: ``float32`` or ``bfloat16``."""
        return "bfloat16" if self._bfloat16 else "float32"

    def encode(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> Vectors:
        """Run the model, a bounded number of pictures at a time.

        Parameters
        ----------
        prepared : n of (s, s, 3) uint8
            As `prepare` returns them.
        um_per_px : n, optional
            Not used: the model sees every vignette at one size.

        Returns
        -------
        Vectors
            (n, dimension) float32 unit rows, in the order given.

        Raises
        ------
        ShapeError
            If a picture was prepared for another encoder, or the model gives NaN.
        """
        import torch

        side = self.prepare.size
        for image in prepared:
            if image.shape != (side, side, 3) or image.dtype != np.uint8:
                raise ShapeError(
                    f"a prepared picture is {image.dtype} {image.shape}; {self.card.name} "
                    f"expects uint8 {(side, side, 3)}, as its own prepare returns"
                )

        def forward(some: Sequence[Prepared]) -> torch.Tensor:
            pixels = torch.from_numpy(np.stack(some)).to(self._device).permute(0, 3, 1, 2)
            return self._tower((pixels.float() / 255 - self._mean) / self._std)

        return self._in_batches(prepared, forward)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Refuse: only encoders with a text tower read words.

        Raises
        ------
        EncoderError
            Always.
        """
        raise EncoderError(
            f"{self.card.name} does not read text; choose an openclip encoder to search by words"
        )

    def _in_batches(
        self, items: Sequence[Any], forward: Callable[[Sequence[Any]], torch.Tensor]
    ) -> Vectors:
        import torch

        rows = np.zeros((len(items), self.card.dimension), np.float32)
        kind = self._device.type
        autocast = torch.autocast(kind, dtype=torch.bfloat16, enabled=self._bfloat16)
        with torch.inference_mode(), autocast:
            for start in range(0, len(items), self._batch):
                stop = start + self._batch
                rows[start:stop] = forward(items[start:stop]).float().cpu().numpy()
        return unit_rows(rows)


def has_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 natively: CUDA, or AMX or AVX512-BF16.

    Measured with `benchmarks/encoders.py`; on processors without these, bfloat16 is emulated
    and slower than float32.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
