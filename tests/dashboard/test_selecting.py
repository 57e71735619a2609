"""One selection for all pages."""

from __future__ import annotations

import pytest
import streamlit as st

from dashboard.parts import selecting


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch):
    class Session(dict):
        __getattr__ = dict.__getitem__
        __setattr__ = dict.__setitem__

    monkeypatch.setattr(st, "session_state", Session())


def test_gathered_once_and_in_order():
    assert selecting.put("u", ["b", "a", "b"])
    assert selecting.current("u") == ("b", "a")
    assert not selecting.put("u", ["b", "a"])
    assert selecting.add("u", ["a", "c"])
    assert selecting.current("u") == ("b", "a", "c")
    assert not selecting.add("u", ["c"])


def test_each_collection_has_its_own():
    selecting.put("u", ["a"])
    assert selecting.current("v") == ()


def test_a_gallery_speaks_only_of_what_it_shows():
    selecting.put("u", ["elsewhere", "x", "y"])
    assert selecting.rows("u", ["w", "x", "y"]) == [1, 2]
    assert selecting.take("u", ["w", "x", "y"], [0, 2])
    assert selecting.current("u") == ("elsewhere", "y", "w")
    assert not selecting.take("u", ["w", "x", "y"], [2, 0])
