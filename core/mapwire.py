"""What the map's routes answer: a header in JSON, then arrays of plain numbers, nothing inlined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """One binary answer.

    uint32 H (little-endian), H bytes of JSON padded with blanks so that 4 + H divides by 4, then
    each array, little-endian, padded to 4 bytes so that a browser can look at the next in place.

    Examples
    --------
    >>> pack({"n": 1}, [np.array([7], np.uint16)])
    b'\\x08\\x00\\x00\\x00{"n": 1}\\x07\\x00\\x00\\x00'
    """
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-(4 + len(text)) % 4)
    parts = [len(text).to_bytes(4, "little"), text]
    for array in arrays:
        body = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        parts += [body, b"\0" * (-len(body) % 4)]
    return b"".join(parts)


def bitmap(n: int, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
    """A bit for each of n rows, the first in the lowest bit of the first byte.

    Examples
    --------
    >>> bitmap(10, [0, 9]).tolist()
    [1, 2]
    """
    bits = np.zeros(n, bool)
    bits[np.asarray(rows, np.int64)] = True
    return np.packbits(bits, bitorder="little")
