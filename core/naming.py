"""Names for files that every system can write, made of ids that may hold anything."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_LONGEST = 100  # bytes of a folder's or file's name; unpackers stop at 255 of a whole path
_LONGEST_SUFFIX = 16  # what is longer is no extension


def file_name(id: str, suffix: str, taken: set[str]) -> str:
    """A path that every system can unpack, and no other image has.

    Parameters
    ----------
    id : str
        Folders and name of the image.
    suffix : str
        Of the file that is packed: ``.png``; added where the id ends otherwise.
    taken : set of str
        Names there are, in small letters; the new one is added.

    Examples
    --------
    >>> taken = {"manifest.csv"}
    >>> file_name("run/a:b/../x.png", ".png", taken), file_name("run/A_b/x.PNG", ".png", taken)
    ('run/a_b/x.png', 'run/A_b/x_2.PNG')
    >>> file_name("D2013_00012", ".png", taken), file_name("manifest.csv", "", taken)
    ('D2013_00012.png', 'manifest_2.csv')
    """
    name = next(name for name in file_names(id, suffix) if name.lower() not in taken)
    taken.add(name.lower())
    return name


def file_names(id: str, suffix: str) -> Iterator[str]:
    """Names for a file, the plainest first, without end: always relative, never with ``..``.

    Examples
    --------
    >>> list(itertools.islice(file_names("/etc/../run/x.png", ".png"), 3))
    ['etc/run/x.png', 'etc/run/x_2.png', 'etc/run/x_3.png']
    """
    plain = id.encode("utf-8", "replace").decode()  # half of a surrogate pair
    parts = [_safe(part) for part in plain.split("/") if part.strip(" .")]
    path = PurePosixPath(*(parts or ["image"]))
    suffix = _UNSAFE.sub("_", suffix.encode("utf-8", "replace").decode())
    if path.suffix.lower() != suffix and len(suffix.encode()) <= _LONGEST_SUFFIX:
        path = path.with_name(path.name + suffix)
    yield str(path)
    for again in itertools.count(2):
        yield str(path.with_name(f"{path.stem}_{again}{path.suffix}"))


def _safe(part: str) -> str:
    text = _UNSAFE.sub("_", part).strip(" .")
    if len(text.encode()) > _LONGEST:  # its end tells it from its neighbours
        text = text.encode()[-_LONGEST:].decode(errors="ignore").strip(" .")
    return f"_{text}" if _DEVICES.match(text) else text or "_"
