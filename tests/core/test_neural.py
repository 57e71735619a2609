"""Pretrained models: names, weights that are missing or wrong, precision, preparing."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.arrays import check_vectors
from core.encoders import describe, load
from core.encoders.neural import Expects, Square
from core.encoders.weights import reading
from core.errors import EncoderError, WeightsError
from tests.core.tiny_models import (
    CLIP_MODELS,
    clip_state,
    drawn,
    register_clip_models,
    save,
    timm_state,
)

IMAGES = drawn(6, seed=8)


@pytest.fixture(scope="module")
def clip_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    register_clip_models(tmp_path_factory.mktemp("models"))


class TestSquare:
    def test_a_long_chain_keeps_both_ends(self):
        image = np.full((20, 400, 3), 200, np.uint8)
        image[:, :40], image[:, -40:] = (250, 0, 0), (0, 0, 250)
        square = Square(100)(image)
        assert square.shape == (100, 100, 3) and square.dtype == np.uint8
        np.testing.assert_array_equal(square[50, 2], (250, 0, 0))
        np.testing.assert_array_equal(square[50, 97], (0, 0, 250))

    def test_what_is_added_looks_like_the_background(self):
        image = np.full((30, 90, 3), (180, 190, 200), np.uint8)
        image[10:20, 40:50] = 20
        square = Square(90)(image)
        np.testing.assert_array_equal(square[0, 0], (180, 190, 200))
        np.testing.assert_array_equal(square[-1, -1], (180, 190, 200))
        assert (square == 20).all(axis=2).sum() == 100

    def test_shrinking_is_antialiased(self):
        stripes = np.tile(np.array([0, 255], np.uint8), 200)[None, :, None].repeat(400, 0)
        square = Square(40)(stripes.repeat(3, axis=2))
        assert (
            np.ptp(square[:, 2:-2]) <= 2
        )  # without antialiasing some columns are black, some white

    @pytest.mark.parametrize("shape", [(1, 1), (1, 20000), (20000, 1), (3, 5000)])
    def test_any_shape(self, shape: tuple[int, int]):
        square = Square(32)(np.full((*shape, 3), 77, np.uint8))
        np.testing.assert_array_equal(square, np.full((32, 32, 3), 77))

    def test_interpolation_is_the_models(self):
        assert (Square(50, "bilinear")(IMAGES[0]) != Square(50)(IMAGES[0])).any()


class TestExpects:
    def test_only_square_colour_models(self):
        three = (0.5, 0.5, 0.5)
        for size, mean in [((224, 112), three), (224, (0.5,))]:
            with pytest.raises(EncoderError, match="square pictures of three colours"):
                Expects.of("x", size=size, mean=mean, std=mean, interpolation="bicubic")

    def test_unknown_interpolation_becomes_bicubic(self):
        three = (0.5, 0.5, 0.5)
        got = Expects.of("x", size=(64, 64), mean=three, std=three, interpolation="random")
        assert got == Expects(64, three, three, "bicubic")


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
class TestNames:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("openclip:", "is not complete; expected openclip:MODEL/TAG"),
            ("openclip:ViT-B-32@", "is not complete"),
            ("openclip:ViT-B-32", "names no weights of ViT-B-32; expected .* laion2b_s34b_b79k"),
            ("openclip:ViT-B-32/laion9b", "names no weights .* laion2b_s34b_b79k"),
            ("openclip:ViT-B-31/openai", "no model 'ViT-B-31'.* nearest are .*ViT-B-32"),
            ("openclip:tiny-vit/random@/a.pt", "is not complete"),
            ("openclip:hf-hub:bioclip", "names no repository; expected .*hf-hub:ORG/REPO"),
            ("openclip:hf-hub:a/b@/x.pt", "names no repository"),
            ("timm:", "is not a timm model; expected timm:MODEL.TAG"),
            ("timm:resnet50@", "is not a timm model"),
            ("timm:resnet50/a1_in1k", "is not a timm model"),
            ("timm:resnet50.b9", "names no weights of resnet50; expected .*resnet50.a1_in1k"),
            ("timm:resnet51", "no model 'resnet51'.* nearest are .*resnet"),
        ],
    )
    def test_a_wrong_name_says_what_is_right(self, name: str, text: str):
        for ask in (load, describe):
            with pytest.raises(EncoderError, match=text) as caught:
                ask(name)
            assert not isinstance(caught.value, WeightsError)
            assert "\n" not in str(caught.value)

    def test_the_usual_baseline_gives_2048_numbers(self):
        encoder = load("timm:resnet50/random")
        vectors = encoder.encode([encoder.prepare(IMAGES[0])])
        check_vectors(vectors, rows=1, dimension=2048)

    @pytest.mark.parametrize(
        ("name", "dimension"),
        [("openclip:ViT-L-14/openai", 768), ("timm:vit_small_patch14_dinov2", 384)],
    )
    def test_cards_come_without_weights(self, name: str, dimension: int):
        assert describe(name).dimension == dimension

    def test_cards_of_random_models_say_so(self):
        for name in ("openclip:tiny-vit/random", "timm:test_vit/random"):
            assert load(name).card.about == "Random weights: only for testing."

    def test_known_cards_tell_what_the_libraries_tell(self):
        for name in ("openclip:ViT-B-32/laion2b_s34b_b79k", "timm:resnet50.a1_in1k"):
            from core.encoders import openclip, timm

            asked = (openclip if name.startswith("openclip") else timm).describe(name)
            known = describe(name)
            assert asked.dimension == known.dimension
            assert asked.weights == known.weights
            assert asked.reads_text == known.reads_text


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
class TestCheckpoints:
    def test_weights_have_one_identity_in_whatever_file(self, tmp_path: Path):
        state = clip_state("tiny-vit", seed=4)
        names = [
            f"openclip:tiny-vit@{save(state, tmp_path / f'a.{ending}')}"
            for ending in ("pt", "safetensors")
        ]
        wrapped = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}
        names.append(f"openclip:tiny-vit@{save(wrapped, tmp_path / 'trained.pt')}")
        encoders = [load(name) for name in names]
        assert len({encoder.identity.weights for encoder in encoders}) == 1
        vectors = [e.encode([e.prepare(image) for image in IMAGES]) for e in encoders]
        np.testing.assert_array_equal(vectors[0], vectors[1])
        np.testing.assert_array_equal(vectors[0], vectors[2])

    @pytest.mark.parametrize("family", ["openclip", "timm"])
    def test_other_weights_are_another_identity(self, family: str, tmp_path: Path):
        identities = set()
        for seed in (1, 2):
            if family == "timm":
                state = timm_state("test_vit", seed=seed)
                name = f"timm:test_vit@{save(state, tmp_path / f'{seed}.pt')}"
            else:
                state = clip_state("tiny-vit", seed=seed)
                name = f"openclip:tiny-vit@{save(state, tmp_path / f'{seed}.pt')}"
            identities.add(load(name).identity.weights)
        assert len(identities) == 2

    def test_the_file_is_what_is_loaded(self, tmp_path: Path):
        """Not a random model that happens to have the name of a checkpoint."""
        import torch

        state = timm_state("test_resnet", seed=6, classes=11)
        encoder: Any = load(f"timm:test_resnet@{save(state, tmp_path / 'mine.pt')}")
        for name, tensor in encoder._model.state_dict().items():
            assert torch.equal(tensor.cpu(), state[name]), name

    def test_a_timm_model_saved_without_classifier(self, tmp_path: Path):
        state = timm_state("test_vit", seed=6, classes=0)
        encoder = load(f"timm:test_vit@{save(state, tmp_path / 'mine.safetensors')}")
        assert encoder.card.dimension == 64

    @pytest.mark.parametrize(
        "name", ["openclip:tiny-vit@{}", "openclip:tiny-rn@{}", "timm:test_vit@{}"]
    )
    def test_weights_of_another_model(self, name: str, tmp_path: Path):
        file = save(timm_state("test_resnet", seed=1), tmp_path / "resnet.safetensors")
        with pytest.raises(WeightsError, match=r"resnet\.safetensors holds the weights of another"):
            load(name.format(file))

    @pytest.mark.parametrize("drop", ["visual.proj", "text_projection"])
    def test_a_missing_weight_is_never_left_random(self, drop: str, tmp_path: Path):
        state = clip_state("tiny-vit", seed=1)
        del state[drop]
        with pytest.raises(WeightsError, match=f"another model .*{drop}"):
            load(f"openclip:tiny-vit@{save(state, tmp_path / 'a.pt')}")

    def test_a_missing_layer_is_never_left_random_in_timm(self, tmp_path: Path):
        state = timm_state("test_resnet", seed=1)
        del state["layer1.0.conv1.weight"]
        with pytest.raises(WeightsError, match=r"another model .*layer1\.0\.conv1"):
            load(f"timm:test_resnet@{save(state, tmp_path / 'a.pt')}")

    @pytest.mark.parametrize("family", ["openclip:tiny-vit", "timm:test_resnet"])
    @pytest.mark.parametrize("ending", ["pt", "safetensors"])
    @pytest.mark.parametrize("keep", [0, 5, 0.5, 0.999])
    def test_a_file_cut_short(self, family: str, ending: str, keep: float, tmp_path: Path):
        state = (
            clip_state("tiny-vit", seed=1)
            if "clip" in family
            else timm_state("test_resnet", seed=1)
        )
        file = save(state, tmp_path / f"a.{ending}")
        data = file.read_bytes()
        file.write_bytes(data[: int(keep if keep > 1 else keep * len(data))])
        with pytest.raises(WeightsError, match="damaged, cut short or not a checkpoint") as caught:
            load(f"{family}@{file}")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("family", ["openclip:tiny-vit", "timm:test_resnet"])
    @pytest.mark.parametrize("ending", ["pt", "safetensors", "npz", "txt"])
    def test_a_file_of_something_else(self, family: str, ending: str, tmp_path: Path):
        file = tmp_path / f"a.{ending}"
        file.write_text("these are not weights\n" * 50)
        with pytest.raises(WeightsError, match="not a checkpoint"):
            load(f"{family}@{file}")

    @pytest.mark.parametrize("family", ["openclip:tiny-vit", "timm:test_resnet"])
    @pytest.mark.parametrize(
        "how", ["torch", "torch, beside weights", "torch, old format", "pickle"]
    )
    def test_nothing_in_a_checkpoint_is_run(self, family: str, how: str, tmp_path: Path):
        import torch

        trace, file = tmp_path / "it-ran", tmp_path / "a.pt"
        payload = Payload(trace)
        if how == "pickle":
            file.write_bytes(pickle.dumps({"state_dict": payload}))
        elif how == "torch":
            torch.save(payload, file)
        else:
            state = {"state_dict": clip_state("tiny-vit", seed=1), "extra": payload}
            torch.save(state, file, _use_new_zipfile_serialization="old" not in how)
        with pytest.raises(WeightsError, match=r"holds Python objects or code.*never run"):
            load(f"{family}@{file}")
        assert not trace.exists()

    def test_a_scripted_model_is_not_run(self, tmp_path: Path):
        import torch

        file = tmp_path / "scripted.pt"
        example = torch.zeros(1, 2)
        with pytest.warns(FutureWarning, match="deprecated"):
            torch.jit.trace(torch.nn.Linear(2, 2), example).save(str(file))
        for name in (f"openclip:tiny-vit@{file}", f"timm:test_resnet@{file}"):
            with pytest.raises(WeightsError, match="holds Python objects or code"):
                load(name)

    def test_weights_that_are_not_numbers(self, tmp_path: Path):
        state = clip_state("tiny-vit", seed=1)
        state["visual.proj"][0, 0] = float("nan")
        with pytest.raises(WeightsError, match=r"visual\.proj has NaN"):
            load(f"openclip:tiny-vit@{save(state, tmp_path / 'a.pt')}")

    @pytest.mark.parametrize("ask", [load, describe])
    @pytest.mark.parametrize("family", ["openclip:ViT-B-32", "openclip:tiny-vit", "timm:resnet50"])
    def test_no_file_there(self, ask: Any, family: str, tmp_path: Path):
        for path in (tmp_path / "none.pt", tmp_path):
            with pytest.raises(WeightsError, match=f"no checkpoint file {path}; check the path"):
                ask(f"{family}@{path}")


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.trace,))


def test_reading_passes_on_its_own_error(tmp_path: Path):
    file = tmp_path / "a.pt"
    file.touch()
    with pytest.raises(WeightsError, match=r"^as it was$"), reading("x", file):
        raise WeightsError("as it was")


@dataclass
class Hub:
    """A small hub on this machine: which files it has, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    """``ORG/REPO/FILE`` -> bytes."""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub's protocol as far as fetching a file needs it, and an empty cache."""
    hub = Hub()

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.reply(body=False)

        def do_GET(self) -> None:
            self.reply(body=True)

        def reply(self, *, body: bool) -> None:
            name = self.path.strip("/").replace("/resolve/main/", "/")
            name = name.replace(f"/resolve/{'0' * 40}/", "/")
            hub.asked.append(name)
            data = hub.files.get(name)
            self.send_response(200 if data is not None else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            if data is None:
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
            else:
                self.send_header("ETag", f'"{abs(hash(data))}"')
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body and data is not None:
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_to(monkeypatch, f"http://127.0.0.1:{server.server_port}", tmp_path / "cache")
    yield hub
    server.shutdown()
    server.server_close()


def point_to(monkeypatch: pytest.MonkeyPatch, endpoint: str, cache: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


MISSING = [
    ("openclip:ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ("openclip:hf-hub:imageomics/bioclip-2", "imageomics/bioclip-2"),
    ("timm:resnet50.a1_in1k", "timm/resnet50.a1_in1k"),
    ("timm:resnet50", "timm/resnet50.a1_in1k"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
class TestMissingWeights:
    """What is said names model, file, where to put it, and the encoder without a download."""

    def check(self, name: str, repo: str, cache: Path, reason: str) -> None:
        with pytest.raises(WeightsError) as caught:
            load(name)
        told = str(caught.value)
        assert told.startswith(f"{name}: ")
        assert "\n" not in told
        assert "model.safetensors" in told
        assert f"of {repo} is not on this machine and could not be fetched ({reason}" in told
        assert f"copy the folder models--{repo.replace('/', '--')}" in told
        assert f"into {cache}" in told
        assert "@/path/to/it" in told
        assert told.endswith("the encoder `descriptors` needs no download")

    @pytest.mark.parametrize(("name", "repo"), MISSING)
    def test_no_connection(
        self, name: str, repo: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        closed = "http://127.0.0.1:9"  # nothing listens on the discard port
        point_to(monkeypatch, closed, tmp_path)
        self.check(name, repo, tmp_path, closed)

    @pytest.mark.parametrize(("name", "repo"), MISSING)
    def test_switched_offline(
        self, name: str, repo: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        self.check(name, repo, tmp_path, f"{constants.ENDPOINT}: HF_HUB_OFFLINE is set")

    @pytest.mark.parametrize(("name", "repo"), MISSING)
    def test_a_hub_without_it(self, name: str, repo: str, hub: Hub, tmp_path: Path):
        self.check(name, repo, tmp_path / "cache", f"{repo} has no such file")

    def test_tokenizer_that_cannot_be_had(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        point_to(monkeypatch, "http://127.0.0.1:9", tmp_path)
        encoder = load("openclip:tiny-hub-words/random")
        assert encoder.encode([encoder.prepare(IMAGES[0])]).shape == (1, 48)
        with pytest.raises(WeightsError, match=r"cannot read text here: its tokenizer .*ViT-B-32"):
            encoder.encode_text(["a copepod"])


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
class TestHub:
    """Weights are fetched from a hub once, then found in its cache."""

    @pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
    def test_a_clip_repository(
        self, file: str, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        weights = save(clip_state("tiny-vit", seed=9), tmp_path / file)
        prepared_as = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7], "interpolation": "bilinear"}
        config = {"model_cfg": CLIP_MODELS["tiny-vit"], "preprocess_cfg": prepared_as}
        hub.files["lab/plankton/open_clip_config.json"] = json.dumps(config).encode()
        hub.files[f"lab/plankton/{file}"] = weights.read_bytes()
        name = "openclip:hf-hub:lab/plankton"
        encoder: Any = load(name)
        assert encoder.prepare == Square(32, "bilinear")
        assert encoder._mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
        assert encoder._std.flatten().tolist() == pytest.approx([0.5, 0.6, 0.7])
        own = load(f"openclip:tiny-vit@{weights.rename(tmp_path / f'own{weights.suffix}')}")
        assert encoder.identity.weights == own.identity.weights
        assert encoder.encode_text(["a copepod"]).shape == (1, 48)
        assert describe(name) == encoder.card

        hub.asked.clear()
        point_to(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
        assert load(name).identity == encoder.identity
        assert not hub.asked

    def test_a_clip_tag(self, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        """Pictures are prepared, and the activation chosen, as the tag says."""
        import open_clip
        from open_clip.pretrained import _PRETRAINED

        three = (0.5, 0.5, 0.5)
        tag = {"hf_hub": "lab/tiny/", "mean": three, "std": three, "interpolation": "bilinear"}
        tags = {"ours": tag | {"quick_gelu": True}, "plain": tag}
        monkeypatch.setitem(_PRETRAINED, "tiny-vit", tags)
        file = save(clip_state("tiny-vit", seed=9), tmp_path / "open_clip_model.safetensors")
        hub.files["lab/tiny/open_clip_model.safetensors"] = file.read_bytes()
        encoder: Any = load("openclip:tiny-vit/ours")
        assert encoder.prepare == Square(32, "bilinear")
        assert encoder._mean.flatten().tolist() == [0.5, 0.5, 0.5]
        activations = [open_clip.model.QuickGELU in map(type, encoder._model.modules())]
        activations += [
            open_clip.model.QuickGELU in map(type, other._model.modules())
            for other in (load("openclip:tiny-vit/plain"), load("openclip:tiny-vit/random"))
        ]
        assert activations == [True, False, False]
        by_hand = load(f"openclip:tiny-vit/ours@{file}")
        prepared = [encoder.prepare(image) for image in IMAGES]
        np.testing.assert_array_equal(by_hand.encode(prepared), encoder.encode(prepared))

    @pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
    def test_a_timm_model(self, file: str, hub: Hub, tmp_path: Path):
        import torch

        state = timm_state("test_resnet", seed=5, classes=1000)
        hub.files[f"timm/test_resnet.r160_in1k/{file}"] = save(state, tmp_path / file).read_bytes()
        encoder: Any = load("timm:test_resnet.r160_in1k")
        for name, tensor in encoder._model.state_dict().items():
            assert torch.equal(tensor.cpu(), state[name]), name
        assert describe("timm:test_resnet.r160_in1k") == encoder.card
        assert load("timm:test_resnet").identity.weights == encoder.identity.weights

    @pytest.mark.parametrize("config", [b"", b"[1]", b'{"architecture": "BERT"}'])
    def test_a_repository_of_another_kind(self, config: bytes, hub: Hub):
        hub.files["lab/bert/open_clip_config.json"] = config
        for ask in (load, describe):
            with pytest.raises(WeightsError, match="does not describe an open_clip model"):
                ask("openclip:hf-hub:lab/bert")

    def test_broken_weights_on_the_hub(self, hub: Hub):
        hub.files["timm/test_resnet.r160_in1k/model.safetensors"] = b"<html>sign in</html>" * 99
        with pytest.raises(WeightsError, match="damaged, cut short or not a checkpoint"):
            load("timm:test_resnet.r160_in1k")


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
class TestPrecision:
    # A random CLIP ResNet is left out: its vectors of different images lie 3e-6 apart, nearer
    # than bfloat16, or any precision of use, tells apart; a trained one spreads them.
    @pytest.mark.parametrize(
        "name",
        ["openclip:tiny-vit/random", "timm:test_resnet/random", "timm:test_vit/random"],
    )
    def test_bfloat16_is_harmless(self, name: str):
        """Also with random weights, whose images lie closer together than with trained ones."""
        exact, quick = load(name, precision="float32"), load(name, precision="bfloat16")
        assert quick.identity == exact.identity
        prepared = [exact.prepare(image) for image in drawn(120, seed=5)]
        a, b = exact.encode(prepared), quick.encode(prepared)
        check_vectors(b, rows=120, dimension=exact.card.dimension)
        assert (a != b).any()
        between = (1 - a @ a.T)[np.triu_indices(120, 1)]
        assert (1 - (a * b).sum(axis=1)).max() <= np.median(between) / 20
        assert kept(a, b, k=24) >= 0.95

    @pytest.mark.parametrize("name", ["openclip:tiny-vit/random", "timm:test_vit/random"])
    def test_auto_is_one_of_the_two(self, name: str):
        auto, prepared = load(name), [Square(32 if "clip" in name else 160)(IMAGES[0])]
        named = load(name, precision=auto.precision)
        np.testing.assert_array_equal(auto.encode(prepared), named.encode(prepared))

    @pytest.mark.parametrize("name", ["openclip:tiny-vit/random", "timm:test_vit/random"])
    def test_auto_is_float32_where_bfloat16_costs_too_much_or_gains_nothing(self, name: str):
        encoder: Any = load(name)
        gains = encoder._device.type == "cuda" and name.startswith("openclip")
        assert encoder.precision == ("bfloat16" if gains else "float32")

    def test_more_images_than_go_through_at_once(self):
        encoder: Any = load("openclip:tiny-vit/random", precision="float32")
        assert encoder._batch <= 256
        prepared = [encoder.prepare(image) for image in drawn(5, seed=2)]
        many = [prepared[i % 5] for i in range(2 * encoder._batch + 3)]
        vectors = encoder.encode(many)
        check_vectors(vectors, rows=len(many))
        np.testing.assert_allclose(vectors[-1], vectors[(len(many) - 1) % 5], atol=1e-5)

    def test_large_pictures_go_through_few_at_a_time(self):
        small, large = (load(f"timm:{m}/random") for m in ("test_vit", "test_vit2"))
        assert small.prepare.size == large.prepare.size == 160
        assert small._batch == large._batch
        huge: Any = load("timm:vit_small_patch14_dinov2/random")
        assert huge.prepare.size == 518
        assert 1 <= huge._batch < small._batch / 4


def kept(a: np.ndarray, b: np.ndarray, *, k: int) -> float:
    """Mean share of each row's k nearest others in a that are among those in b."""
    near = []
    for vectors in (a, b):
        distance = 1 - vectors @ vectors.T
        np.fill_diagonal(distance, np.inf)
        near.append(np.argsort(distance, axis=1)[:, :k])
    return float(np.mean([len(set(x) & set(y)) / k for x, y in zip(*near, strict=True)]))


@pytest.mark.slow
@pytest.mark.usefixtures("clip_models")
def test_loading_leaves_no_trace(caplog: pytest.LogCaptureFixture):
    """Neither a line in the log, nor a handler, nor another state of the random generator."""
    import logging

    import torch

    torch.manual_seed(3)
    before = torch.get_rng_state()
    handlers = list(logging.getLogger().handlers)
    load("openclip:tiny-vit/random")
    load("timm:test_resnet/random")
    assert not caplog.records
    assert logging.getLogger().handlers == handlers
    assert torch.equal(torch.get_rng_state(), before)
