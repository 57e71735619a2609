"""What an encoder is worth on our images: figures with intervals, comparisons, words, a report.

`running.evaluate` measures and keeps; `subject`, `storing`, `pixels`, `joining` and `report` know
the library too, and everything else works on arrays.
"""
