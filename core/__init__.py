"""Plankton Explorer's core: images in, vectors out, and what can be learnt from them.

The command line (``python -m core``) and the dashboard call the same functions.
"""
