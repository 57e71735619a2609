"""An exported filter: what is written decides the same when read, and damage is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import bundle
from core.bundling import encoder_fields, graph, requirements, write_bundle
from core.encoders import load as load_encoder
from core.encoders.base import FittedEncoder
from core.encoders.card import Card, Identity
from core.errors import BundleError, CoreError, IdentityError, NotFoundError, ShapeError
from core.screening import Model
from tests.core.conftest import ROOT, quiet_environment, rows_of
from tests.core.tiny_models import drawn

IMAGES = 24


def model_of(d: int, *, k: int = 1, m: int = 50, seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    return Model(rng.normal(size=(k, d)) * 8, rng.normal(size=k), rows_of(m, d, seed=seed + 1))


def card_of(encoder: FittedEncoder | None = None, **changed: Any) -> dict[str, Any]:
    encoder = encoder or fitted()
    about = encoder_fields(encoder.card, encoder.identity, encoder.fit_as_json())
    fields: dict[str, Any] = {
        "name": "living",
        "encoder": about,
        "keep": ["Copepod"],
        "drop": ["Detritus"],
        "threshold": 0.5,
        "familiar_from": 0.2,
    }
    return fields | changed


def fitted(*, seed: int = 3) -> FittedEncoder:
    encoder = load_encoder("descriptors")
    assert isinstance(encoder, FittedEncoder)
    return encoder.fit([encoder.prepare(image) for image in drawn(IMAGES, seed=seed)])


@pytest.fixture(scope="module")
def encoder() -> FittedEncoder:
    return fitted()


@pytest.fixture
def exported(tmp_path: Path, encoder: FittedEncoder) -> Path:
    model = model_of(encoder.card.dimension)
    return write_bundle(tmp_path / "filter", model, card_of(encoder), fit=encoder.fit_as_json())


def resum(folder: Path) -> None:
    """Make the checksums fit what is there, as somebody who edits a filter could."""
    names = [path.name for path in sorted(folder.iterdir()) if path.name != bundle.SUMS]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / bundle.SUMS).write_text("".join(lines))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    card = json.loads((folder / bundle.CARD).read_text())
    change(card)
    (folder / bundle.CARD).write_text(json.dumps(card))
    resum(folder)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20), d=st.integers(2, 40), k=st.integers(1, 5))
def test_scores_are_those_of_the_training(seed: int, d: int, k: int):
    import onnxruntime

    model, vectors = model_of(d, k=k, seed=seed), rows_of(200, d, seed=seed + 7)
    session = onnxruntime.InferenceSession(graph(model), providers=["CPUExecutionProvider"])
    score, nearest = session.run(["score", "nearest"], {"vectors": vectors})
    assert score == pytest.approx(model.score(vectors), abs=1e-5)
    assert nearest == pytest.approx((vectors @ model.sample.T).max(axis=1), abs=1e-5)


def test_two_images_counted_by_hand(tmp_path: Path):
    # one curve with weights (2, 0), offset -1; one stored vector (1, 0)
    model = Model(np.array([[2.0, 0.0]]), np.array([-1.0]), np.array([[1, 0]], np.float32))
    identity = Identity("precomputed:notebook", "none", 0, 2)
    card = Card("precomputed:notebook", 2, "none", "not known", None, False, "")
    fields = card_of(threshold=0.7, familiar_from=-0.5)
    fields["encoder"] = encoder_fields(card, identity, None)
    found = bundle.load(write_bundle(tmp_path / "f", model, fields, fit=None))
    vectors = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    said = found.decide(vectors)
    assert said.score.tolist() == pytest.approx([0.731059, 0.268941, 0.047426], abs=1e-6)
    assert said.nearest.tolist() == [1, 0, -1]
    assert said.unfamiliar.tolist() == [False, False, True]
    assert said.keep.tolist() == [True, False, True]


def test_more_than_a_block_and_none(exported: Path, encoder: FittedEncoder):
    found, d = bundle.load(exported, threads=1), encoder.card.dimension
    vectors = rows_of(bundle.BLOCK + 3, d)
    whole = found.decide(vectors)
    assert len(whole) == bundle.BLOCK + 3
    assert found.decide(vectors[-3:]).score == pytest.approx(whole.score[-3:], abs=1e-6)
    assert len(found.decide(np.zeros((0, d), np.float32))) == 0
    assert len(found.decide_images([])) == 0


def test_pictures_are_encoded_as_in_training(exported: Path, encoder: FittedEncoder):
    found, images = bundle.load(exported), drawn(6, seed=9)
    vectors = encoder.encode([encoder.prepare(image) for image in images])
    again = found.encoder()
    assert again.identity == encoder.identity
    assert found.decide_images(images).score == pytest.approx(found.decide(vectors).score)
    assert (found.name, found.encoder_name, found.dimension) == (
        "living", "descriptors", encoder.card.dimension,
    )  # fmt: skip
    assert found.card["keep"] == ["Copepod"]
    assert "scikit-learn" in found.card["versions"]


def test_needs_no_torch_chroma_or_streamlit(exported: Path):
    program = (
        "import sys; from pathlib import Path; import numpy as np; from core import bundle;"
        f"f = bundle.load(Path({str(exported)!r}));"
        "f.decide_images([np.full((30, 40, 3), 90, np.uint8)]);"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    assert {"numpy", "onnxruntime"} <= loaded
    assert not loaded & {
        "torch",
        "chromadb",
        "streamlit",
        "sklearn",
        "sqlalchemy",
        "onnx",
        "pandas",
    }


def test_wrong_vectors_are_refused(exported: Path):
    found = bundle.load(exported)
    with pytest.raises(ShapeError, match=f"vectors have 3 numbers; expected {found.dimension}"):
        found.decide(rows_of(2, 3))


@pytest.mark.parametrize("name", [bundle.CARD, bundle.MODEL, bundle.FIT, "README.md"])
def test_one_changed_byte_is_refused(exported: Path, name: str):
    path = exported / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is damaged: .* export the filter again"):
        bundle.load(exported)


@pytest.mark.parametrize("name", [bundle.CARD, bundle.MODEL, bundle.FIT, bundle.SUMS])
def test_a_missing_file_is_named(exported: Path, name: str):
    (exported / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        bundle.load(exported)


def test_no_folder(tmp_path: Path):
    with pytest.raises(NotFoundError, match="there is no filter folder"):
        bundle.load(tmp_path / "nothing")


def test_a_truncated_model(exported: Path):
    path = exported / bundle.MODEL
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(BundleError, match=r"model.onnx is damaged"):
        bundle.load(exported)
    resum(exported)
    with pytest.raises(BundleError, match=r"model.onnx is not a model that onnxruntime can run"):
        bundle.load(exported)


def test_a_model_of_another_size(exported: Path):
    (exported / bundle.MODEL).write_bytes(graph(model_of(5)))
    resum(exported)
    with pytest.raises(BundleError, match=r"takes .*\[5\].* expected float vectors of"):
        bundle.load(exported)


def test_a_card_of_a_newer_format(exported: Path):
    edit(exported, lambda card: card.update(format=bundle.FORMAT + 1))
    with pytest.raises(BundleError, match=r"has format 2; this version reads up to 1, update"):
        bundle.load(exported)


def test_a_card_for_other_measures(exported: Path):
    edit(exported, lambda card: card["encoder"]["identity"].update(preprocessing=99))
    with pytest.raises(IdentityError, match=r"preprocessing version 99; this version .* has"):
        bundle.load(exported)


def test_a_card_for_another_fit(exported: Path):
    (exported / bundle.FIT).write_text(json.dumps(fitted(seed=8).fit_as_json()))
    resum(exported)
    with pytest.raises(IdentityError, match=r"but its encoder_fit.json is that of"):
        bundle.load(exported)


def test_a_card_for_another_encoder(exported: Path, encoder: FittedEncoder):
    def other(card: dict[str, Any]) -> None:
        card["encoder"]["identity"]["name"] = "timm:resnet50.a1_in1k"

    edit(exported, other)
    with pytest.raises(BundleError, match=r"timm:resnet50.a1_in1k is not fitted"):
        bundle.load(exported)


def test_other_weights_than_installed(tmp_path: Path):
    encoder = load_encoder("timm:test_resnet/random")
    wrong = replace(encoder.identity, weights="0123456789abcdef")
    fields = card_of(encoder=None)
    fields["encoder"] = encoder_fields(encoder.card, wrong, None)
    model = model_of(encoder.card.dimension)
    found = bundle.load(write_bundle(tmp_path / "f", model, fields, fit=None))
    with pytest.raises(IdentityError, match=r"weights 0123456789abcdef.*installed here is"):
        found.encoder()
    fields["encoder"] = encoder_fields(encoder.card, encoder.identity, None)
    found = bundle.load(write_bundle(tmp_path / "f", model, fields, fit=None))
    assert found.encoder().identity == encoder.identity


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "recipe"}, "is not the card of a filter"),
        ({"threshold": "high"}, "lacks what a card says"),
        ({"familiar_from": 3}, "states figures that cannot be"),
        ({"keep": [1]}, "states figures that cannot be"),
        ({"encoder": {}}, "lacks what a card says"),
    ],
)
def test_a_card_that_says_something_else(exported: Path, change: dict[str, Any], said: str):
    edit(exported, lambda card: card.update(change))
    with pytest.raises(BundleError, match=said):
        bundle.load(exported)


def test_a_card_that_is_no_json(exported: Path):
    (exported / bundle.CARD).write_text('{"threshold": NaN}')
    resum(exported)
    with pytest.raises(BundleError, match="is not the JSON it should be"):
        bundle.load(exported)


def test_checksums_name_only_files_of_the_folder(exported: Path):
    with (exported / bundle.SUMS).open("a") as sums:
        sums.write(f"{'0' * 64}  ../secret\n")
    with pytest.raises(BundleError, match="SHA256SUMS is damaged: a line is"):
        bundle.load(exported)


def test_written_again_and_never_over_other_files(exported: Path, encoder: FittedEncoder):
    model, fit = model_of(encoder.card.dimension), encoder.fit_as_json()
    write_bundle(exported, model, card_of(encoder, threshold=0.25), fit=fit)
    assert bundle.load(exported).threshold == 0.25
    (exported / "notes.txt").write_text("mine")
    with pytest.raises(CoreError, match="holds other files; choose a new or an empty folder"):
        write_bundle(exported, model, card_of(encoder), fit=fit)
    assert (exported / "notes.txt").read_text() == "mine"
    assert [path.name for path in exported.parent.iterdir()] == ["filter"]


def test_parts_that_do_not_fit_together():
    model = model_of(5)
    with pytest.raises(ShapeError, match=r"expected \(k, d\), \(k,\) and \(m, d\)"):
        graph(replace(model, sample=rows_of(4, 6)))


def test_the_readme_says_what_is_needed(exported: Path):
    text = (exported / "README.md").read_text()
    assert all(line in text for line in requirements("descriptors"))
    assert not any("torch" in line for line in requirements("descriptors"))
    assert any(line.startswith("timm==") for line in requirements("timm:resnet50.a1_in1k"))
