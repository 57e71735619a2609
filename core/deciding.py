"""One image, or a few, put before a filter: for a pipeline of somebody else's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from core import bundle
from core.arrays import Rgb
from core.bundle import Filter
from core.encoders.base import Prepared
from core.errors import CoreError, ImageError, RangeError
from core.images import ValueRange, decode_image, read_image
from core.sources.uri import quote_path

Given: TypeAlias = "str | Path | bytes | Rgb"
"""An image: its path or uri, the bytes of its file, or (h, w, 3) uint8."""

ABOVE, BELOW = "score at or above the threshold", "score below the threshold"
UNFAMILIAR = "unlike the images the filter was trained on"
UNREADABLE = "unreadable: "


@dataclass(frozen=True)
class Verdict:
    """What a filter says of one image."""

    score: float | None
    """Calibrated probability that it is one to keep, 0 to 1; None when it cannot be read."""
    keep: bool
    unfamiliar: bool
    reason: str
    nearest: float | None = None
    """Cosine similarity to the most alike image of the training."""

    @property
    def decision(self) -> str:
        return "keep" if self.keep else "drop"

    def as_json(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "decision": self.decision,
            "unfamiliar": self.unfamiliar,
            "unreadable": self.score is None,
            "reason": self.reason,
            "nearest": self.nearest,
        }


def unreadable(reason: str) -> Verdict:
    """An image that cannot be read is kept: nobody has seen that it is rubbish."""
    return Verdict(None, True, False, UNREADABLE + reason)


class Screen:
    """A filter and its encoder, ready to decide.

    Parameters
    ----------
    folder : path or Filter
        What `screen export` wrote.
    threads : int
        Processor threads for the decision itself, which takes far less time than the encoder.

    Raises
    ------
    BundleError, IdentityError, NotFoundError, EncoderError
        As `core.bundle.load` and `core.bundle.Filter.encoder`.
    """

    def __init__(self, folder: str | Path | Filter, *, threads: int = 1) -> None:
        if isinstance(folder, Filter):
            self.filter = folder
        else:
            self.filter = bundle.load(Path(folder).expanduser(), threads=threads)
        self.encoder = self.filter.encoder()

    @property
    def value_range(self) -> ValueRange | None:
        """What is black and white in images of more than 8 bits, as in the training."""
        return value_range_of(self.filter.card)

    @property
    def fingerprint(self) -> str:
        """Tells filters apart: a hash of the card, 16 hexadecimal digits."""
        card = json.dumps(self.filter.card, sort_keys=True).encode()
        return hashlib.blake2b(card, digest_size=8).hexdigest()

    def decide(
        self, images: Iterable[Given], *, um_per_px: Sequence[float | None] | None = None
    ) -> list[Verdict]:
        """Decide about images; one that cannot be read is kept, and the reason says why.

        Parameters
        ----------
        images : n paths, uris, files as bytes, or (h, w, 3) uint8 arrays
        um_per_px : n numbers or None, optional
            Micrometres per pixel; matter where the encoder keeps size.

        Returns
        -------
        n Verdict
        """
        prepared: list[Prepared | str] = []
        for image in images:
            try:
                prepared.append(self.encoder.prepare(self._pixels(image)))
            except ImageError as error:
                prepared.append(error.reason)
        return self.judge(prepared, um_per_px=um_per_px)

    def judge(
        self,
        prepared: Sequence[Prepared | str],
        *,
        um_per_px: Sequence[float | None] | None = None,
    ) -> list[Verdict]:
        """The same of images that the encoder prepared, or why one could not be.

        One that the encoder refuses is unreadable, and the others are not its concern.
        """
        n = len(prepared)
        sizes = [None] * n if um_per_px is None else list(um_per_px)
        if len(sizes) != n:
            raise RangeError(f"{len(sizes)} pixel sizes for {n} images; expected one each")
        found = [unreadable(each) if isinstance(each, str) else None for each in prepared]
        readable = [(i, each) for i, each in enumerate(prepared) if not isinstance(each, str)]
        try:
            made = self._verdicts([each for _, each in readable], [sizes[i] for i, _ in readable])
        except CoreError:
            if n == 1:
                raise
            made = [self._alone(each, sizes[i]) for i, each in readable]
        for (i, _), verdict in zip(readable, made, strict=True):
            found[i] = verdict
        return [verdict for verdict in found if verdict is not None]

    def _alone(self, prepared: Prepared, um_per_px: float | None) -> Verdict:
        try:
            return self._verdicts([prepared], [um_per_px])[0]
        except CoreError as error:
            return unreadable(str(error))

    def _verdicts(
        self, prepared: Sequence[Prepared], um_per_px: Sequence[float | None]
    ) -> list[Verdict]:
        if not prepared:
            return []
        said = self.filter.decide(self.encoder.encode(prepared, um_per_px=um_per_px))
        found = []
        for i in range(len(said)):
            keep, strange = bool(said.keep[i]), bool(said.unfamiliar[i])
            reason = UNFAMILIAR if strange else ABOVE if keep else BELOW
            found.append(
                Verdict(float(said.score[i]), keep, strange, reason, float(said.nearest[i]))
            )
        return found

    def _pixels(self, image: Given) -> Rgb:
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
                raise ImageError(
                    "the array", f"it is {image.shape} {image.dtype}; expected (h, w, 3) uint8"
                )
            return image
        if isinstance(image, bytes):
            return decode_image(image, name="the image", value_range=self.value_range)
        return read_image(_uri(image), value_range=self.value_range)


def _uri(image: str | Path) -> str:
    """A path, which may hold what uris write otherwise, or a uri as it is."""
    if isinstance(image, Path):
        return quote_path(image.expanduser().absolute())
    try:
        is_file = Path(image).is_file()
    except (OSError, ValueError):
        is_file = False
    return quote_path(Path(image).absolute()) if is_file else image


def value_range_of(card: dict[str, Any]) -> ValueRange | None:
    """What a filter's card says is black and white in images of more than 8 bits.

    Raises
    ------
    RangeError
        If that is no range.
    """
    said = card.get("value_range")
    if said is None:
        return None
    try:
        low, high = (float(each) for each in said)
    except (TypeError, ValueError):
        raise RangeError(f"the filter's value range is {said!r}; expected two numbers") from None
    if not -np.inf < low < high < np.inf:
        raise RangeError(f"the filter's value range is {said!r}; expected the lower first")
    return low, high
