"""``screen apply`` and ``screen audit`` as processes, where little is installed too."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from core.bundling import requirements
from core.ledger import read_report
from tests.core.conftest import ROOT, quiet_environment
from tests.core.screen_filter import write_filter, write_vignettes

FORBIDDEN = [
    *("chromadb", "streamlit", "torch", "torchvision", "umap", "open_clip", "timm", "sqlalchemy"),
    *("sklearn", "pandas", "plotly", "onnx", "pyarrow", "filelock", "fsspec", "aiohttp", "s3fs"),
    *("botocore", "psycopg", "numba", "evoc"),
]

WITHOUT = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FORBIDDEN!r}:
            raise ImportError("not installed here: " + name)
sys.meta_path.insert(0, Refuse())
from core.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_filter(tmp_path_factory.mktemp("made") / "filter")


def call(
    *arguments: object, cwd: Path, stdin: bytes = b"", python: list[str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The command line from a folder where a workspace would be seen; without what is heavy."""
    return subprocess.run(
        [*(python or [sys.executable, "-c", WITHOUT]), "screen", *map(str, arguments)],
        cwd=cwd,
        env=quiet_environment() | {"PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=200,
    )


def answered(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_apply_and_audit_need_no_workspace_and_nothing_heavy(folder: Path, tmp_path: Path):
    write_vignettes(tmp_path / "run", 9)
    asked = ["apply", folder, "run", "--keep-to", "kept", "--report", "r.csv", "--json"]
    done = call(*asked, cwd=tmp_path)
    found = answered(done)
    fixed = {"kept": 3, "dropped": 6, "unfamiliar": 0, "unreadable": 0}
    assert found | fixed == found and found["images"] == 9
    assert found["filter"] == "discs" and found["threshold"] == 0.5
    assert b"Deciding about images: 9" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "kept", "r.csv", "r.csv.state", "run"
    ]  # fmt: skip
    assert answered(call(*asked, cwd=tmp_path))["already"] == 9
    drawn = answered(
        call("audit", "r.csv", "--to", "a", "--draw", 4, "--filter", folder, "--json", cwd=tmp_path)
    )
    assert drawn["lost_share"] is None and drawn["drawn"] == 4
    table = Path(drawn["fill_in"])
    head, *lines = table.read_text("utf-8-sig").splitlines()
    table.write_text("\n".join([head, *(line + "no" for line in lines)]))
    found = answered(call("audit", "r.csv", "--to", "a", "--json", cwd=tmp_path))
    assert (found["lost_share"], found["looked_at"]) == (0.0, 4)
    assert found["ci95"] == [0.0, pytest.approx(3 / 6, abs=0.17)]


def test_images_unlike_the_training_are_warned_of(tmp_path: Path):
    made = write_filter(
        tmp_path / "made", familiar_from=0.999_999, training={"unfamiliar_share": 0.01}
    )
    write_vignettes(tmp_path / "run", 30)
    done = call("apply", made, "run", "--dry-run", "--json", cwd=tmp_path)
    assert answered(done)["drift"]["drifted"] is True
    assert b"warning: 100% of the last 30 images are unlike all" in done.stderr


def test_one_image_from_stdin(folder: Path, tmp_path: Path):
    disc, fibre, _ = write_vignettes(tmp_path, 3)
    kept = answered(
        call("apply", folder, "-", "--exit-code", cwd=tmp_path, stdin=disc.read_bytes())
    )
    assert kept["decision"] == "keep" and kept["score"] > 0.5 and kept["unreadable"] is False
    done = call("apply", folder, "-", "--exit-code", cwd=tmp_path, stdin=fibre.read_bytes())
    assert done.returncode == 3 and json.loads(done.stdout)["decision"] == "drop"
    plain = answered(call("apply", folder, "-", cwd=tmp_path, stdin=fibre.read_bytes()))
    assert plain["decision"] == "drop"  # and 0 all the same: nothing went wrong
    broken = answered(call("apply", folder, "-", "--exit-code", cwd=tmp_path, stdin=b"none"))
    assert (broken["decision"], broken["score"], broken["unreadable"]) == ("keep", None, True)


def test_what_is_refused_is_one_line_and_exit_2(folder: Path, tmp_path: Path):
    write_vignettes(tmp_path / "run", 3)
    for asked, message in [
        (["apply", tmp_path / "none", "run"], "there is no filter folder"),
        (["apply", folder, "nowhere"], "there is no folder nowhere"),
        (["apply", folder, "run", "--keep-to", "run/kept"], "lies in the source"),
        (["apply", folder, "-", "--report", "r.csv"], "--report is for many images"),
        (["apply", folder, "run", "--workers", "-1"], "--workers is -1; expected 0 to 256"),
        (["apply", folder, "s3://bucket/raw"], "needs s3fs"),
        (["audit", "none.csv"], "cannot be read"),
        (["audit"], "see `python -m core screen audit --help`"),
    ]:
        done = call(*asked, cwd=tmp_path)
        assert done.returncode == 2 and not done.stdout, done.stderr.decode()
        (line,) = done.stderr.decode().splitlines()[-1:]
        assert line.startswith("error: ") and message in line
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in folder.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    model = damaged / "model.onnx"
    model.write_bytes(model.read_bytes()[:-40])
    done = call("apply", damaged, "run", cwd=tmp_path)
    assert done.returncode == 2 and b"is damaged" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_bundle_runs_where_only_what_it_names_is_installed(folder: Path, tmp_path: Path):
    """A new environment with the packages of the bundle's README, and the folder ``core``."""
    readme = (folder / "README.md").read_text()
    needs = requirements("descriptors")
    assert all(line in readme for line in needs)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if installed.returncode:
        reachable = subprocess.run(
            [python, "-m", "pip", "download", "--no-deps", "-d", tmp_path / "d", needs[0]],
            capture_output=True,
            check=False,
        )
        assert reachable.returncode, installed.stderr  # else what the README says is wrong
        pytest.skip(f"no package index can be reached: {installed.stderr[-200:]}")
    carried = tmp_path / "carried"
    carried.mkdir()
    (carried / "core").symlink_to(ROOT / "core")
    paths = write_vignettes(tmp_path / "run", 40)
    lean = [str(python), "-m", "core"]
    listed = subprocess.run(
        [python, "-m", "pip", "list"], capture_output=True, text=True, check=True
    )
    assert not {line.split()[0].lower() for line in listed.stdout.splitlines()} & set(FORBIDDEN)

    def there(*arguments: object, stdin: bytes = b"") -> dict[str, Any]:
        done = subprocess.run(
            [*lean, "screen", *map(str, arguments)],
            cwd=carried,
            env={k: v for k, v in quiet_environment().items() if k != "PYTHONPATH"},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=200,
        )
        return answered(done)

    report, kept = tmp_path / "r.csv", tmp_path / "kept"
    found = there(
        "apply", folder, tmp_path / "run", "--keep-to", kept, "--report", report, "--json"
    )
    assert (found["kept"], found["dropped"], found["copied"]) == (14, 26, 14)
    here = tmp_path / "here.csv"
    answered(call("apply", folder, tmp_path / "run", "--report", here, "--json", cwd=tmp_path))
    pairs = zip(read_report(report), read_report(here), strict=True)
    assert all(a.score == pytest.approx(b.score, abs=1e-5) for a, b in pairs)
    assert there("apply", folder, "-", stdin=paths[0].read_bytes())["decision"] == "keep"
    drawn = there("audit", report, "--to", tmp_path / "a", "--draw", 5, "--json")
    assert drawn["drawn"] == 5
