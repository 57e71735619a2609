"""An exported filter: read, checked, and asked which images to keep.

This file and what it imports need numpy and onnxruntime alone, plus what the filter's encoder
needs: neither a workspace, nor Chroma, nor a dashboard, nor torch for `descriptors`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Rgb, Vectors, check_vectors
from core.encoders.card import Identity
from core.errors import BundleError, CoreError, IdentityError, NotFoundError

if TYPE_CHECKING:
    from core.encoders.base import Encoder

FORMAT = 1
KIND = "plankton-explorer filter"

CARD = "card.json"
MODEL = "model.onnx"
FIT = "encoder_fit.json"
SUMS = "SHA256SUMS"

INPUT = "vectors"
OUTPUTS = ("score", "nearest")

BLOCK = 1024  # rows decided together: 8 MB of similarities to 2,000 stored vectors

_AGAIN = "export the filter again, or copy it again from where it is whole"


@dataclass(frozen=True)
class Decisions:
    """What a filter says of n images."""

    score: NDArray[np.float32]
    """(n,) calibrated probability that the image is one to keep, 0 to 1."""
    unfamiliar: NDArray[np.bool_]
    """(n,) less like anything the filter was trained on than the familiarity limit allows."""
    keep: NDArray[np.bool_]
    """(n,) the score reaches the threshold, or the image is unfamiliar."""
    nearest: NDArray[np.float32]
    """(n,) largest cosine similarity to a stored training vector."""

    def __len__(self) -> int:
        return len(self.score)


class Filter:
    """A filter that was checked and can decide; `load` makes one.

    Attributes
    ----------
    card : dict
        ``card.json`` as it was read.
    identity : Identity
        Of the encoder whose vectors it decides on.
    threshold : float
        Score from which an image is kept, 0 to 1.
    familiar_from : float
        Cosine similarity to the nearest stored training vector below which an image is unfamiliar.
    """

    def __init__(
        self, card: dict[str, Any], model: bytes, fit: dict[str, Any] | None, *, threads: int = 0
    ) -> None:
        self.card = card
        self.name: str = card["name"]
        self.identity = Identity.from_json(card["encoder"]["identity"])
        self.threshold = float(card["threshold"])
        self.familiar_from = float(card["familiar_from"])
        self._fit = fit
        self._session = _session(model, self.identity.dimension, threads)

    @property
    def encoder_name(self) -> str:
        """As `core.encoders.load` takes it."""
        return self.identity.name

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.identity.dimension

    def decide(self, vectors: Vectors) -> Decisions:
        """Score images by their vectors; memory does not grow with more than n.

        Parameters
        ----------
        vectors : (n, d) float32
            Unit rows, as this filter's encoder returns them.

        Raises
        ------
        ShapeError
            If they are not that.
        BundleError
            If the model gives anything but numbers.
        """
        if vectors.shape == (0, 0):
            vectors = vectors.reshape(0, self.dimension)
        check_vectors(vectors, dimension=self.dimension)
        n = len(vectors)
        score, nearest = np.empty(n, np.float32), np.empty(n, np.float32)
        for start in range(0, n, BLOCK):
            part = slice(start, start + BLOCK)
            rows = np.ascontiguousarray(vectors[part])
            score[part], nearest[part] = self._session.run(list(OUTPUTS), {INPUT: rows})
        if not (np.isfinite(score).all() and np.isfinite(nearest).all()):
            raise BundleError(f"filter {self.name!r} scores NaN; {_AGAIN}")
        unfamiliar = nearest < np.float32(self.familiar_from)
        return Decisions(score, unfamiliar, (score >= self.threshold) | unfamiliar, nearest)

    def decide_images(
        self,
        images: Sequence[Rgb],
        *,
        um_per_px: Sequence[float | None] | None = None,
        encoder: Encoder | None = None,
    ) -> Decisions:
        """Encode pictures and decide; for one at a time or a few hundred.

        Parameters
        ----------
        images : n of (h, w, 3) uint8
        um_per_px : n numbers or None, optional
            Micrometres per pixel; matter where the encoder keeps size.
        encoder : Encoder, optional
            What `encoder` gave, so that a loop does not make it anew each time.

        Raises
        ------
        EncoderError
            As `encoder`.
        """
        encoder = encoder or self.encoder()
        prepared = [encoder.prepare(image) for image in images]
        return self.decide(encoder.encode(prepared, um_per_px=um_per_px))

    def encoder(self) -> Encoder:
        """The encoder this filter was trained on, with its fitted scaling where it has one.

        Raises
        ------
        IdentityError
            If the one installed here would give other vectors than those of the training.
        EncoderError, WeightsError
            If it cannot be had here.
        """
        from core import encoders

        encoder = encoders.load(self.encoder_name, fit=self._fit)
        if encoder.identity != self.identity:
            raise IdentityError(
                f"filter {self.name!r} was trained on vectors of {_words(self.identity)}; "
                f"installed here is {_words(encoder.identity)}: use the version of Plankton "
                "Explorer, or the weights, that its card names, or train and export it again"
            )
        return encoder


def load(folder: Path | str, *, threads: int = 0) -> Filter:
    """Read a filter that `screen export` wrote, and refuse one that is not what it was.

    Parameters
    ----------
    folder : path
        With ``card.json``, ``model.onnx``, ``SHA256SUMS`` and, where the encoder is fitted,
        ``encoder_fit.json``.
    threads : int
        Processor threads the model may use; 0 lets onnxruntime choose.

    Raises
    ------
    NotFoundError
        If there is no filter.
    BundleError
        If a file is missing, damaged or cut short, or the card is of a newer format.
    IdentityError
        If the encoder installed here measures otherwise than that of the training.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotFoundError(
            f"there is no filter folder {folder}; expected what `screen export` wrote"
        )
    sums = _sums(folder)
    card = _card(folder, _checked(folder, CARD, sums))
    model = _checked(folder, MODEL, sums)
    fit_file = card["encoder"]["fit_file"]
    fit = None
    if fit_file is not None:
        if fit_file != FIT:
            raise BundleError(f"{folder / CARD} names the fit {fit_file!r}; expected {FIT}")
        fit = _object(folder / FIT, _checked(folder, FIT, sums))
    for name in sorted(set(sums) - {CARD, MODEL, FIT}):
        _checked(folder, name, sums)
    _check_installed(card, fit)
    try:
        return Filter(card, model, fit, threads=threads)
    except BundleError as error:
        raise BundleError(f"{folder / MODEL} {error}; {_AGAIN}") from error


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, from lines as `sha256sum` writes them."""
    path = folder / SUMS
    text = _bytes(path).decode("utf-8", errors="replace")
    sums: dict[str, str] = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        plain = name and "/" not in name and "\\" not in name and name not in (".", "..")
        if len(digest) != 64 or not plain:
            raise BundleError(f"{path} is damaged: a line is {line[:80]!r}; {_AGAIN}")
        sums[name] = digest.lower()
    return sums


def _checked(folder: Path, name: str, sums: Mapping[str, str]) -> bytes:
    """A file's bytes, which are those that were exported."""
    path = folder / name
    content = _bytes(path)
    if name not in sums:
        raise BundleError(f"{folder / SUMS} has no checksum of {name}; {_AGAIN}")
    if hashlib.sha256(content).hexdigest() != sums[name]:
        raise BundleError(
            f"{path} is damaged: {len(content):,} bytes whose SHA-256 is not that of {SUMS}; "
            f"{_AGAIN}"
        )
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path} is missing; {_AGAIN}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error}); {_AGAIN}") from error


