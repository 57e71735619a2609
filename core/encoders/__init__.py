"""Encoders by name. Importing this loads no torch; a model's library loads with the model.

Examples
--------
>>> describe("timm:resnet50.a1_in1k").dimension
2048
>>> load("precomputed:notebook")
Traceback (most recent call last):
...
core.errors.EncoderError: precomputed:notebook: its vectors were made elsewhere, so images and \
text cannot be encoded; index the collection again with --made-by ENCODER to say what made them
"""

from __future__ import annotations

from typing import Any

from core.encoders.base import Encoder, FittedEncoder, Prepared
from core.encoders.card import Card, Identity
from core.encoders.neural import Precision
from core.errors import EncoderError

__all__ = [
    "DEFAULT",
    "KNOWN",
    "Card",
    "Encoder",
    "FittedEncoder",
    "Identity",
    "Prepared",
    "describe",
    "load",
    "vectors_only",
]

DEFAULT = "descriptors"

# Licences, sizes and training data are those of the models' own pages; None where they say none.
_PRETRAINED = (
    Card(
        name="openclip:hf-hub:project-oceania/CLIP-ViT-B-16.bioclip-pt.planktonzilla-pt",
        dimension=512,
        weights="huggingface.co/project-oceania/CLIP-ViT-B-16.bioclip-pt.planktonzilla-pt",
        licence="not known here: see its page on huggingface.co",
        download_mb=None,
        reads_text=True,
        about="BioCLIP trained on with 17 million plankton images (arXiv 2606.00080).",
    ),
    Card(
        name="openclip:hf-hub:imageomics/bioclip-2",
        dimension=768,
        weights="huggingface.co/imageomics/bioclip-2",
        licence="MIT",
        download_mb=1710,
        reads_text=True,
        about="CLIP ViT-L/14 trained on 214 million images of organisms; weak on plankton without "
        "labels (arXiv 2606.00080), slow without a GPU.",
    ),
    Card(
        name="openclip:ViT-B-32/laion2b_s34b_b79k",
        dimension=512,
        weights="huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        licence="MIT",
        download_mb=605,
        reads_text=True,
        about="A small CLIP trained on two billion pictures of everything with their captions.",
    ),
    Card(
        name="timm:resnet50.a1_in1k",
        dimension=2048,
        weights="huggingface.co/timm/resnet50.a1_in1k",
        licence="Apache-2.0",
        download_mb=102,
        reads_text=False,
        about="A ResNet-50 trained on ImageNet's thousand classes: the usual baseline.",
    ),
    Card(
        name="timm:vit_small_patch14_dinov2.lvd142m",
        dimension=384,
        weights="huggingface.co/timm/vit_small_patch14_dinov2.lvd142m",
        licence="Apache-2.0",
        download_mb=88,
        reads_text=False,
        about="DINOv2, trained without labels on 142 million images; looks at 518 x 518 pixels, "
        "so it is slow without a GPU.",
    ),
)
_CARDS = {card.name: card for card in _PRETRAINED}

KNOWN: tuple[str, ...] = (DEFAULT, *_CARDS)
"""The encoders a page recommends, the one that needs nothing first; `describe` gives a card."""


def describe(name: str) -> Card:
    """What a person should know of an encoder, without loading its weights.

    Immediate for the names in `KNOWN`; others import the library that knows them (5 to 15 s).

    Raises
    ------
    EncoderError
        If there is no such encoder.
    WeightsError
        If it is in a hub repository, or a file, that cannot be had.
    """
    if name in _CARDS:
        return _CARDS[name]
    if name == DEFAULT:
        return load(name).card
    if name.startswith("openclip:"):
        from core.encoders import openclip

        return openclip.describe(name)
    if name.startswith("timm:"):
        from core.encoders import timm

        return timm.describe(name)
    raise _unknown(name)


def load(name: str, *, fit: dict[str, Any] | None = None, precision: Precision = "auto") -> Encoder:
    """An encoder, ready to encode.

    Parameters
    ----------
    name : str
        ``descriptors``, ``openclip:...`` or ``timm:...``.
    fit : dict, optional
        What `FittedEncoder.fit_as_json` gave; only ``descriptors`` is fitted.
    precision : "auto", "float32" or "bfloat16"
        What a pretrained model computes in; see `core.encoders.neural.Neural`.

    Raises
    ------
    EncoderError
        If there is no such encoder, or it is not one that is fitted.
    WeightsError
        If its weights are neither here nor to be had.
    """
    if name == DEFAULT:
        from core.encoders.descriptors import Descriptors

        return Descriptors(fit=fit)
    if fit is not None:
        raise EncoderError(f"{name} is not fitted on a collection; only {DEFAULT} takes a fit")
    if name.startswith("openclip:"):
        from core.encoders import openclip

        return openclip.load(name, precision=precision)
    if name.startswith("timm:"):
        from core.encoders import timm

        return timm.load(name, precision=precision)
    raise _unknown(name)


def vectors_only(name: str) -> bool:
    """Whether vectors of that name are given or joined, so that no picture can be encoded so.

    Examples
    --------
    >>> vectors_only("precomputed:notebook"), vectors_only("descriptors")
    (True, False)
    """
    return name.startswith(("precomputed:", "joined:"))


def _unknown(name: str) -> EncoderError:
    if name.startswith("joined:"):
        return EncoderError(
            f"{name}: it is made of the vectors of several encoders, so images and text cannot be "
            "encoded; index with each of them, then join them again with `evaluate --keep-joined`"
        )
    if name.startswith("precomputed:"):
        return EncoderError(
            f"{name}: its vectors were made elsewhere, so images and text cannot be encoded; "
            "index the collection again with --made-by ENCODER to say what made them"
        )
    return EncoderError(
        f"there is no encoder {name!r}; expected {DEFAULT}, openclip:MODEL/TAG, "
        "openclip:hf-hub:ORG/REPO, openclip:MODEL@/path/checkpoint, timm:MODEL.TAG or "
        f"timm:MODEL@/path/checkpoint, such as {KNOWN[3]}"
    )
