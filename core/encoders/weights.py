"""Weights: found in the hub's cache or fetched, read as tensors and nothing else, told apart."""

from __future__ import annotations

import hashlib
import logging
import pickle
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import WeightsError

if TYPE_CHECKING:
    import torch

RANDOM_SEED = 20240229  # of MODEL/random, so that its identity is the same everywhere
HUB_TIMEOUT_S = 10.0


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """Hash of weights by name, type, shape and bytes: the same in whatever file they came.

    Raises
    ------
    WeightsError
        If a weight is NaN or infinite.
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"weight {name} has NaN or infinity; expected finite numbers")
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def seeded() -> Iterator[None]:
    """Random weights that are the same every time, leaving the caller's generator alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep a library's remarks to itself while it builds a model; errors are still raised.

    open_clip logs to the root logger, which would also install a handler there for good.
    """
    root, handler = logging.getLogger(), logging.NullHandler()

    def errors_only(record: logging.LogRecord) -> bool:
        return record.levelno > logging.ERROR

    root.addHandler(handler)
    root.addFilter(errors_only)
    try:
        yield
    finally:
        root.removeFilter(errors_only)
        root.removeHandler(handler)


def hub_file(
    name: str, repo: str, files: Sequence[str], *, or_else: str, beside: str | None = None
) -> Path:
    """The first of these files in the hub's cache on this machine, else fetched from the hub.

    A file that is here is used as it is, without asking the hub. Whether the hub answers is
    asked once, with a timeout: left to itself its client tries for 20 s a file.

    Parameters
    ----------
    name : str
        The encoder asked for.
    repo : str
        ``ORG/REPO`` on the hub.
    files : names in that repository, the preferred one first
    or_else : str
        How to name the encoder with a file of one's own.
    beside : str, optional
        What else of the repository will be needed, for the error.

    Raises
    ------
    WeightsError
        If none is here and none can be fetched.
    """
    from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled

    for file in files:
        cached = try_to_load_from_cache(repo, file)
        if isinstance(cached, str):
            return Path(cached)
    reason = f"{repo} has no such file"
    try:
        if constants.HF_HUB_OFFLINE:
            raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
        for file in files:
            try:
                return Path(hf_hub_download(repo, file, etag_timeout=HUB_TIMEOUT_S))
            except EntryNotFoundError:
                continue  # older repositories have only the second kind of file
    except Exception as error:  # the client's own errors changed class with every major version
        reason = f"{constants.ENDPOINT}: {one_line(error)}"
    wanted = f"{beside} with {files[0]}" if beside else files[0]
    folder = f"models--{repo.replace('/', '--')}"
    raise WeightsError(
        f"{name}: {wanted} of {repo} is not on this machine and could not be fetched ({reason}); "
        f"copy the folder {folder} from a machine that has it into {constants.HF_HUB_CACHE}, or "
        f"put the file anywhere and ask for {or_else}; the encoder `descriptors` needs no download"
    )


@contextmanager
def reading(name: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong while a checkpoint is read into one WeightsError.

    Only tensors are ever loaded (``weights_only`` or safetensors): a checkpoint that asks for
    anything else to be run is refused.

    Raises
    ------
    WeightsError
        If path is no file, is not a checkpoint, is cut short, holds more than weights, or the
        weights of another model.
    """
    if not path.is_file():
        raise WeightsError(f"{name}: there is no checkpoint file {path}; check the path after @")
    if path.suffix in (".npz", ".npy", ".onnx"):
        raise WeightsError(
            f"{name}: {path.name} is not a checkpoint; expected .safetensors, .pt, .pth or .bin"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on pickle protocols
            yield
    except WeightsError:
        raise
    except Exception as error:  # pickle, zip, safetensors and torch each raise their own
        where = path.name if str(path) in name else str(path)
        raise WeightsError(f"{name}: {where} {_wrong_with(path, error)}") from error


def _wrong_with(path: Path, error: Exception) -> str:
    told = f"{error} {error.__cause__ or ''}"
    unpickling = isinstance(error.__cause__ or error, pickle.UnpicklingError)
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
    if "GLOBAL" in told or "TorchScript" in told or (pickled and unpickling and "operand" in told):
        return (
            "holds Python objects or code beside weights, which is never run; "
            "save its state_dict alone, best as .safetensors"
        )
    if "state_dict for" in told:
        return f"holds the weights of another model ({one_line(error)})"
    # torch's own words on pickles advise to load them unsafely
    reason = "" if unpickling else f" ({one_line(error)})"
    return f"is damaged, cut short or not a checkpoint{reason}"


def one_line(error: BaseException, *, most: int = 160) -> str:
    """What an error says, short enough for one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"


def checkpoint_path(written: str) -> Path:
    """The file named after ``@``; ``~`` is the home folder."""
    return Path(written).expanduser().absolute()
