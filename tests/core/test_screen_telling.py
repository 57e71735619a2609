"""A filter in the terminal: the promise first, then what it costs and where."""

from __future__ import annotations

from dataclasses import replace

from core.screen_telling import told
from tests.core.test_screens import screen_of


def test_the_promise_and_the_price_come_first():
    screen = screen_of(n=600)
    outcome = screen.screened.at(screen.threshold)
    first, price, checked, learning, *_ = told(screen.figures())
    assert screen.promised
    assert first == (
        "living: at least 90 % of what is to keep is kept, promised with 95 % confidence"
    )
    assert f"drops {100 * outcome.dropped_share:.1f} % of the images" in price
    assert f"keeps {100 * outcome.recall:.1f} % (95 %: " in price
    assert f"{outcome.unfamiliar:,} with a lower score" in price
    assert "by sample" in checked
    assert learning == "What more labels would gain cannot be said: label more."


def test_what_is_not_promised_is_said_with_what_it_takes():
    asked = screen_of(n=600).at_target(0.999)
    assert not asked.promised
    first = told(asked.figures())[0]
    assert f"about {asked.labels_needed:,} more labels to keep would be needed" in first
    chosen = screen_of(n=600)
    first = told(chosen.at_threshold(min(1.0, chosen.threshold + 0.1)).figures())[0]
    assert first.endswith("promised at a lower threshold, not at this one, which is an estimate")


def test_kinds_and_samples_are_tables():
    lines = told({**screen_of().figures(), "lost": [str(n) for n in range(9)]})
    keep, drop = (
        next(line for line in lines if line.startswith(side)) for side in ("to keep  ", "to drop  ")
    )
    assert keep.endswith("  expected lost") and drop.endswith("  dropped of all")
    assert any(line.startswith("sample  ") for line in lines)
    at = lines.index("to keep, but dropped (the first 5 of 9 listed):")
    assert lines[at + 1 : at + 7] == ["  0", "  1", "  2", "  3", "  4", ""]


def test_many_that_are_expected_to_be_lost_are_a_plain_number():
    figures = screen_of().figures()
    assert "about 12,346 of these images lost" in told(figures | {"expected_lost": 12345.6})[1]
    assert "about 0.25 of these images lost" in told(figures | {"expected_lost": 0.25})[1]


def test_names_are_text_for_a_terminal():
    screen = screen_of()
    kinds = [f"\x1b[2J{kind}" for kind in screen.screened.kinds]
    lines = told(replace(screen, screened=replace(screen.screened, kinds=kinds)).figures())
    assert not any("\x1b" in line for line in lines)
