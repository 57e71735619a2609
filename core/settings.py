"""One frozen Settings, built from the environment by the entry points and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import WorkspaceError

TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Settings:
    """Where things are and what is allowed."""

    workspace: Path
    """The one folder everything is written to."""
    store_url: str | None = None
    """A ``chroma run`` server, e.g. ``http://localhost:8000``; None is the workspace's own."""
    catalogue_url: str | None = None
    """An SQLAlchemy url; None is ``catalogue.sqlite`` in the workspace."""
    roots: tuple[Path, ...] = field(default_factory=tuple)
    """Folders a page may read from; the command line reads anywhere."""
    allow_private: bool = False
    """Whether addresses in private ranges may be read."""
    read_only: bool = False
    """Whether the dashboard only shows."""

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        *,
        workspace: str | Path | None = None,
        store: str | None = None,
        localhost: bool = True,
    ) -> Settings:
        """Settings from ``PLANKTON_*`` variables; what is given here wins.

        Parameters
        ----------
        environment : mapping
            Usually ``os.environ``.
        workspace : path, optional
            Else ``PLANKTON_WORKSPACE``, else ``./workspace``.
        store : url, optional
            Else ``PLANKTON_STORE``, else the embedded store.
        localhost : bool
            Whether pages are served to this machine alone; then they may read the home folder.
        """
        where = workspace or environment.get("PLANKTON_WORKSPACE") or "workspace"
        try:
            root = Path(where).expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:  # ~nobody, links in a circle, a NUL
            raise WorkspaceError(
                f"workspace is {str(where)!r} ({error}); expected a folder, e.g. ./workspace"
            ) from error
        roots = environment.get("PLANKTON_ROOTS")
        if roots is not None:
            folders = tuple(Path(part).expanduser().resolve() for part in roots.split(":") if part)
        else:
            folders = (Path.home().resolve(),) if localhost else ()
        store_url = store or environment.get("PLANKTON_STORE") or None
        if store_url and not store_url.startswith(("http://", "https://")):
            raise WorkspaceError(
                f"store is {store_url!r}; expected the url of a `chroma run` server, "
                "e.g. http://localhost:8000"
            )
        return cls(
            workspace=root,
            store_url=store_url,
            catalogue_url=environment.get("PLANKTON_CATALOGUE") or None,
            roots=folders,
            allow_private=environment.get("PLANKTON_ALLOW_PRIVATE", "").lower() in TRUE,
            read_only=environment.get("PLANKTON_READ_ONLY", "").lower() in TRUE,
        )
