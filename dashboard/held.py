"""Rows that a page hands to the browser by reference: a selection may be of 100,000 images."""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence

MOST = 64
"""Selections kept; every page puts its own to the front again whenever it is drawn."""

_kept: OrderedDict[str, array[int]] = OrderedDict()
_lock = threading.Lock()


def keep(revision: str, rows: Sequence[int]) -> str:
    """Keep rows of one revision of a map; gives the key under which `kept` finds them."""
    packed = array("q", rows)
    digest = hashlib.blake2b(packed.tobytes(), digest_size=16, key=revision.encode()[:64])
    key = digest.hexdigest()
    with _lock:
        _kept[key] = packed
        _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return key


def kept(key: str) -> Sequence[int] | None:
    """The rows, None when they were given up since."""
    with _lock:
        return _kept.get(key)
