"""Growing a label from a few images: the nearest undecided ones, screen by screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from core import labels
from core.errors import NotFoundError
from core.library import Library, View
from core.queueing import Screen, grow, stop_hint
from core.rounds import Round, Taken


@dataclass(frozen=True)
class _Judged:
    """What was said of one screen."""

    belong: tuple[str, ...]
    not_these: tuple[str, ...]


class Growing(Round):
    """A round of the images nearest to a set, which grows by what is accepted.

    What is turned down, or is something else, is not shown again and pushes the search away. Images
    of the set that nobody has decided on come first.

    Parameters
    ----------
    library : Library
    view : View
    seeds : ids, at least one
        What it begins from.
    seed : int
        Of the suggestions that give other labels by number.
    beside : Executor, optional
        Where those are made anew when that takes long.

    Raises
    ------
    NotFoundError
        If none of the seeds has a vector here.
    """

    def __init__(
        self,
        library: Library,
        view: View,
        seeds: Sequence[str],
        *,
        seed: int = 0,
        beside: Executor | None = None,
    ) -> None:
        super().__init__(library, view, seed=seed, beside=beside)
        here = set(view.snapshot.ids)
        self.seeds = [id for id in dict.fromkeys(seeds) if id in here]
        if not self.seeds:
            raise NotFoundError(
                f"none of the {len(seeds):,} images to grow from is in this collection with this "
                "encoder; choose images that are here"
            )
        self._judged: list[_Judged] = []
        self.label = self._commonest()
        """What they are: at first the validated label most of the seeds have, None without any."""

    def _commonest(self) -> str | None:
        self._look()
        said = Counter(self._known[id] for id in self.seeds if id in self._known)
        return said.most_common(1)[0][0] if said else None

    @property
    def members(self) -> list[str]:
        """The set so far: what it began from, but what was turned down, and what was accepted."""
        every = dict.fromkeys(self.seeds)
        every |= dict.fromkeys(id for judged in self._judged for id in judged.belong)
        down = set(self.turned_down)
        return [id for id in every if id not in down]

    @property
    def turned_down(self) -> list[str]:
        """Shown, and something else."""
        return [id for judged in self._judged for id in judged.not_these]

    @property
    def stop_hint(self) -> str | None:
        """A sentence that says it is time to stop, or None."""
        return stop_hint(
            [(len(j.not_these), len(j.not_these) + len(j.belong)) for j in self._judged]
        )

    def _next(self, strategy: str, size: int) -> Screen:
        """The undecided images nearest to the set; `strategy` is of no account."""
        done = self._decided | self._back
        first = [id for id in self.seeds if id not in done][:size]
        members, rest = self.members, size - len(first)
        nearest: list[str] = []
        if rest and members:
            nearest = grow(
                self._view.snapshot.vectors,
                self._view.snapshot.ids,
                members,
                undecided=set(self._view.snapshot.ids) - done,
                rejected=self.turned_down,
                size=rest,
            )
        ids = [*first, *nearest]
        why = _why(len(first), len(nearest), len(members))
        # a confidence learned from the few kinds there are would promise too much
        return Screen(self.label, ids, [None] * len(ids), self._likeliest(ids), why, "grow")

    def _likeliest(self, ids: Sequence[str]) -> list[tuple[tuple[str, float | None], ...]]:
        wanted, made = set(ids), self.suggestions
        place = {id: n for n, id in enumerate(made.ids) if id in wanted}
        return [made.at(place[id]).likeliest if id in place else () for id in ids]

    def accept(
        self, screen: Screen, label: str, given: Mapping[str, str | None], *, by: str
    ) -> Taken:
        """All of a screen belong to the set and are of this label, but those given."""
        taken = super().accept(screen, label, given, by=by)
        theirs = {since.image for since in taken.conflicts}
        down = tuple(id for id in screen.ids if id in given and given[id] != label)
        belong = tuple(id for id in screen.ids if id not in {*down, *theirs})
        self._judged.append(_Judged(belong, down))
        self.label = label
        return taken

    def undo(self, *, by: str) -> labels.Undone:
        """Take the last accepted screen back."""
        undone = super().undo(by=by)
        self._judged.pop()
        return undone


def _why(first: int, nearest: int, members: int) -> str:
    """Why these: so many of the seeds, so many that are near to the members."""
    if not first and not nearest:
        return "Nothing undecided is left to show."
    if not first:
        return f"The nearest to the {f'{members:,} images' if members > 1 else 'image'} you have."
    began = f"{first:,} images" if first > 1 else "The image"
    near = f", and the nearest to {'them' if first > 1 else 'it'}" if nearest else ""
    return f"{began} you began from, which nobody has decided on yet{near}."
