"""Every page's frame: navigation and the shared sidebar."""

from pathlib import Path

import streamlit as st

from core.errors import CoreError
from dashboard import state
from dashboard.parts.running import running_jobs
from dashboard.parts.sidebar import sidebar

VIEWS = Path(__file__).parent / "views"

st.set_page_config(
    page_title="Plankton Explorer",
    page_icon=str(Path(__file__).with_name("icon.png")),
    layout="wide",
)
st.html(Path(__file__).with_name("pages.css"))
page = st.navigation(
    [
        st.Page(VIEWS / "home.py", title="Home", icon=":material/home:", default=True),
        st.Page(VIEWS / "similar.py", title="Similar", icon=":material/image_search:"),
        st.Page(VIEWS / "map.py", title="Map", icon=":material/scatter_plot:"),
        st.Page(VIEWS / "clusters.py", title="Clusters", icon=":material/bubble_chart:"),
        st.Page(VIEWS / "label.py", title="Label", icon=":material/label:"),
        st.Page(VIEWS / "check.py", title="Check", icon=":material/fact_check:"),
        st.Page(VIEWS / "history.py", title="History", icon=":material/history:"),
        st.Page(VIEWS / "screen.py", title="Screen", icon=":material/filter_alt:"),
        st.Page(VIEWS / "composition.py", title="Composition", icon=":material/stacked_bar_chart:"),
        st.Page(VIEWS / "evaluate.py", title="Evaluate", icon=":material/leaderboard:"),
        st.Page(VIEWS / "selection.py", title="Selection", icon=":material/check_box:"),
        st.Page(VIEWS / "collections.py", title="Collections", icon=":material/folder_open:"),
    ]
)
if state.has_login() and not st.user.is_logged_in:
    st.title("Plankton Explorer")
    st.button("Log in", on_click=st.login, type="primary")
    st.stop()
try:
    st.session_state.picked = sidebar(page.url_path)
    st.session_state.working = running_jobs()
    page.run()
except CoreError as error:  # a page's own words come first; this is for what none foresaw
    state.say(error)
