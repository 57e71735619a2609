"""Where images come from, counted by hand."""

from __future__ import annotations

from datetime import date

import numpy as np

from core.columns import Choices, Column, Columns, Numbers
from core.spread import BARS, spreads


def known(n: int, **by_name: Column) -> Columns:
    return Columns(np.ones(n, bool), np.arange(n), by_name, "px")


def words(*codes: int, values: list[str]) -> Choices:
    return Choices(np.array(codes, np.int32), values)


def test_samples_in_natural_order_with_what_there_is_of_each():
    samples = words(0, 0, 0, 1, 1, 2, -1, -1, values=["St 10", "St 2", "St 1"])
    (found,) = spreads(known(8, sample=samples), np.array([0, 1, 3, 6]))
    assert (found.name, found.title, found.missing) == ("sample", "Sample", 1)
    counted = [(bar.value, bar.count, bar.of) for bar in found.bars]
    assert counted == [("St 1", 0, 1), ("St 2", 1, 2), ("St 10", 2, 3)]
    assert [bar.share for bar in found.bars] == [0, 1 / 2, 2 / 3]


def test_of_labels_only_those_there_are():
    given = words(0, 1, 1, 2, values=["Copepod", "Acantharia", "Blob"])
    (found,) = spreads(known(4, label=given), np.array([0, 1]))
    counted = [(bar.value, bar.count, bar.of) for bar in found.bars]
    assert counted == [("Acantharia", 1, 2), ("Copepod", 1, 1)]


def test_what_is_the_same_everywhere_says_nothing():
    same = words(0, 0, -1, values=["only"])
    depth = Numbers(np.array([5.0, 5.0, np.nan]))
    assert spreads(known(3, sample=same, depth_m=depth), np.array([0])) == []


def test_stations_days_and_depths_are_found_by_their_names():
    of = known(
        3,
        sample=words(0, 1, 1, values=["a", "b"]),
        taken=Numbers(np.array([700_000.0, 700_001.0, np.nan]), dates=True),
        max_depth_m=Numbers(np.array([0.5, 20, 20])),
        station=words(0, 1, 1, values=["S", "T"]),
        esd_um=Numbers(np.array([1.0, 2, 3])),
    )
    found = spreads(of, np.array([1, 2]))
    assert [each.title for each in found] == ["Sample", "Station", "Max depth (m)", "Taken"]
    assert [(b.value, b.count) for b in found[2].bars] == [("0.5", 0), ("20", 2)]
    assert found[3].missing == 1


def test_many_words_leave_the_most_frequent():
    codes = [c for c in range(30) for _ in range(c + 1)]
    samples = words(*codes, values=[f"s{n}" for n in range(30)])
    (found,) = spreads(known(len(codes), sample=samples), np.arange(len(codes)))
    assert len(found.bars) == BARS
    assert [bar.value for bar in found.bars[:2]] == ["s19", "s20"]
    assert found.bars[-1].value == "19 others"
    assert sum(bar.count for bar in found.bars) == len(codes)


def test_many_depths_are_ranges_that_hold_all():
    depths = np.arange(0, 101, 4.0)
    (found,) = spreads(known(len(depths), depth_m=Numbers(depths)), np.arange(len(depths)))
    assert len(found.bars) <= BARS
    assert found.bars[0].value == "0 to 10"
    assert [bar.count for bar in found.bars[:2]] == [3, 2]  # 0, 4, 8 and 12, 16
    assert sum(bar.count for bar in found.bars) == len(depths)


def test_days_months_and_years():
    first = date(2020, 1, 1).toordinal()
    for n, step, shown in ((12, 1, "2020-01-01"), (13, 20, "2020-01"), (13, 200, "2020")):
        days = Numbers(np.array([first + step * i for i in range(n)], float), dates=True)
        (found,) = spreads(known(n, date=days), np.arange(n))
        assert found.bars[0].value == shown
        assert len(found.bars) <= BARS
        assert sum(bar.count for bar in found.bars) == n
