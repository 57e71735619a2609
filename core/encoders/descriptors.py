"""The built-in encoder: size, form, light, colour and texture, measured; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Rgb, Vectors
from core.encoders import scaling
from core.encoders.base import Prepared
from core.encoders.card import Card, Identity
from core.encoders.measures import MEASURES, PREPROCESSING, measure
from core.encoders.scaling import Scaling
from core.errors import EncoderError, ShapeError

NAME = "descriptors"


@dataclass(frozen=True)
class Agreement:
    """How two images compare in one measure that a person can read."""

    name: str
    unit: str
    """``µm``, ``px``, ``µm²``, ``px²``, ``%``, ``Lab`` or empty."""
    a: float
    b: float
    """The measure of each image, in that unit."""
    difference: float
    """b - a in robust standard deviations of the collection (after the logarithm for sizes)."""
    unusual: float
    """How far both lie from the collection's median, in the same units: the nearer of the two, and
    0 when they lie on different sides. Agreement is worth telling where this is large."""
    contribution: float
    """Share of the squared distance between the two vectors that this measure's column makes."""
    about: str


class Descriptors:
    """Encodes by measuring; stands behind `core.encoders.base.FittedEncoder`.

    Parameters
    ----------
    fit : dict, optional
        What `fit_as_json` gave. Without it only `prepare` and `fit` work.

    Raises
    ------
    EncoderError
        If the fit is of other measures than this version takes.
    """

    def __init__(self, fit: dict[str, Any] | None = None) -> None:
        self._scaling = None if fit is None else Scaling.from_json(fit)
        self._digest = None if self._scaling is None else self._scaling.digest

    @property
    def card(self) -> Card:
        return Card(
            name=NAME,
            dimension=len(MEASURES),
            weights="none",
            licence="none needed: measured by scikit-image, numpy and scipy (BSD-3-Clause)",
            download_mb=0.0,
            reads_text=False,
            about="Size, form, light, colour and texture, measured; scaled to the collection "
            "itself, and explained measure by measure.",
        )

    @property
    def identity(self) -> Identity:
        return Identity(
            name=NAME,
            weights="none",
            preprocessing=PREPROCESSING,
            dimension=len(MEASURES),
            fit=self._digest,
        )

    @property
    def prepare(self) -> Callable[[Rgb], Prepared]:
        """`core.encoders.measures.measure`: raw measures, in pixels."""
        return measure

    @property
    def fitted(self) -> bool:
        return self._scaling is not None

    @property
    def unit(self) -> str:
        """``um`` when every image of the fit had a pixel size, else ``px``."""
        return self._fit().unit

    def fit(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> Descriptors:
        """Descriptors scaled to these images; this encoder stays as it is.

        Parameters
        ----------
        prepared : n of (len(MEASURES),) floating
            n of 1 or more.
        um_per_px : n numbers or None, optional
            Micrometres per pixel. Only when all are known do sizes count in micrometres, and then
            an image without a pixel size is later taken to have the median of these; otherwise
            sizes count in pixels and pixel sizes are ignored.

        Raises
        ------
        EncoderError
            If there is no image.
        ShapeError, RangeError
            If the measures or the pixel sizes are not what they should be.
        """
        return Descriptors(scaling.fit(_stacked(prepared), um_per_px).as_json())

    def fit_as_json(self) -> dict[str, Any]:
        return self._fit().as_json()

    def encode(
        self, prepared: Sequence[Prepared], *, um_per_px: Sequence[float | None] | None = None
    ) -> Vectors:
        """(n, dimension) float32 unit rows; a row does not depend on the others in the batch.

        Raises
        ------
        EncoderError
            If this encoder is not fitted.
        ShapeError, RangeError
            If the measures or the pixel sizes are not what they should be.
        """
        return self._fit().vectors(_stacked(prepared), um_per_px)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        raise EncoderError(
            "descriptors do not read text; use an openclip encoder to search by words"
        )

    def compare(
        self,
        a: Prepared,
        b: Prepared,
        *,
        um_per_px: tuple[float | None, float | None] = (None, None),
    ) -> list[Agreement]:
        """In which readable measures two images agree and differ, most different first.

        Lengths are in the unit of the fit: micrometres if the fit was in micrometres (an image
        without a pixel size has the fit's median), else pixels.

        Raises
        ------
        EncoderError
            If this encoder is not fitted.
        """
        fit = self._fit()
        raw = _stacked([a, b])
        sizes = fit.pixel_sizes(um_per_px, 2)
        first, second = fit.standardised(raw, um_per_px)
        unusual = np.where(first * second > 0, np.minimum(np.abs(first), np.abs(second)), 0)
        shares = np.diff(fit.vectors(raw, um_per_px).astype(np.float64), axis=0)[0] ** 2
        shares /= max(float(shares.sum()), 1e-12)
        agreements = [
            Agreement(
                name=each.name,
                unit=_unit(each.unit, in_um=fit.unit == "um"),
                a=float(raw[0, i] * sizes[0] ** each.power),
                b=float(raw[1, i] * sizes[1] ** each.power),
                difference=float(second[i] - first[i]),
                unusual=float(unusual[i]),
                contribution=float(shares[i]),
                about=each.about,
            )
            for i, each in enumerate(MEASURES)
            if each.readable
        ]
        return sorted(agreements, key=lambda each: -abs(each.difference))

    def _fit(self) -> Scaling:
        if self._scaling is None:
            raise EncoderError(
                "descriptors are not fitted to a collection yet; call fit on its measures first"
            )
        return self._scaling


def describe(prepared: Prepared, um_per_px: float | None = None) -> dict[str, tuple[float, str]]:
    """The readable measures of one image: name -> (value, unit).

    Lengths are in micrometres when the pixel size is given, else in pixels. Needs no fit.

    Raises
    ------
    ShapeError, RangeError
        If the measures or the pixel size are not what they should be.
    """
    raw = _stacked([prepared])[0]
    scaling.pixel_sizes([um_per_px], 1)
    return {
        each.name: (
            float(raw[i] * (um_per_px or 1.0) ** each.power),
            _unit(each.unit, in_um=um_per_px is not None),
        )
        for i, each in enumerate(MEASURES)
        if each.readable
    }


def _unit(unit: str, *, in_um: bool) -> str:
    return unit.replace("px", "µm") if in_um else unit


def _stacked(prepared: Sequence[Prepared]) -> NDArray[np.float64]:
    for row in prepared:
        if row.shape != (len(MEASURES),):
            raise ShapeError(f"measures are {row.shape}; expected ({len(MEASURES)},)")
    out = np.array(prepared, np.float64).reshape(len(prepared), len(MEASURES))
    if not np.isfinite(out).all():
        raise ShapeError("a measure is NaN or infinite; expected finite numbers")
    return out
