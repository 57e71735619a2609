"""A trained filter, and what can be said of it at any working point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.encoders import vectors_only
from core.encoders.card import Identity
from core.errors import RangeError
from core.outcome import Screened
from core.screening import Model


@dataclass(frozen=True)
class Screen:
    """A trained filter with everything a page, a table or an export says of it."""

    name: str
    collection: str
    """Name of the collection when it was trained."""
    identity: Identity
    """Of the encoder whose vectors it decides on."""
    fit: Mapping[str, Any] | None
    """What was fitted of that encoder."""
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    target: float
    """Recall aimed at."""
    threshold: float
    promised: bool
    """Whether `target` is promised at `threshold`."""
    labels_needed: int
    familiar_from: float
    seed: int
    value_range: tuple[float, float] | None
    """Black and white in images of more than 8 bits, where the collection states it."""
    training: Mapping[str, Any]
    """``images``, ``keep``, ``drop``: labels learned from; ``copies_left_out``, ``fingerprint``;
    ``unfamiliar_share`` and ``quantiles`` of the whole collection."""
    learning: Mapping[str, Any]
    """A learning curve: ``points``, ``gain``, ``why``."""
    why: str | None
    """Why validation is by image though samples are known."""
    versions: Mapping[str, str]
    model: Model
    screened: Screened
    created: str = ""
    made_by: str | None = None
    """Of vectors made elsewhere: the encoder they were shown to be of."""

    @property
    def reads_pictures(self) -> bool:
        """Whether the filter can be run over pictures: their vectors can be made again."""
        return not vectors_only(self.made_by or self.identity.name)

    def at_target(self, target: float) -> Screen:
        """The same filter with the threshold for another target recall.

        Raises
        ------
        RangeError
            If the target is not in 0.5 to 0.999.
        """
        said = self.screened.promise(target)
        return replace(
            self,
            target=target,
            threshold=said.threshold,
            promised=said.promised,
            labels_needed=said.labels_needed,
        )

    def at_threshold(self, threshold: float) -> Screen:
        """The same filter with a threshold somebody chose; the target stays what is aimed at.

        The target is promised only at or below the threshold that was found for it: a lower one
        keeps no less, a higher one was chosen after looking.

        Raises
        ------
        RangeError
            If the threshold is not in 0 to 1.
        """
        if not 0 <= threshold <= 1:
            raise RangeError(f"the threshold is {threshold}; expected 0 to 1")
        found = self.at_target(self.target)
        return replace(
            found, threshold=threshold, promised=found.promised and threshold <= found.threshold
        )

    def figures(self) -> dict[str, Any]:
        """What `screen train` says: the fields of the contract, and more."""
        at = self.screened.at(self.threshold).as_json()
        del at["kept"], at["dropped"]
        accuracy_at = at.pop("accuracy")
        return {
            "model": self.name,
            "target_recall": self.target,
            "promised": self.promised,
            "labels_needed": self.labels_needed,
            **at,
            "accuracy": self.screened.accuracy,
            "accuracy_at_threshold": accuracy_at,
            "average_precision": self.screened.average_precision,
            "validated_by": self.screened.validated_by,
            "validated_by_why": self.why,
            "design_effect": self.screened.effect,
            "keep": list(self.keep),
            "drop": list(self.drop),
            "training": {k: v for k, v in self.training.items() if k != "quantiles"},
            "learning": dict(self.learning),
        }
