"""What an encoder is worth on our images: figures with intervals, comparisons, words, a report.

`evaluate` measures and keeps; everything else here works on arrays and knows no library.
"""
