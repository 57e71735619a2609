"""Labels that the names of folders would give, where a collection was indexed without them."""

from __future__ import annotations

from core import labels
from core.labels import Decision
from core.library import Library


def folder_labels(library: Library, uid: str) -> list[Decision]:
    """One validated label for each image without any that lies in a folder of the collection's.

    The label is the name of the folder that the picture lies in, as `index --labels folder` takes
    it. Where all lie in the same folder its name tells nothing apart.

    Returns
    -------
    list of Decision
        Nothing is recorded. Empty where fewer than two names would be given.
    """
    known = labels.current(library.catalogue, uid)
    said = []
    for id, metadata in library.catalogue.column(uid, "metadata").items():
        name = str(metadata.get("folder") or "").rpartition("/")[2].strip()
        if name and id not in known:
            said.append(Decision(id, name))
    return said if len({each.label for each in said}) > 1 else []