def _object(path: Path, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content, parse_constant=_refuse)
        if not isinstance(found, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise BundleError(f"{path} is not the JSON it should be ({error}); {_AGAIN}") from error
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"it holds {name}")


def _card(folder: Path, content: bytes) -> dict[str, Any]:
    path = folder / CARD
    card = _object(path, content)
    if card.get("kind") != KIND:
        raise BundleError(
            f"{path} is not the card of a filter; expected what `screen export` wrote"
        )
    if not isinstance(card.get("format"), int) or card["format"] > FORMAT:
        raise BundleError(
            f"{path} has format {card.get('format')!r}; this version reads up to {FORMAT}, "
            "update Plankton Explorer"
        )
    try:
        identity = Identity.from_json(card["encoder"]["identity"])
        threshold, familiar = float(card["threshold"]), float(card["familiar_from"])
        right = (
            isinstance(card["name"], str)
            and isinstance(identity.name, str)
            and identity.dimension > 0
            and math.isfinite(threshold)
            and -1 <= familiar <= 1
            and all(isinstance(label, str) for label in (*card["keep"], *card["drop"]))
        )
        card["encoder"]["fit_file"]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} lacks what a card says ({error!r}); {_AGAIN}") from error
    if not right:
        raise BundleError(f"{path} states figures that cannot be; {_AGAIN}")
    return card


