"""Trained filters in the workspace: what comes back is what was kept, and damage is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import bundle, screens
from core.encoders import load as load_encoder
from core.encoders.card import Identity
from core.errors import CoreError, EncoderError, NotFoundError, RangeError, WorkspaceError
from core.screen import Screen
from core.screen_training import export_screen
from core.screening import Model
from core.settings import Settings
from core.workspace import Workspace
from tests.core.conftest import rows_of
from tests.core.test_outcome import many

UID = "c0ffee"


@pytest.fixture
def workspace(settings: Settings) -> Workspace:
    return Workspace.open(settings)


def screen_of(name: str = "living", *, n: int = 400, seed: int = 0) -> Screen:
    rng = np.random.default_rng(seed)
    made = Screen(
        name=name,
        collection="run",
        identity=Identity("descriptors", "none", 1, 7, "abcd"),
        fit={"unit": "px"},
        keep=("Copepod",),
        drop=("Dust",),
        target=0.9,
        threshold=0.0,
        promised=False,
        labels_needed=0,
        familiar_from=0.25,
        seed=seed,
        value_range=(0.0, 4095.0),
        training={"images": n, "keep": 130, "drop": 140, "quantiles": {"of": n}},
        learning={"points": [], "gain": None, "why": "label more"},
        why=None,
        versions={"numpy": "2"},
        model=Model(rng.normal(size=(3, 7)), rng.normal(size=3), rows_of(20, 7)),
        screened=many(n, seed),
        created="2026-01-01T00:00:00+00:00",
    )
    return made.at_target(0.9)


def test_what_comes_back_is_what_was_kept(workspace: Workspace):
    kept = replace(screen_of("größe/2 & mehr"), made_by="timm:test_resnet/random")
    screens.save(workspace, UID, kept)
    back = screens.load(workspace, UID, "größe/2 & mehr")
    for name in ("weights", "offsets", "sample"):
        assert (getattr(back.model, name) == getattr(kept.model, name)).all()
    for name in ("score", "unfamiliar", "truth", "kind", "sample", "size_bytes"):
        found, was = getattr(back.screened, name), getattr(kept.screened, name)
        assert found.dtype == was.dtype
        assert (found == was).all()
    assert back.figures() == kept.figures()
    unlike = {"model", "screened"}
    assert {k: v for k, v in vars(back).items() if k not in unlike} == {
        k: v for k, v in vars(kept).items() if k not in unlike
    }


def test_a_newer_one_takes_the_place_of_the_older(workspace: Workspace):
    screens.save(workspace, UID, screen_of(seed=1))
    screens.save(workspace, UID, screen_of(seed=2))
    assert screens.load(workspace, UID, "living").seed == 2
    folder = workspace.screens(UID) / "living"
    assert len(list(folder.iterdir())) == 5
    assert not list(folder.glob("*.pkl"))


def test_list_and_delete(workspace: Workspace):
    assert screens.listed(workspace, UID) == []
    screens.save(workspace, UID, screen_of("old"))
    screens.save(workspace, UID, replace(screen_of("new"), created="2026-02-01T00:00:00+00:00"))
    names = [each["name"] for each in screens.listed(workspace, UID)]
    assert names == ["new", "old"]
    assert screens.listed(workspace, UID)[0]["keep"] == ["Copepod"]
    screens.delete(workspace, UID, "new")
    assert [each["name"] for each in screens.listed(workspace, UID)] == ["old"]
    with pytest.raises(NotFoundError, match="no model is called 'new'; there is 'old'"):
        screens.load(workspace, UID, "new")
    with pytest.raises(NotFoundError, match="no model is called 'new'"):
        screens.delete(workspace, UID, "new")


def test_a_model_is_found_among_collections(workspace: Workspace):
    uids = {"a": "uid-a", "b": "uid-b"}
    with pytest.raises(NotFoundError, match="there is none yet, train one with `screen train`"):
        screens.find(workspace, uids, "living")
    screens.save(workspace, "uid-b", screen_of())
    assert screens.find(workspace, uids, "living") == "uid-b"
    screens.save(workspace, "uid-a", screen_of())
    with pytest.raises(CoreError, match=r"'a', 'b' each have a model .*; say which with --coll"):
        screens.find(workspace, uids, "living")


def test_another_working_point():
    kept = screen_of(n=600)
    assert kept.promised
    lower = kept.at_threshold(kept.threshold / 2)
    assert (lower.promised, lower.target) == (True, 0.9)
    assert lower.screened.at(lower.threshold).recall >= kept.figures()["recall"]
    higher = kept.at_threshold(min(1.0, kept.threshold + 0.01))
    assert not higher.promised
    assert kept.at_target(0.99).threshold < kept.threshold
    with pytest.raises(RangeError, match="threshold is 2; expected 0 to 1"):
        kept.at_threshold(2)


def test_vectors_made_elsewhere_are_decided_by_the_code_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = Identity("precomputed:notebook", "none", 1, 7, None)
    screen = replace(screen_of(), identity=given, fit=None, threshold=0.5, familiar_from=0.6)
    assert not screen.reads_pictures
    folder = tmp_path / "filter"
    export_screen(screen, folder)
    text = (folder / "README.md").read_text()
    assert "vectors of `precomputed:notebook`" in text and "apply THIS_FOLDER" not in text
    with pytest.raises(EncoderError, match="were made elsewhere"):
        bundle.load(folder).encoder()
    vectors = rows_of(300, 7, seed=4)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {"vectors": vectors}
    exec(code, found)
    score, nearest = screen.model.score(vectors), screen.model.nearest(vectors)
    expected = (score >= screen.threshold) | (nearest < screen.familiar_from)
    assert 0 < expected.sum() < 300
    np.testing.assert_array_equal(found["keep"], expected)


def test_vectors_shown_to_be_an_encoders_are_decided_from_pictures(tmp_path: Path):
    name = "timm:test_resnet/random"
    encoder = load_encoder(name)
    d, rng = encoder.identity.dimension, np.random.default_rng(0)
    screen = replace(
        screen_of(),
        identity=Identity("precomputed:notebook", "none", 1, d, None),
        fit=None,
        made_by=name,
        model=Model(rng.normal(size=(3, d)), rng.normal(size=3), rows_of(20, d)),
    )
    assert screen.reads_pictures
    export_screen(screen, tmp_path / "filter")
    found = bundle.load(tmp_path / "filter")
    assert found.encoder().identity == encoder.identity
    assert "timm==" in (tmp_path / "filter" / "README.md").read_text()


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 81])
def test_names_that_will_not_do(workspace: Workspace, name: str):
    with pytest.raises(RangeError, match=r"the model's name is .* printable characters"):
        screens.save(workspace, UID, replace(screen_of(), name=name))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("what", "harm"),
    [
        ("weights.*.npy", cut),
        ("sample.*.npy", Path.unlink),
        ("images.*.parquet", cut),
        ("images.*.parquet", Path.unlink),
        ("model.json", cut),
    ],
)
def test_damage_is_told_and_hides_no_other(
    workspace: Workspace, what: str, harm: Callable[[Path], Any]
):
    screens.save(workspace, UID, screen_of("good"))
    screens.save(workspace, UID, screen_of("bad"))
    (path,) = (workspace.screens(UID) / "bad").glob(what)
    harm(path)
    with pytest.raises(WorkspaceError, match=r"bad is damaged \(.*\); train it again"):
        screens.load(workspace, UID, "bad")
    assert {each["name"] for each in screens.listed(workspace, UID)} == {"good", "bad"}
    screens.save(workspace, UID, screen_of("bad"))
    assert screens.load(workspace, UID, "bad").name == "bad"


def test_a_model_of_a_newer_version(workspace: Workspace):
    screens.save(workspace, UID, screen_of())
    path = workspace.screens(UID) / "living" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(WorkspaceError, match="has format 2; this version reads up to 1, update"):
        screens.load(workspace, UID, "living")
    (one,) = screens.listed(workspace, UID)
    assert "format 2" in one["why"]
