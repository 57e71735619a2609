"""Encoders side by side, kept as one more encoder of the collection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.catalogue import Encoding
from core.encoders.card import Identity
from core.errors import NotFoundError, RangeError
from core.evaluation.storing import PREFIX
from core.evaluation.subject import joined, vectors_of
from core.library import Library, View
from core.progress import Meter, Report, nobody
from core.reduction import library_versions
from core.store import PAGE, Store
from core.workspace import now


def name_of_joined(encoders: Sequence[str]) -> str:
    """What encoders side by side are called.

    Examples
    --------
    >>> name_of_joined(["descriptors", "timm:resnet50.a1_in1k"])
    'joined:descriptors+timm:resnet50.a1_in1k'
    """
    return PREFIX + "+".join(encoders)


def identity_of(views: Sequence[View]) -> Identity:
    """One that changes whenever that of a part changes, a new fit included."""
    parts = [view.encoding.identity.as_json() for view in views]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return Identity(
        name=name_of_joined([view.encoding.encoder for view in views]),
        weights=digest[:16],
        preprocessing=1,
        dimension=sum(view.encoding.identity.dimension for view in views),
    )


def keep_joined(
    library: Library, collection: str, encoders: Sequence[str], *, report: Report = nobody
) -> dict[str, Any]:
    """Store encoders side by side as ready vectors of the images that have all of them.

    New pictures cannot be encoded so: index them with each encoder and keep the joined again,
    which takes the place of what was kept before.

    Returns
    -------
    dict
        ``encoder``, ``images``, ``dimension``.

    Raises
    ------
    NotFoundError
        If the collection has no vectors of an encoder, or no image has vectors of all.
    RangeError
        If fewer than two are named, one twice, or one that is joined itself.
    """
    if len(encoders) < 2 or len(set(encoders)) < len(encoders):
        raise RangeError(f"to be joined are {', '.join(encoders)}; expected two different or more")
    if nested := [name for name in encoders if name.startswith(PREFIX)]:
        raise RangeError(f"{nested[0]} is joined already; name what it is made of instead")
    there = library.catalogue.collection(collection)
    with library.workspace.writing(f"evaluate --collection {collection} --keep-joined"):
        views = [library.vectors(there, encoder) for encoder in encoders]
        ids = list(views[0].snapshot.ids)
        for view in views[1:]:
            others = set(view.snapshot.ids)
            ids = [id for id in ids if id in others]
        uris = {image.id: image.uri for image in library.catalogue.images(there.uid)}
        ids = [id for id in ids if id in uris]
        if not ids:
            raise NotFoundError(
                f"no image of collection {collection!r} has vectors of all of "
                f"{', '.join(encoders)}; index it with each of them"
            )
        identity = identity_of(views)
        before = {e.encoder: e for e in library.catalogue.encodings(there.uid)}.get(identity.name)
        encoding = Encoding(
            encoder=identity.name,
            identity=identity,
            generation=1 if before is None else before.generation + 1,
            created=now() if before is None else before.created,
            provenance={**library_versions("numpy"), "at": now(), "joined": list(encoders)},
        )
        store = Store.open(library.settings, library.workspace)
        store.drop_others(  # what a killed run left
            library.workspace,
            there.uid,
            identity.name,
            keep=0 if before is None else before.generation,
        )
        writer = store.vectors(library.workspace, there.uid, encoding)
        meter = Meter(report, "Writing vectors", len(ids))
        for start in range(0, len(ids), PAGE):
            part = ids[start : start + PAGE]
            rows = joined([vectors_of(view, part) for view in views])
            writer.put(part, [uris[id] for id in part], np.ascontiguousarray(rows))
            meter.advance(len(part))
        writer.close()
        library.catalogue.put_encoding(there.uid, encoding)
        if before is not None:
            store.drop(library.workspace, there.uid, identity.name, before.generation)
    return {"encoder": identity.name, "images": len(ids), "dimension": identity.dimension}
