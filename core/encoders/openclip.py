"""Encoders of the CLIP family, through open_clip.

Names: ``openclip:MODEL/TAG``, ``openclip:hf-hub:ORG/REPO``, ``openclip:MODEL@/path/checkpoint``,
``openclip:MODEL/TAG@/path/checkpoint`` (prepared as the tag says, weights from the file), and
``openclip:MODEL/random`` for tests and timings.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.arrays import Vectors
from core.encoders.card import Card
from core.encoders.neural import Expects, Neural, Precision
from core.encoders.weights import checkpoint_path, hub_file, one_line, quiet, reading, seeded
from core.errors import EncoderError, WeightsError

if TYPE_CHECKING:
    import torch

FAMILY = "openclip:"
EXPECTED = (
    "openclip:MODEL/TAG (openclip:ViT-B-32/laion2b_s34b_b79k), openclip:hf-hub:ORG/REPO "
    "or openclip:MODEL@/path/checkpoint"
)
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CONFIG = "open_clip_config.json"


@dataclass(frozen=True)
class _Asked:
    """A name taken apart; what does not apply is None."""

    name: str
    model: str | None
    tag: str | None
    repo: str | None
    path: Path | None

    @property
    def random(self) -> bool:
        return self.tag == "random"


def _parse(name: str) -> _Asked:
    rest, _, file = name.removeprefix(FAMILY).partition("@")
    path = checkpoint_path(file) if file else None
    if rest.startswith("hf-hub:"):
        repo = rest.removeprefix("hf-hub:")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo) or "@" in name:
            raise EncoderError(f"{name!r} names no repository; expected {EXPECTED}")
        return _Asked(name, None, None, repo, None)
    model, _, tag = rest.partition("/")
    if not model or (tag == "random" and path) or ("@" in name and not file):
        raise EncoderError(f"{name!r} is not complete; expected {EXPECTED}")
    return _Asked(name, model, tag or None, None, path)


def describe(name: str) -> Card:
    """The card of an encoder; loads no weights, but imports open_clip (about 10 s).

    Raises
    ------
    EncoderError
        If there is no such model or tag.
    WeightsError
        If the configuration of a hub repository, or the checkpoint file, is not to be had.
    """
    asked = _parse(name)
    return _card(asked, _config(asked))


def load(name: str, *, precision: Precision = "auto") -> OpenClip:
    """Load a CLIP model with its weights.

    Raises
    ------
    EncoderError
        If there is no such model or tag.
    WeightsError
        If its weights are not here and cannot be fetched, or are not what they should be.
    """
    asked = _parse(name)
    config = _config(asked)
    card = _card(asked, config)
    with quiet():
        model = _build(asked)
    settings = model.visual.preprocess_cfg
    expects = Expects.of(
        name,
        size=settings["size"],
        mean=settings["mean"],
        std=settings["std"],
        interpolation=settings["interpolation"],
    )
    return OpenClip(card, model, expects, _tokenizer_name(asked), precision=precision)


class OpenClip(Neural):
    """A CLIP model: images and descriptions in words as vectors of one space."""

    # Under autocast torch's attention copies its weights for every image of a batch on the CPU:
    # ViT-B-32 gave 0.6 to 0.96 times the images/s of float32 on 2 cores with AVX512-BF16.
    bfloat16_on = ("cuda",)

    def __init__(
        self,
        card: Card,
        model: Any,
        expects: Expects,
        tokenizer: str,
        *,
        precision: Precision = "auto",
    ) -> None:
        super().__init__(card, model, model.encode_image, expects, precision=precision)
        self._clip = model
        self._tokenizer_name = tokenizer
        self._tokenizer: Any = None

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Descriptions in words, comparable with the vectors of images.

        Parameters
        ----------
        texts : n strings
            Cut after the model's context length (77 tokens for most).

        Returns
        -------
        Vectors
            (n, dimension) float32 unit rows.

        Raises
        ------
        WeightsError
            If the model's tokenizer is not on this machine.
        """
        if self._tokenizer is None:
            self._tokenizer = self._make_tokenizer()

        def forward(some: Sequence[str]) -> torch.Tensor:
            tokens: torch.Tensor = self._tokenizer(list(some))
            features: torch.Tensor = self._clip.encode_text(tokens.to(self._device))
            return features

        return self._in_batches(texts, forward)

    def _make_tokenizer(self) -> Any:
        import open_clip

        try:
            with quiet():
                return open_clip.get_tokenizer(self._tokenizer_name)
        except Exception as error:  # ImportError, OSError, hub errors: all mean it is not here
            raise WeightsError(
                f"{self.card.name} cannot read text here: its tokenizer could not be had "
                f"({one_line(error)}); choose an encoder with CLIP's own tokenizer, such as "
                "openclip:ViT-B-32/laion2b_s34b_b79k"
            ) from error


