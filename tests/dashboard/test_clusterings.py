"""The form for a new clustering and the panel that says how far to trust one."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core import analysis, jobs
from dashboard import state
from dashboard.parts import clusterings
from tests.core.conftest import wait_for
from tests.dashboard.conftest import said, without_exception


def page() -> None:
    import streamlit as st

    from dashboard import state
    from dashboard.parts import clusterings

    found = state.collections()[0]
    view = state.view(found, None)
    clusterings.make(view)
    name = clusterings.choose(view)
    if name:
        clusterings.trust(view, name)
    st.caption("drawn to the end")


def opened() -> AppTest:
    at = without_exception(AppTest.from_function(page, default_timeout=60).run())
    assert "drawn to the end" in said(at)
    return at


def test_the_verdict_comes_first_then_every_figure(filled):
    text = said(opened()).replace("\\", "")
    lines = [text.index(t) for t in ("trust", "In no group", "Silhouette", "Stability", "Homogen")]
    assert lines == sorted(lines)
    assert "Every image is in a group." in text
    assert "the 2 labels on 30 images" in text


def test_it_is_compared_with_another(filled):
    lib = state.library()
    view = state.view(lib.catalogue.collection("run"), None)
    analysis.make_clustering(lib, view, method="agglomerative", k=2, name="ward", seed=0)
    at = opened()
    without_exception(at.selectbox(key="compare ward").select("kmeans").run())
    assert "Agreement**" in said(at)
    assert analysis.compared(lib, view, "ward", "ward")["ari"] == 1


def test_a_new_clustering_is_a_job(filled):
    at = opened()
    without_exception(at.radio(key="new_method").set_value("agglomerative").run())
    without_exception(at.select_slider(key="new_fineness").set_value(1).run())
    next(b for b in at.button if b.label == "Find groups").click()
    without_exception(at.run())
    workspace = state.library().workspace
    (job,) = jobs.listed(workspace)
    try:
        said_by = list(job.arguments)
        assert said_by[said_by.index("--method") + 1] == "agglomerative"
        assert {"--fineness=1", "--name=agglomerative finer"} <= set(said_by)
        wait_for(lambda: not jobs.read(workspace, job.id).active, timeout_s=120)
    finally:
        if jobs.read(workspace, job.id).active:
            jobs.cancel(workspace, job.id)
    assert jobs.read(workspace, job.id).state == "done"
    view = state.view(state.collections()[0], None)
    newest = analysis.clusterings(state.library(), view)[0]
    assert newest["name"] == "agglomerative finer"
    assert newest["parameters"]["fineness"] == 1


def test_read_only_makes_none(filled, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    at = opened()
    assert all(b.disabled for b in at.button if b.label == "Find groups")


def test_a_free_name():
    assert clusterings.free_name("evoc", -1, {"evoc coarser"}) == "evoc coarser 2"
