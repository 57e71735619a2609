from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from core.progress import File, Meter, Progress, Terminal, duration, sentence


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_meter_counts_and_says_what_is_left():
    said: list[Progress] = []
    meter = Meter(said.append, "Reading", 4, every_s=0)
    for _ in range(4):
        meter.advance()
    assert [p.done for p in said] == [0, 1, 2, 3, 4]
    assert said[0].rate is None
    assert said[2].rate is not None
    assert said[2].left_s is not None
    assert said[-1].left_s == 0


def test_a_meter_does_not_report_everything_but_always_the_end():
    said: list[Progress] = []
    meter = Meter(said.append, "Reading", 1000, every_s=60)
    for _ in range(1000):
        meter.advance()
    assert [p.done for p in said] == [0, 1000]


def test_a_total_that_is_not_known():
    said: list[Progress] = []
    Meter(said.append, "Looking", None, every_s=0).advance(7)
    assert (said[-1].done, said[-1].total, said[-1].left_s) == (7, None, None)
    assert sentence(Progress("Looking", 7, None)) == "Looking: 7"


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("Looking", 0, None), "Looking"),
        (Progress("Reading", 5, 10, 0.5, 10.0), "Reading: 5 of 10, 0.5/s, 10 s left"),
        (Progress("Reading", 10, 10, 12.3, 0.0), "Reading: 10 of 10, 12/s"),
    ],
)
def test_sentences(progress: Progress, words: str):
    assert sentence(progress) == words


def test_durations_round_before_they_are_cut():
    assert [duration(s) for s in (59.6, 3599.7)] == ["1 min 0 s", "1 h 0 min"]


def test_a_terminal_moves_one_line():
    screen = Screen()
    show = Terminal(screen)
    show(Progress("Reading", 1, 2))
    show(Progress("Reading", 2, 2))
    assert screen.getvalue() == "\r\x1b[KReading: 1 of 2\r\x1b[KReading: 2 of 2\n"


def test_elsewhere_a_line_now_and_then():
    stream = io.StringIO()
    show = Terminal(stream)
    for done in range(100):
        show(Progress("Reading", done, 100))
    show(Progress("Reading", 100, 100))
    show(Progress("Fitting", 0, None))
    assert stream.getvalue() == "Reading: 0 of 100\nReading: 100 of 100\nFitting\n"


def test_a_job_writes_it_down(tmp_path: Path):
    File(tmp_path / "progress.json")(Progress("Reading", 1, 2, 3.0, 4.0))
    assert json.loads((tmp_path / "progress.json").read_text()) == {
        "stage": "Reading",
        "done": 1,
        "total": 2,
        "rate": 3.0,
        "left_s": 4.0,
    }
