"""Writing a filter as a folder that can be carried away: ONNX, a JSON card, checksums."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import encoders
from core.arrays import check_vectors
from core.bundle import CARD, FIT, FORMAT, INPUT, KIND, MODEL, OUTPUTS, SUMS
from core.encoders.card import Card, Identity
from core.errors import CoreError, ShapeError
from core.screening import Model

OPSET, IR = 17, 8
"""Of ONNX: old enough for every onnxruntime since 1.12 (2022)."""

README = "README.md"

LIBRARIES = ("numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "onnx", "onnxruntime")

RUN_WITH = {
    "": ("numpy", "scipy", "onnxruntime", "pillow", "tifffile"),
    "descriptors": ("scikit-image",),
    "openclip:": ("torch", "torchvision", "open_clip_torch"),
    "timm:": ("torch", "torchvision", "timm"),
}
"""What running a filter needs, by what its encoder's name begins with."""


def graph(model: Model) -> bytes:
    """The ONNX model: ``vectors`` (n, d) -> ``score`` (n,) and ``nearest`` (n,), all float32.

    Raises
    ------
    ShapeError
        If the parts of the model do not fit together.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    check_vectors(model.sample)
    k, d = model.weights.shape
    if not len(model.sample) or model.sample.shape[1] != d or model.offsets.shape != (k,):
        raise ShapeError(
            f"weights are {model.weights.shape}, offsets {model.offsets.shape}, stored vectors "
            f"{model.sample.shape}; expected (k, d), (k,) and (m, d)"
        )

    def constant(name: str, values: NDArray[Any]) -> Any:
        return numpy_helper.from_array(np.ascontiguousarray(values), name)

    constants = [
        constant("weights", model.weights.T.astype(np.float32)),
        constant("offsets", model.offsets.astype(np.float32)),
        constant("sample", model.sample.T),
    ]
    nodes = [
        helper.make_node("Gemm", [INPUT, "weights", "offsets"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["curves"]),
        helper.make_node("ReduceMean", ["curves"], [OUTPUTS[0]], axes=[1], keepdims=0),
        helper.make_node("MatMul", [INPUT, "sample"], ["similarities"]),
        helper.make_node("ReduceMax", ["similarities"], [OUTPUTS[1]], axes=[1], keepdims=0),
    ]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "keep_or_drop",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", d])],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n"]) for o in OUTPUTS],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="plankton-explorer",
    )
    checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def encoder_fields(card: Card, identity: Identity, fit: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a filter's card says of its encoder."""
    return {
        "name": card.name,
        "identity": identity.as_json(),
        "weights_from": card.weights,
        "licence": card.licence,
        "dimension": card.dimension,
        "about": card.about,
        "fit_file": None if fit is None else FIT,
    }


