"""Words, numbers and days as groups with an order."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.binning import BINS, Groups, day_of, grouped, together
from core.columns import Choices, Numbers, column_of


def groups(name: str, values, passes=None, **how) -> Groups:
    plain = [float(v) if isinstance(v, np.floating) else v for v in values]
    every = np.ones(len(plain), bool)
    return grouped(name, column_of(name, plain), every if passes is None else passes, **how)


def of_days(*days: str) -> Groups:
    return groups("date", days)


def test_words_are_in_natural_order():
    found = groups("station", ["St 10", "St 2", None, "St 1", "St 2"])
    assert found.names == ["St 1", "St 2", "St 10"]
    assert found.codes.tolist() == [2, 1, -1, 0, 1]
    assert (found.title, found.binned) == ("Station", "")


def test_only_what_passes_makes_groups():
    passes = np.array([True, False, True])
    found = groups("station", ["a", "b", "c"], passes)
    assert found.names == ["a", "c"]
    assert found.codes.tolist() == [0, -1, 1]
    assert groups("depth_m", [5.0, 300.0, 10.0], passes).names == ["5", "10"]
    assert together(passes).codes.tolist() == [0, -1, 0]


def test_few_numbers_are_groups_each_by_their_value():
    found = groups("depth_m", [100.0, 5.0, None, 20.5, 5.0])
    assert found.names == ["5", "20.5", "100"]
    assert found.codes.tolist() == [2, 0, -1, 1, 0]
    assert found.title == "Depth (m)"
    assert groups("size", [1.0, 2.0], unit="µm").title == "Size (µm)"


def test_depths_are_in_the_usual_strata():
    found = groups("depth_m", [2.0, 9.9, 10.0, 24.0, 30.0, 60.0, 80.0, 120.0, 160.0, 199.9, 200.0,
                               250.0, 290.0, 299.0])  # fmt: skip
    assert found.names == ["0 to 10", "10 to 25", "25 to 50", "50 to 75", "75 to 100",
                           "100 to 150", "150 to 200", "200 to 300"]  # fmt: skip
    assert found.codes.tolist() == [0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 7]
    assert "a value on a limit counts above it" in found.binned


def test_shallow_depths_and_others_are_in_bins_of_equal_width():
    assert groups("depth_m", np.arange(0, 20, 0.5)).names[0] == "0 to 5"
    found = groups("temperature", np.arange(0, 4, 0.1))
    assert found.names[1] == "0.5 to 1"
    assert found.codes[5] == 1  # 0.5, which is no sum of tenths
    assert found.binned.startswith("in bins of 0.5")


def test_sizes_over_decades_are_in_bins_that_grow():
    found = groups("esd_um", np.geomspace(3, 3000, 40))
    assert found.names == ["2 to 5", "5 to 10", "10 to 20", "20 to 50", "50 to 100", "100 to 200",
                           "200 to 500", "500 to 1000", "1000 to 2000", "2000 to 5000"]  # fmt: skip
    assert groups("n", np.geomspace(1e-3, 1e6, 40)).names[:2] == ["0.001 to 0.01", "0.01 to 0.1"]


def test_empty_bins_are_no_groups():
    found = groups("temperature", [*np.linspace(0, 1, 20), 79.0, 80.0])
    assert found.names == ["0 to 10", "70 to 80", "80 to 90"]


def test_days_months_and_years():
    assert of_days("2024-05-04", "2023-01-31", "2024-05-04").names == ["2023-01-31", "2024-05-04"]
    first = date(2020, 1, 1)
    weekly = [(first + timedelta(days=7 * n)).isoformat() for n in range(60)]
    found = of_days(*weekly)
    assert found.names[:3] == ["2020-01", "2020-02", "2020-03"]
    assert found.binned == "by month"
    assert found.codes[:6].tolist() == [0, 0, 0, 0, 0, 1]
    monthly = [(first + timedelta(days=31 * n)).isoformat() for n in range(120)]
    found = of_days(*monthly)
    assert found.names[:2] == ["2020", "2021"]
    assert found.binned == "by year"
    month = [(first + timedelta(days=n)).isoformat() for n in range(30)]
    assert len(of_days(*month).names) == 30  # a cruise is seen day by day


def test_what_is_no_number_is_in_no_group():
    values = Numbers(np.array([np.nan, np.inf, -np.inf, 1.0]))
    found = grouped("x", values, np.ones(4, bool))
    assert found.codes.tolist() == [-1, -1, -1, 0]
    nothing = grouped("x", Numbers(np.full(2, np.nan)), np.ones(2, bool))
    assert (nothing.names, nothing.codes.tolist()) == ([], [-1, -1])


@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda n: n / 64), min_size=13, max_size=40),
    st.sampled_from(["depth_m", "temperature"]),
    st.integers(0, 2**32 - 1),
)
def test_every_number_is_in_its_bin(values, name, seed):
    found = groups(name, values)
    order = np.random.default_rng(seed).permutation(len(values))
    again = groups(name, np.array(values)[order].tolist())
    assert again.names == found.names
    assert again.codes.tolist() == found.codes[order].tolist()
    assert sorted(set(found.codes.tolist())) == list(range(len(found.names)))
    by_code = sorted(zip(found.codes.tolist(), values, strict=True))
    assert [v for _, v in by_code] == sorted(values)
    if found.binned:
        assert len(found.names) <= max(2 * BINS, 20)
        for code, value in by_code:
            low, _, high = found.names[code].partition(" to ")
            slack = 1e-9 * max(1, abs(value))
            assert float(low) - slack <= value <= float(high) + slack


def test_a_group_has_a_date_when_it_is_of_one_day():
    station = Choices(np.array([0, 0, 1, 1, 2, 3], np.int32), ["a", "b", "c", "d"])
    found = grouped("station", station, np.ones(6, bool))
    day = float(date(2024, 5, 4).toordinal())
    dates = Numbers(np.array([day, day + 1, day, day + 9, np.nan, day]), dates=True)
    assert day_of(dates, found) == [day, None, None, day]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful(n):
    assert len(groups("depth_m", [float(i) for i in range(n)]).names) == n