def _check_installed(card: Mapping[str, Any], fit: dict[str, Any] | None) -> None:
    """What can be told of the encoder without loading any weights."""
    from core.encoders import DEFAULT

    trained = Identity.from_json(card["encoder"]["identity"])
    if trained.name != DEFAULT:
        if fit is not None:
            raise BundleError(f"encoder {trained.name} is not fitted, yet {FIT} is named; {_AGAIN}")
        if trained.name.startswith(("openclip:", "timm:")):
            from core.encoders.neural import PREPROCESSING

            if trained.preprocessing != PREPROCESSING:
                raise _other(card, trained, PREPROCESSING)
        return
    from core.encoders.descriptors import Descriptors
    from core.encoders.measures import PREPROCESSING as MEASURED

    if trained.preprocessing != MEASURED:
        raise _other(card, trained, MEASURED)
    if fit is None:
        raise BundleError(f"{CARD} names no fitted scaling for {trained.name}; {_AGAIN}")
    here = Descriptors(fit).identity
    if here != trained:
        raise IdentityError(
            f"filter {card['name']!r} is for {_words(trained)}, but its {FIT} is that of "
            f"{_words(here)}; {_AGAIN}"
        )


def _other(card: Mapping[str, Any], trained: Identity, here: int) -> CoreError:
    return IdentityError(
        f"filter {card['name']!r} was trained on {trained.name} with preprocessing version "
        f"{trained.preprocessing}; this version of Plankton Explorer has {here}: use the version "
        "its card names, or train and export it again"
    )


def _words(identity: Identity) -> str:
    fit = f", fit {identity.fit}" if identity.fit else ""
    return (
        f"{identity.name} (weights {identity.weights}, preprocessing {identity.preprocessing}, "
        f"{identity.dimension} numbers{fit})"
    )


def _session(model: bytes, dimension: int, threads: int) -> Any:
    """An onnxruntime session of a model with the inputs and outputs that are expected."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its remarks are for its developers; errors are raised
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has a class of its own for every way to fail
        reason = " ".join(str(error).split())[:160]
        raise BundleError(f"is not a model that onnxruntime can run ({reason})") from error
    inputs = [(each.name, each.shape[1:], each.type) for each in session.get_inputs()]
    outputs = [(each.name, len(each.shape)) for each in session.get_outputs()]
    if inputs != [(INPUT, [dimension], "tensor(float)")] or outputs != [(o, 1) for o in OUTPUTS]:
        raise BundleError(
            f"takes {inputs} and gives {outputs}; expected float {INPUT} of {dimension} numbers "
            f"and {', '.join(OUTPUTS)}"
        )
    return session
