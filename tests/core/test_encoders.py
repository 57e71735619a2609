"""What every encoder promises, run over each of them by one fixture."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import core.encoders
from core.arrays import Rgb, check_vectors
from core.encoders import Encoder, FittedEncoder, describe, load
from core.errors import EncoderError, ShapeError
from tests.core.tiny_models import (
    clip_state,
    drawn,
    register_clip_models,
    save,
    timm_state,
)

IMAGES = drawn(12, seed=3)

slow = pytest.mark.slow  # importing timm takes 5 s, open_clip 10 s
KINDS = [
    "descriptors",
    pytest.param("openclip:tiny-vit/random", marks=slow),
    pytest.param("openclip:tiny-rn/random", marks=slow),
    pytest.param("openclip:tiny-vit@FOLDER/clip.pt", marks=slow),
    pytest.param("openclip:tiny-vit@FOLDER/clip.safetensors", marks=slow),
    pytest.param("timm:test_resnet/random", marks=slow),
    pytest.param("timm:test_vit/random", marks=slow),
    pytest.param("timm:test_resnet@FOLDER/resnet.pt", marks=slow),
    pytest.param("timm:test_vit@FOLDER/vit.safetensors", marks=slow),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of every kind the names above mean."""
    place = tmp_path_factory.mktemp("checkpoints")
    configs = tmp_path_factory.mktemp("models")
    register_clip_models(configs)
    for ending in ("pt", "safetensors"):
        save(clip_state("tiny-vit", seed=1), place / f"clip.{ending}")
    save(timm_state("test_resnet", seed=1), place / "resnet.pt")
    save(timm_state("test_vit", seed=1), place / "vit.safetensors")
    return place


@pytest.fixture(scope="module", params=KINDS)
def again(request: pytest.FixtureRequest) -> Callable[[], Encoder]:
    """Loads the same encoder anew."""
    name: str = request.param
    if name != "descriptors":
        name = name.replace("FOLDER", str(request.getfixturevalue("folder")))

    def make() -> Encoder:
        encoder = load(name, precision="float32")
        if isinstance(encoder, FittedEncoder):
            return encoder.fit([encoder.prepare(image) for image in IMAGES])
        return encoder

    return make


@pytest.fixture(scope="module")
def encoder(again: Callable[[], Encoder]) -> Encoder:
    return again()


def encode(encoder: Encoder, images: list[Rgb]) -> np.ndarray:
    return encoder.encode([encoder.prepare(image) for image in images])


def test_stands_behind_the_protocol_with_a_card(encoder: Encoder):
    assert isinstance(encoder, Encoder)
    card = encoder.card
    assert card.dimension == encoder.identity.dimension > 0
    assert card.name == encoder.identity.name
    assert card.about and card.licence and card.weights
    assert describe(card.name) == card


def test_the_same_encoder_twice_is_the_same(encoder: Encoder, again: Callable[[], Encoder]):
    other = again()
    assert other.identity == encoder.identity
    np.testing.assert_array_equal(encode(other, IMAGES[:3]), encode(encoder, IMAGES[:3]))


def test_vectors_are_unit_rows(encoder: Encoder):
    vectors = encode(encoder, IMAGES)
    check_vectors(vectors, rows=len(IMAGES), dimension=encoder.card.dimension)
    assert len(np.unique(vectors.round(4), axis=0)) == len(IMAGES)


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder):
    """A BatchNorm tower left in training mode fails here."""
    together = encode(encoder, IMAGES)
    alone = np.concatenate([encode(encoder, [image]) for image in IMAGES])
    import torch

    # a GPU multiplies in TF32 where the model allows it: 1.3e-4 was seen on an H200
    atol = 1e-3 if torch.cuda.is_available() else 1e-5
    np.testing.assert_allclose(alone, together, atol=atol)


def test_order_is_kept(encoder: Encoder):
    forward, backward = encode(encoder, IMAGES), encode(encoder, IMAGES[::-1])
    np.testing.assert_allclose(backward[::-1], forward, atol=1e-5)