def _config(asked: _Asked) -> dict[str, Any]:
    """The model's configuration, once the name has proved to be one that exists."""
    import open_clip

    if asked.repo is not None:
        file = hub_file(
            asked.name, asked.repo, (_CONFIG,), or_else=_or_else(asked), beside=_WEIGHTS[0]
        )
        try:
            config: dict[str, Any] = json.loads(file.read_text("utf-8"))["model_cfg"]
        except (ValueError, LookupError, TypeError) as error:
            raise WeightsError(
                f"{asked.name}: {file} does not describe an open_clip model; "
                "choose a repository made for open_clip"
            ) from error
        return config
    found = open_clip.get_model_config(asked.model)
    if found is None:
        near = difflib.get_close_matches(str(asked.model), open_clip.list_models(), cutoff=0.3)
        raise EncoderError(
            f"open_clip has no model {asked.model!r} (in {asked.name!r}); nearest are "
            f"{', '.join(near) or 'none'}; expected {EXPECTED}"
        )
    tags = open_clip.list_pretrained_tags_by_model(asked.model)
    if asked.tag not in (None, "random", *tags) or (asked.tag is None and asked.path is None):
        raise EncoderError(
            f"{asked.name!r} names no weights of {asked.model}; expected one of the tags "
            f"{', '.join(tags) or '(it has none)'}, or openclip:{asked.model}@/path/checkpoint"
        )
    if asked.path is not None:
        with reading(asked.name, asked.path):  # a missing file is told before anything is built
            pass
    return dict(found)


def _card(asked: _Asked, config: dict[str, Any]) -> Card:
    needs_hub = "hf_tokenizer_name" in config["text_cfg"]
    reads_text = not needs_hub or importlib.util.find_spec("transformers") is not None
    card = Card(
        name=asked.name,
        dimension=int(config["embed_dim"]),
        weights="random",
        licence="none",
        download_mb=0,
        reads_text=reads_text,
        about="Random weights: only for testing.",
    )
    if asked.random:
        return card
    if asked.path is not None:
        return replace(
            card,
            weights=str(asked.path),
            licence="that of the checkpoint",
            about=f"The CLIP model {asked.model} with the weights in {asked.path.name}.",
        )
    place = asked.repo or _repository(asked)[0]
    return replace(
        card,
        weights=f"huggingface.co/{place}",
        licence=f"see huggingface.co/{place}",
        download_mb=None,
        about=f"A CLIP model, {asked.repo or f'{asked.model} trained as {asked.tag}'}.",
    )


def _build(asked: _Asked) -> Any:
    """The model with weights; random ones only under the name that says so.

    Every other way ends in a strict load from a file, and ``require_pretrained`` makes
    open_clip raise should it have loaded none.
    """
    import open_clip

    if asked.random:
        with seeded():
            return open_clip.create_model(asked.model, load_weights=False, pretrained_text=False)
    if asked.repo is not None:
        path = hub_file(asked.name, asked.repo, _WEIGHTS, or_else=_or_else(asked))
        with reading(asked.name, path):  # the snapshot holds the configuration beside it
            return open_clip.create_model(f"local-dir:{path.parent}", require_pretrained=True)
    tag: dict[str, Any] = (
        open_clip.get_pretrained_cfg(asked.model, asked.tag) if asked.tag is not None else {}
    )
    prepared_as = {k: tag[k] for k in ("mean", "std", "interpolation") if k in tag}
    path = asked.path or _fetch(asked)
    with reading(asked.name, path):
        return open_clip.create_model(
            asked.model,
            pretrained=str(path),
            require_pretrained=True,
            force_quick_gelu=bool(tag.get("quick_gelu")),
            force_preprocess_cfg=prepared_as,
        )


def _repository(asked: _Asked) -> tuple[str, tuple[str, ...]]:
    """Where open_clip keeps the weights of a tag: repository and files, the safe one first."""
    import open_clip

    repo, _, file = open_clip.get_pretrained_cfg(asked.model, asked.tag)["hf_hub"].rpartition("/")
    if not file:
        return repo, _WEIGHTS
    safe = str(Path(file).with_suffix(".safetensors"))
    return repo, (safe, file) if safe != file else (file,)


def _fetch(asked: _Asked) -> Path:
    repo, files = _repository(asked)
    return hub_file(asked.name, repo, files, or_else=_or_else(asked))


def _or_else(asked: _Asked) -> str:
    if asked.repo is not None:
        return "openclip:MODEL@/path/to/it (MODEL as its page says, such as ViT-L-14)"
    return f"{FAMILY}{asked.model}/{asked.tag}@/path/to/it"


def _tokenizer_name(asked: _Asked) -> str:
    if asked.repo is None:
        return str(asked.model)
    file = hub_file(asked.name, asked.repo, (_CONFIG,), or_else=_or_else(asked))
    return f"local-dir:{file.parent}"
