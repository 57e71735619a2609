"""What does running a filter cost: images a second, against a neural encoder, and memory.

    python benchmarks/screen_apply.py FOLDER [--neural-images N] [--repeat 4000]

FOLDER holds one folder a kind, such as plankton_camera. A filter (logistic regression on the
vectors; kinds in RUBBISH are dropped) is made on ``descriptors`` and on an open_clip ViT-B-32 with
random weights, which cost as much time as trained ones. Each is run by the code behind `screen
apply` in a process of its own, the neural one in float32 and in bfloat16, on the first images of a
shuffled table; rates are those of the run, without the start of the interpreter and the loading of
weights. On a machine that does other work as well look at the processor seconds an image, which
count the workers and their start. Last, `screen apply` itself runs over a table that names the
images again and again under ids of their own, and the memory of its process and all its workers is
looked at 10 times a second: RSS counts what they share several times, PSS once.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import encoders
from core.applying import apply
from core.bundling import Model, encoder_fields, write_bundle
from core.deciding import Screen
from core.encoders import FittedEncoder
from core.preparing import Ready, Task, prepare_all
from core.sources import open_source

RUBBISH = {"Blob", "Dot", "Filament", "Snow", "Spiral", "Unknown"}
NEURAL = "openclip:ViT-B-32/random"


def make_filter(to: Path, paths: list[Path], name: str) -> Path:
    """A filter trained on these images."""
    from sklearn.linear_model import LogisticRegression

    encoder = encoders.load(name)
    tasks = [Task(str(path), str(path)) for path in paths]
    found = list(prepare_all(tasks, encoder.prepare))
    prepared = [each.prepared for each in found if isinstance(each, Ready)]
    fit = None
    if isinstance(encoder, FittedEncoder):
        encoder = encoder.fit(prepared)
        fit = encoder.fit_as_json()
    vectors = encoder.encode(prepared)
    keep = np.array([path.parent.name not in RUBBISH for path in paths])
    made = LogisticRegression(C=10, max_iter=2_000).fit(vectors, keep)
    model = Model(made.coef_, made.intercept_, vectors)
    card = {
        "name": name,
        "encoder": encoder_fields(encoder.card, encoder.identity, fit),
        "keep": ["plankton"],
        "drop": sorted(RUBBISH),
        "threshold": float(np.quantile(model.score(vectors)[keep], 0.05)),
        "familiar_from": -1.0,
    }
    return write_bundle(to, model, card, fit=fit)


def table_of(to: Path, paths: list[Path], n: int) -> Path:
    """A table that names these images, in turn, under n ids."""
    with to.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "uri"])
        rows.writerows(
            (f"{i:06d}-{paths[i % len(paths)].name}", paths[i % len(paths)]) for i in range(n)
        )
    return to


def run_one(folder: Path, source: Path, precision: str) -> None:
    """One timed run, in this process: prints images and seconds."""
    screen = Screen(folder)
    if screen.filter.encoder_name != encoders.DEFAULT:
        screen.encoder = encoders.load(screen.filter.encoder_name, precision=precision)  # type: ignore[arg-type]
        screen.decide([np.zeros((64, 64, 3), np.uint8)])  # the first call sets things up
    before = processor_s()
    done = apply(screen, open_source(str(source)), dry_run=True)
    while multiprocessing.active_children():  # what they spent is known once they have ended
        time.sleep(0.05)
    images = done.kept + done.dropped
    spent = (processor_s() - before) / images
    print(json.dumps({"rate": images / done.seconds, "spent_ms": 1_000 * spent}))


def processor_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def rate(folder: Path, source: Path, precision: str = "float32") -> dict[str, float]:
    asked = [sys.executable, __file__, "--one", str(folder), str(source), precision]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def memory_of(root: int) -> tuple[int, int]:
    """RSS and PSS in bytes of a process and all under it."""
    waiting, rss, pss = [root], 0, 0
    while waiting:
        pid = waiting.pop()
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        rss, pss = rss + 1024 * sizes["Rss"], pss + 1024 * sizes["Pss"]
    return rss, pss


def memory(folder: Path, source: Path, report: Path) -> None:
    asked = [sys.executable, "-m", "core", "screen", "apply", str(folder), str(source)]
    asked += ["--report", str(report), "--json"]
    root = Path(__file__).parents[1]
    start = time.monotonic()
    running = subprocess.Popen(asked, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seen: list[tuple[float, int, int]] = []
    while running.poll() is None:
        seen.append((time.monotonic() - start, *memory_of(running.pid)))
        time.sleep(0.1)
    assert running.stdout is not None
    found = json.loads(running.stdout.read())
    took = time.monotonic() - start
    first = [rss for t, rss, _ in seen if t < took / 4]
    last = [rss for t, rss, _ in seen if t > took * 3 / 4]
    print(
        f"memory: {found['images']:,} images in {took:.0f} s, start included "
        f"({found['images'] / took:.0f}/s); peak RSS {max(s[1] for s in seen) / 1e6:.0f} MB, "
        f"PSS {max(s[2] for s in seen) / 1e6:.0f} MB; peak RSS of the first quarter "
        f"{max(first) / 1e6:.0f} MB, of the last {max(last) / 1e6:.0f} MB; "
        f"kept {found['kept']:,}, report {report.stat().st_size / 1e6:.1f} MB"
    )


def show(name: str, found: dict[str, float], ours: dict[str, float] | None = None) -> None:
    line = (
        f"  {name:18} {found['rate']:6.1f} images/s {found['spent_ms']:7.1f} processor ms an image"
    )
    if ours is not None:
        line += (
            f"; descriptors are {ours['rate'] / found['rate']:.1f} times faster by the clock, "
            f"{found['spent_ms'] / ours['spent_ms']:.1f} times by the processor"
        )
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--neural-images", type=int, help="default: all; 0: not at all")
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=4_000, help="0: not at all")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        run_one(Path(asked.one[0]), Path(asked.one[1]), asked.one[2])
        return
    if asked.folder is None:
        parser.error("name a FOLDER of folders of pictures")
    every = sorted(asked.folder.resolve().rglob("*.png"))
    order = np.random.default_rng(0).permutation(len(every))
    paths = [every[i] for i in order]
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        ours = make_filter(work / "descriptors", paths[: asked.train], encoders.DEFAULT)
        print(f"{len(paths):,} images, {os.cpu_count()} cores", flush=True)
        whole = table_of(work / "whole.csv", paths, len(paths))
        show("descriptors, all", rate(ours, whole))
        count = len(paths) if asked.neural_images is None else asked.neural_images
        if count:
            other = make_filter(work / "neural", paths[:100], NEURAL)
            some = table_of(work / "some.csv", paths, count)
            print(f"the same {count} images, in turn:")
            first = rate(ours, some)
            exact, quick = rate(other, some), rate(other, some, "bfloat16")
            again = rate(ours, some)
            mean = {key: (first[key] + again[key]) / 2 for key in first}
            show("descriptors", first)
            show("ViT-B-32 float32", exact, mean)
            show("ViT-B-32 bfloat16", quick, mean)
            show("descriptors again", again)
        if asked.repeat:
            memory(ours, table_of(work / "again.csv", paths, asked.repeat), work / "report.csv")


if __name__ == "__main__":
    main()