def test_prepare_crosses_processes(encoder: Encoder):
    prepare = pickle.loads(pickle.dumps(encoder.prepare))
    np.testing.assert_array_equal(prepare(IMAGES[0]), encoder.prepare(IMAGES[0]))


def test_prepare_leaves_the_image_alone(encoder: Encoder):
    image = IMAGES[0].copy()
    image.setflags(write=False)
    encoder.prepare(image)
    np.testing.assert_array_equal(image, IMAGES[0])


def test_no_images_give_no_rows(encoder: Encoder):
    assert encoder.encode([]).shape == (0, encoder.card.dimension)
    assert encoder.encode([]).dtype == np.float32


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1, 3), 90, np.uint8),
        np.zeros((40, 40, 3), np.uint8),
        np.full((40, 40, 3), 255, np.uint8),
        np.full((1, 3000, 3), 128, np.uint8),
        np.repeat(np.arange(4000, dtype=np.uint32)[:, None, None] % 251, 3, 2).astype(np.uint8),
        np.repeat(IMAGES[0][:, :, :1], 3, axis=2),
        255 - IMAGES[1],
    ],
    ids=["one pixel", "black", "white", "1 x 3000", "4000 x 1", "grey", "dark field"],
)
def test_odd_images(encoder: Encoder, image: Rgb):
    check_vectors(encode(encoder, [image]), rows=1, dimension=encoder.card.dimension)


def test_foreign_preparation_is_refused(encoder: Encoder):
    with pytest.raises(ShapeError):
        encoder.encode([np.zeros((5, 7, 3), np.uint8)])


def test_text(encoder: Encoder):
    if not encoder.card.reads_text:
        with pytest.raises(EncoderError, match="text"):
            encoder.encode_text(["a chain of round cells"])
        return
    words = ["a chain of round cells", "a copepod with long antennae", "a fibre"]
    vectors = encoder.encode_text(words)
    check_vectors(vectors, rows=3, dimension=encoder.card.dimension)
    np.testing.assert_allclose(encoder.encode_text(words[1:2]), vectors[1:2], atol=1e-5)
    assert len(np.unique(vectors.round(5), axis=0)) == 3
    assert encoder.encode_text([]).shape == (0, encoder.card.dimension)


def test_known_encoders_have_cards_without_loading_torch():
    program = (
        "import sys, core.encoders as e\n"
        "cards = [e.describe(name) for name in e.KNOWN]\n"
        "assert [card.name for card in cards] == list(e.KNOWN)\n"
        "loaded = {'torch', 'open_clip', 'timm', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    root = Path(core.encoders.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


def test_preparing_in_a_worker_loads_no_torch():
    program = (
        "import sys, pickle, numpy as np\n"
        "from core.encoders.neural import Square\n"
        "prepare = pickle.loads(pickle.dumps(Square(32)))\n"
        "assert prepare(np.zeros((9, 5, 3), np.uint8)).shape == (32, 32, 3)\n"
        "assert 'torch' not in sys.modules\n"
    )
    root = Path(core.encoders.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


def test_the_default_needs_no_download():
    assert core.encoders.KNOWN[0] == core.encoders.DEFAULT == "descriptors"
    assert describe("descriptors").download_mb == 0


@pytest.mark.parametrize("name", ["", "resnet50", "clip:ViT-B-32/openai", "Descriptors"])
@pytest.mark.parametrize("ask", [load, describe])
def test_an_unknown_name_says_what_is_expected(ask: Callable[[str], object], name: str):
    with pytest.raises(EncoderError, match=f"no encoder '{name}'; expected descriptors, openclip:"):
        ask(name)


def test_precomputed_vectors_have_no_encoder():
    with pytest.raises(EncoderError, match="--made-by ENCODER"):
        load("precomputed:notebook")


def test_only_descriptors_take_a_fit():
    with pytest.raises(EncoderError, match="only descriptors takes a fit"):
        load("timm:resnet50.a1_in1k", fit={})