def write_bundle(
    to: Path, model: Model, card: Mapping[str, Any], *, fit: Mapping[str, Any] | None
) -> Path:
    """Write a filter, whole or not at all; one that stands there already is replaced.

    Parameters
    ----------
    to : Path
        A new or empty folder, or one that holds a filter.
    model : Model
    card : mapping
        At least ``name``, ``encoder`` (`encoder_fields`), ``keep``, ``drop``, ``threshold`` and
        ``familiar_from``; what JSON can hold.
    fit : mapping, optional
        What the encoder's `fit_as_json` gave, where it is fitted.

    Raises
    ------
    CoreError
        If there are other files in the folder, or it cannot be written.
    """
    whole = {
        "kind": KIND,
        "format": FORMAT,
        **card,
        "model": {
            "file": MODEL,
            "input": f"{INPUT} (n, {model.weights.shape[1]}) float32 unit rows",
            "outputs": {
                OUTPUTS[0]: "(n,) probability of keep, 0 to 1",
                OUTPUTS[1]: f"(n,) largest cosine similarity to {len(model.sample)} stored vectors",
            },
            "rule": "keep where score >= threshold or nearest < familiar_from",
        },
        "versions": {**versions(), "python": platform.python_version()},
    }
    files = {
        CARD: json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False).encode(),
        MODEL: graph(model),
        README: _readme(whole).encode(),
    }
    if fit is not None:
        files[FIT] = json.dumps(dict(fit), allow_nan=False).encode()
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files[SUMS] = "".join(lines).encode()
    _check_free(to)
    temporary = to.with_name(f".{to.name}.{secrets.token_hex(8)}.part")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            with (temporary / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        if to.exists():
            old = to.with_name(f".{to.name}.{secrets.token_hex(8)}.old")
            to.replace(old)
            temporary.replace(to)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.replace(to)
    except OSError as error:
        why = error.strerror or str(error)
        raise CoreError(f"{to} cannot be written ({why}); choose another -o") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return to


def _check_free(to: Path) -> None:
    if not to.exists():
        return
    if not to.is_dir():
        raise CoreError(f"{to} is a file; expected a new folder as -o")
    there = {path.name for path in to.iterdir()}
    if there - {CARD, MODEL, FIT, README, SUMS} or (there and CARD not in there):
        raise CoreError(f"{to} holds other files; choose a new or an empty folder as -o")


def versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """The installed version of each library that is installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def requirements(encoder: str) -> list[str]:
    """What running a filter of this encoder needs, pinned as installed here.

    Examples
    --------
    >>> [line.split("==")[0] for line in requirements("descriptors")]
    ['numpy', 'scipy', 'onnxruntime', 'pillow', 'tifffile', 'scikit-image']
    """
    names = [
        name for begins, some in RUN_WITH.items() if encoder.startswith(begins) for name in some
    ]
    return [f"{name}=={version}" for name, version in versions(tuple(names)).items()]


def _readme(card: Mapping[str, Any]) -> str:
    encoder = card["encoder"]["name"]
    keep = ", ".join(card["keep"])
    running = _running_vectors(encoder) if encoders.vectors_only(encoder) else _running(encoder)
    return f"""# {card["name"]}: a filter that decides which images to keep

Keeps: {keep}. What it promises, and on how many labels that rests, is in `{CARD}`.

## Files
- `{MODEL}`: vectors in, score and familiarity out; any ONNX runtime runs it
- `{CARD}`: what it was trained on, its encoder, threshold and validation
- `{FIT}`: the encoder's fitted scaling, where it has one
- `{SUMS}`: checked whenever the filter is loaded; by hand with `sha256sum -c {SUMS}`

## Running it
{running}"""


def _running_vectors(encoder: str) -> str:
    return f"""It decides about vectors of `{encoder}`, not about pictures: they were
made elsewhere or joined, so `screen apply` has no way to make new ones and refuses. Make them as
those of the training were made, each scaled to length 1, and with `onnxruntime` and `numpy`:
```python
import json, pathlib, numpy as np, onnxruntime

card = json.loads(pathlib.Path("{CARD}").read_text())
model = onnxruntime.InferenceSession("{MODEL}")
score, nearest = model.run(None, {{"{INPUT}": vectors}})  # (n, d) float32 rows of length 1
keep = (score >= card["threshold"]) | (nearest < card["familiar_from"])
```
"""


def _running(encoder: str) -> str:
    needs = "\n".join(requirements(encoder))
    return f"""With the `core` folder of Plankton Explorer where you are, or on `PYTHONPATH`, and:
```
{needs}
```
Besides, `s3fs` for s3://, `fsspec` and `aiohttp` for https://, `pyarrow` for tables in parquet.
```
python -m core screen apply THIS_FOLDER IMAGES --keep-to kept/ --report report.csv
python -m core screen apply THIS_FOLDER - --exit-code < image.png   # 0 keep, 3 drop
python -m core screen audit report.csv --to audit/ --draw 100 --filter THIS_FOLDER
```
Originals are only read. What cannot be read, or is unlike all the filter was trained on, is kept.
```python
from core.deciding import Screen

screen = Screen("THIS_FOLDER")
wanted = [v.keep for v in screen.decide(images)]  # paths, bytes of files, or (h, w, 3) uint8
```
"""
