"""Encoders trained on images alone, through timm: pooled features, the classifier left out.

Names: ``timm:MODEL`` (timm's own choice of weights), ``timm:MODEL.TAG``,
``timm:MODEL[.TAG]@/path/checkpoint`` and, for tests and timings, ``timm:MODEL/random``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.encoders.card import Card
from core.encoders.neural import Expects, Neural, Precision
from core.encoders.weights import checkpoint_path, hub_file, quiet, reading, seeded
from core.errors import EncoderError

if TYPE_CHECKING:
    import torch

FAMILY = "timm:"
EXPECTED = "timm:MODEL.TAG (timm:resnet50.a1_in1k) or timm:MODEL@/path/checkpoint"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class _Asked:
    name: str
    model: str
    """With its tag, as timm writes it."""
    random: bool
    path: Path | None

    @property
    def architecture(self) -> str:
        return self.model.partition(".")[0]


def _parse(name: str) -> _Asked:
    """Take a name apart and prove that timm has it.

    Raises
    ------
    EncoderError
        If there is no such model, or no such tag of it.
    """
    import timm

    rest, at, file = name.removeprefix(FAMILY).partition("@")
    model, slash, tag = rest.partition("/")
    path = checkpoint_path(file) if file else None
    if not model or (at and not file) or (slash and (tag != "random" or at)):
        raise EncoderError(f"{name!r} is not a timm model; expected {EXPECTED}")
    asked = _Asked(name, model, bool(slash), path)
    if not timm.is_model(asked.architecture):
        near = difflib.get_close_matches(asked.architecture, timm.list_models(), cutoff=0.3)
        raise EncoderError(
            f"timm has no model {asked.architecture!r} (in {name!r}); nearest are "
            f"{', '.join(near) or 'none'}; expected {EXPECTED}"
        )
    have = timm.list_pretrained(asked.architecture + ".*") or timm.list_pretrained(
        asked.architecture
    )
    needs_weights = not asked.random and path is None
    if ("." in model and model not in have) or (needs_weights and not have):
        raise EncoderError(
            f"{name!r} names no weights of {asked.architecture}; expected one of "
            f"{', '.join(FAMILY + one for one in have) or '(timm has none)'}, "
            f"or timm:{asked.architecture}@/path/checkpoint"
        )
    return asked


def describe(name: str) -> Card:
    """The card of an encoder; loads no weights, but imports timm and torch (about 5 s).

    Raises
    ------
    EncoderError
        If there is no such model, or no such tag of it.
    WeightsError
        If the checkpoint file is not there.
    """
    import timm
    import torch

    asked = _parse(name)
    if asked.path is not None:
        with reading(name, asked.path):
            pass
    with quiet(), torch.device("meta"), torch.inference_mode():  # shapes only: nothing is computed
        model = timm.create_model(asked.model, pretrained=False, num_classes=0).eval()
        return _card(asked, _dimension(name, model, _expects(name, model)), model.pretrained_cfg)


def load(name: str, *, precision: Precision = "auto") -> Neural:
    """Load a timm model with its weights, without its classifier.

    Raises
    ------
    EncoderError
        If there is no such model or tag, or it gives no pooled vector.
    WeightsError
        If its weights are not here and cannot be fetched, or are not what they should be.
    """
    import torch

    asked = _parse(name)
    with quiet():
        model = _build(asked)
    expects = _expects(name, model)
    model.eval()
    with torch.inference_mode():
        dimension = _dimension(name, model, expects)
    card = _card(asked, dimension, model.pretrained_cfg)
    return Neural(card, model, model, expects, precision=precision)


def _build(asked: _Asked) -> Any:
    """The model with weights; random ones only under the name that says so.

    Weights are loaded together with the classifier they were trained with, since timm is
    strict only then, and the classifier is taken off afterwards.
    """
    import timm

    if asked.random:
        with seeded():
            return timm.create_model(asked.model, pretrained=False, num_classes=0)
    published = timm.get_pretrained_cfg(asked.model)
    if asked.path is None:
        repo = published.hf_hub_id
        if repo == "timm/":  # timm's shorthand for a repository named after the weights
            repo += f"{asked.architecture}.{published.tag}" if published.tag else asked.model
        files = (published.hf_hub_filename,) if published.hf_hub_filename else _WEIGHTS
        path = hub_file(asked.name, repo, files, or_else=f"{FAMILY}{asked.model}@/path/to/it")
        overlay: dict[str, Any] = {"num_classes": published.num_classes}
    else:
        path = asked.path
        with reading(asked.name, path):
            overlay = {"num_classes": _classes(path, published), "label_offset": 0}
    with reading(asked.name, path):
        model = timm.create_model(
            asked.model,
            pretrained=True,
            num_classes=overlay["num_classes"],
            pretrained_cfg_overlay=overlay | {"file": str(path), "custom_load": False},
        )
    model.reset_classifier(0)
    return model


def _classes(path: Path, published: Any) -> int:
    """How many classes a checkpoint's classifier tells apart; 0 when it has none."""
    from timm.models import load_state_dict

    state = load_state_dict(str(path), weights_only=True)
    named = published.classifier if published is not None else None
    for classifier in (named,) if isinstance(named, str) else named or ("fc", "head"):
        for part in ("bias", "weight"):
            weight: torch.Tensor | None = state.get(f"{classifier}.{part}")
            if weight is not None:
                return int(weight.shape[0])
    return 0


def _expects(name: str, model: Any) -> Expects:
    """Size, colours and interpolation of training; no cropping, since ends would be lost."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(model)
    return Expects.of(
        name,
        size=config["input_size"][1:],
        mean=config["mean"],
        std=config["std"],
        interpolation=config["interpolation"],
    )


def _dimension(name: str, model: Any, expects: Expects) -> int:
    import torch

    device = next(model.parameters()).device
    shape = model(torch.zeros(1, 3, expects.size, expects.size, device=device)).shape
    if len(shape) != 2:
        raise EncoderError(
            f"{name} gives {tuple(shape)} numbers an image, not one vector; "
            "choose a timm model with pooled features"
        )
    return int(shape[1])


def _card(asked: _Asked, dimension: int, config: dict[str, Any]) -> Card:
    card = Card(
        name=asked.name,
        dimension=dimension,
        weights="random",
        licence="none",
        download_mb=0,
        reads_text=False,
        about="Random weights: only for testing.",
    )
    if asked.random:
        return card
    if asked.path is not None:
        return replace(
            card,
            weights=str(asked.path),
            licence="that of the checkpoint",
            about=f"The timm model {asked.model} with the weights in {asked.path.name}.",
        )
    place = f"huggingface.co/{config.get('hf_hub_id', 'timm')}"
    return replace(
        card,
        weights=place,
        licence=config.get("license") or f"see {place}",
        download_mb=None,
        about=f"The timm model {asked.model}: pooled features, classifier left out.",
    )
