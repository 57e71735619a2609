"""Models small enough for tests, built by open_clip and timm themselves, and files of weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from core.arrays import Rgb

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}

CLIP_MODELS: dict[str, dict[str, Any]] = {
    "tiny-vit": {"embed_dim": 48, "vision_cfg": VIT, "text_cfg": TEXT},
    "tiny-rn": {"embed_dim": 40, "vision_cfg": RESNET | {"head_width": 32}, "text_cfg": TEXT},
    "tiny-hub-words": {
        "embed_dim": 48,
        "vision_cfg": VIT,
        "text_cfg": TEXT | {"hf_tokenizer_name": "nobody/no-tokenizer"},
    },
}


def register_clip_models(folder: Path) -> None:
    """Tell open_clip of the models above, as a person with a model of their own would."""
    import open_clip

    for name, config in CLIP_MODELS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


def clip_state(name: str, *, seed: int) -> dict[str, Any]:
    """Weights of a model above, drawn with this seed."""
    import open_clip
    import torch

    from core.encoders.weights import quiet

    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state: dict[str, Any] = open_clip.create_model(name, load_weights=False).state_dict()
    return state


def timm_state(name: str, *, seed: int, classes: int = 7) -> dict[str, Any]:
    """Weights of a timm model with a classifier, drawn with this seed."""
    import timm
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state: dict[str, Any] = timm.create_model(name, num_classes=classes).state_dict()
    return state


def save(state: dict[str, Any], path: Path) -> Path:
    """As safetensors or by torch, as the name ends."""
    import torch
    from safetensors.torch import save_file

    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def drawn(n: int, *, seed: int) -> list[Rgb]:
    """n vignettes of one to four dark bodies on a light ground, of many sizes and forms."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(n):
        width, height = (int(side) for side in rng.integers(24, 160, 2))
        ground = int(rng.integers(150, 250))
        image = Image.new("RGB", (width, height), (ground, ground, min(255, ground + 5)))
        draw = ImageDraw.Draw(image)
        for _ in range(int(rng.integers(1, 5))):
            x, y = rng.uniform(0.1, 0.6, 2) * (width, height)
            w, h = rng.uniform(0.1, 0.4, 2) * (width, height) + 2
            red, green, blue = (int(v) for v in rng.integers(10, 130, 3))
            shape = (draw.ellipse, draw.rectangle, draw.line)[int(rng.integers(3))]
            shape((x, y, x + w, y + h), fill=(red, green, blue))
        noise = rng.normal(0, 4, (height, width, 3))
        images.append(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return images
