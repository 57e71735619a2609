"""The pages: thin Streamlit over `core`; no numerics here."""
