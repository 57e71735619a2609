"""A workspace opened for reading: its catalogue and, per encoder, the snapshot of its vectors."""

from __future__ import annotations

from dataclasses import dataclass

from core.catalogue import Catalogue, Collection, Encoding
from core.errors import NotFoundError, WorkspaceError
from core.settings import Settings
from core.snapshot import Snapshot, open_snapshot, version
from core.workspace import Workspace


@dataclass(frozen=True)
class Library:
    """What every command and page works on."""

    settings: Settings
    workspace: Workspace
    catalogue: Catalogue

    @classmethod
    def open(cls, settings: Settings) -> Library:
        """Open, or make, the workspace of these settings."""
        return cls(settings, Workspace.open(settings), Catalogue.open(settings))

    def close(self) -> None:
        self.catalogue.close()

    def vectors_version(self, collection: Collection, encoding: Encoding) -> str:
        """Changes whenever `vectors` would give something else; cheap to ask."""
        folder = self.workspace.snapshot(collection.uid, encoding.encoder, encoding.generation)
        return f"{encoding.generation}.{version(folder)}"

    def vectors(self, collection: Collection, encoder: str | None = None) -> View:
        """One encoder's vectors of one collection, as they are now.

        Raises
        ------
        NotFoundError
            If the collection was not indexed with that encoder, or holds no vectors yet.
        """
        encoding = self.catalogue.encoding(collection, encoder)
        try:
            return self._view(collection, encoding)
        except (NotFoundError, WorkspaceError, FileNotFoundError):
            fresh = self.catalogue.encoding(collection, encoder)
            if fresh.generation == encoding.generation:
                raise
            return self._view(collection, fresh)  # refitted while we looked

    def _view(self, collection: Collection, encoding: Encoding) -> View:
        folder = self.workspace.snapshot(collection.uid, encoding.encoder, encoding.generation)
        return View(collection, encoding, open_snapshot(folder))


@dataclass(frozen=True)
class View:
    """A collection as one encoder sees it, at one moment."""

    collection: Collection
    encoding: Encoding
    snapshot: Snapshot
