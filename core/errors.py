"""What a person can be shown: every error says what came, what was expected and the next step."""

from __future__ import annotations


class CoreError(Exception):
    """Something a person can put right; its text is shown as it is, on one line."""


class RangeError(CoreError):
    """A number outside what is possible."""


class ShapeError(CoreError):
    """An array that is not of the expected shape or type."""


class NotFoundError(CoreError):
    """An unknown collection, encoder, image or job."""


class SourceError(CoreError):
    """A place images were to come from that cannot be used."""


class ImageError(CoreError):
    """A file that cannot be shown as a picture.

    Attributes
    ----------
    path : str
        The file or uri.
    reason : str
        Why, in words, without the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return type(self), (self.path, self.reason)  # crosses process boundaries


class EncoderError(CoreError):
    """An encoder that is unknown, or cannot do what was asked of it."""


class WeightsError(EncoderError):
    """Pretrained weights that are neither here nor to be had."""


class IdentityError(EncoderError):
    """Vectors of one encoder met those of another."""


class WorkspaceError(CoreError):
    """A workspace that cannot be read or written."""


class LockedError(WorkspaceError):
    """Another process is writing to this workspace."""


class StoreError(CoreError):
    """The vector store does not answer, or holds something unexpected."""


class BundleError(CoreError):
    """An exported filter that is damaged, cut short, or of another version."""


class StaleError(CoreError):
    """The collection changed since the page was drawn."""


class CancelledError(BaseException):
    """A person stopped the work; like KeyboardInterrupt, no handler of errors may swallow it."""
