"""The rules of the house that an import statement can break."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HEAVY = {
    "torch", "torchvision", "open_clip", "timm", "umap", "chromadb", "sklearn", "pandas", "onnx",
    "onnxruntime", "cleanlab",
}  # fmt: skip
NUMERICS = {"numpy", "torch", "sklearn", "umap", "chromadb"}

# Lowest first. A part of core imports only from lines above its own and from its own package; parts
# on one line never import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "schema",
        "encoders.card",
        "sources.base",
        "depth",
        "cells",
        "ahead",
        "naming",
        "showing",
    ),
    ("arrays", "settings", "tiff", "sources.uri", "results", "writing", "diversity", "showing"),
    ("workspace", "pictures", "neighbours", "sources", "edits"),
    ("mapsample", "mapshape", "mapdensity", "mapwire"),
    (
        "progress",
        "images",
        "reduction",
        "selections",
        "trust",
        "calibration",
        "ways",
        "screen_answers",
    ),
    ("encoders", "catalogue", "sampling", "search", "projection", "clustering", "jobs"),
    ("bundle", "ledger", "destinations", "cutting", "drift"),
    ("promise", "deciding"),
    ("screening",),
    ("learning", "outcome"),
    ("bundling", "screen"),
    ("labels", "snapshot", "preparing", "ranging", "trust_words"),
    ("applying", "auditing"),
    ("apply_commands", "screen_audit"),
    ("library", "store", "vocabulary", "label_files", "label_history"),
    ("columns", "taking", "folder_labels"),
    ("filtering", "binning", "spread", "wording"),
    ("target", "analysis", "matching", "managing", "ecotaxa_export"),
    (
        "indexing",
        "exporting",
        "mapdata",
        "sheets",
        "doctor",
        "explaining",
        "editing",
        "composition",
    ),
    ("suggestions", "checking", "screens", "evaluation"),
    ("screen_training", "screen_telling"),
    ("screen_commands", "screen_views"),
    ("queueing", "proposing"),
    ("rounds", "checkups"),
    ("growing",),
    ("adopting", "grouping", "tabling", "mapdrawn", "label_commands", "evaluate_commands"),
    ("__main__",),
)
LAYER = {part: number for number, layer in enumerate(LAYERS) for part in layer}

STAGES = ("search", "projection", "clustering", "labels")


@dataclass(frozen=True)
class Import:
    """One import: who, whom, and whether it runs when the file is imported."""

    module: str
    imported: str
    line: int
    at_once: bool

    @property
    def library(self) -> str:
        return self.imported.split(".")[0]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


@cache
def imports_of(folder: str) -> list[Import]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [found for path in paths for found in imports_in(path.read_text("utf-8"), _name(path))]


def imports_in(source: str, module: str) -> Iterator[Import]:
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while waiting:
        node, at_once = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_once = False
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            waiting.append((child, at_once))
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, at_once)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno} is relative; write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found = whole if _is_module(whole) else str(node.module)
                yield Import(module, found, node.lineno, at_once)


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def part_of(module: str) -> str:
    """``core.encoders.timm`` is of ``encoders``; a part with a line of its own is itself."""
    inner = module.removeprefix("core").removeprefix(".")
    return inner if inner in LAYER else inner.split(".")[0]


def test_core_does_not_know_the_dashboard():
    for found in imports_of("core"):
        assert found.library not in ("streamlit", "dashboard", "plotly"), str(found)


def test_the_dashboard_computes_nothing():
    for found in imports_of("dashboard"):
        assert found.library not in NUMERICS, str(found)


@pytest.mark.parametrize("folder", ["core", "dashboard"])
def test_heavy_libraries_load_in_the_function_that_needs_them(folder: str):
    for found in imports_of(folder):
        assert not (found.at_once and found.library in HEAVY), str(found)


def test_every_part_of_core_has_a_layer():
    parts = {part_of(_name(path)) for path in (ROOT / "core").rglob("*.py")} - {""}
    assert parts == set(LAYER)


def test_data_flows_one_way():
    for found in imports_of("core"):
        if found.library != "core" or found.imported == "core":
            continue
        who, whom = part_of(found.module), part_of(found.imported)
        inside = who.split(".")[0] == whom.split(".")[0]
        assert inside or LAYER[whom] < LAYER[who], str(found)


def test_stages_do_not_import_each_other():
    for found in imports_of("core"):
        who, whom = part_of(found.module), part_of(found.imported)
        assert not (who in STAGES and whom in STAGES and who != whom), str(found)


def test_only_the_store_knows_chroma():
    who = {found.module for found in imports_of("core") if found.library == "chromadb"}
    assert who == {"core.store"}


def test_who_knows_sql():
    who = {found.module for found in imports_of("core") if found.library == "sqlalchemy"}
    assert who <= {"core.schema", "core.catalogue", "core.labels", "core.label_history"}


def test_nothing_executable_is_loaded():
    for folder in ("core", "dashboard"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if _is_call(n)]
            for call in calls:
                what = ast.unparse(call)
                assert not what.startswith(("pickle.load", "joblib.load", "marshal.load")), what
                assert "allow_pickle=True" not in what, what
                assert not what.startswith("torch.load") or "weights_only=True" in what, what


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


def test_a_late_import_is_told_from_one_at_once():
    source = "import torch\nclass A:\n    import umap\ndef f():\n    from sklearn import svm\n"
    found = {each.library: each.at_once for each in imports_in(source, "x")}
    assert found == {"torch": True, "umap": True, "sklearn": False}
