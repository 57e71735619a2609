"""The ASGI application: Streamlit's pages and our own routes.

Run it with ``python -m streamlit run dashboard/app.py``.
"""

from pathlib import Path

import streamlit as st

from dashboard.routes import routes

app = st.App(Path(__file__).with_name("main.py"), routes=routes())
