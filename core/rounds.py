"""A person's way through the undecided images of a collection, a screen at a time."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

from core import labels
from core.calibration import TrackRecord
from core.errors import RangeError
from core.labels import Decision, Since
from core.library import Library, View
from core.proposing import OPEN, suggest_from, validated
from core.queueing import Screen, next_screen
from core.suggestions import Suggestions

RENEW_MOST = 24
RENEW_SHARE = 0.04
"""Suggestions are made anew once this share of what they were learned from was decided since, or
so many images, whichever is more; sooner while there are few labels."""
RENEWED_AT_ONCE = 10_000_000
"""Comparisons of images with labels that take under a second or so."""
CHECK_EVERY = 5
CHECK_IMAGES = 3
"""Every so many screens, so many images accepted before are mixed in again."""
PRACTICE_IMAGES = 300
PRACTICE_GIVEN = 0.2
"""Share of the labels that a practice round begins with."""
BREAK_S = 120.0
"""A pause longer than this is none of the time worked."""


@dataclass(frozen=True)
class Taken:
    """What accepting a screen did."""

    action: str | None
    """None where nothing was left to say."""
    labelled: int
    conflicts: tuple[Since, ...] = ()
    """Images somebody else decided otherwise while the screen was shown. They stay as they are."""


@dataclass(frozen=True)
class Account:
    """How a round goes."""

    decided: int
    left: int
    actions: int
    """Screens accepted and images corrected or sent back."""
    seconds: float
    checked: int
    """Accepted images that were shown again."""
    agreed: int
    right: int | None
    """Of a practice round: images whose hidden label was found."""

    @property
    def an_hour(self) -> float | None:
        """Images an hour; None before there is anything to tell it by."""
        return self.decided / self.seconds * 3600 if self.seconds > 20 and self.decided else None

    @property
    def hours_left(self) -> float | None:
        return self.left / self.an_hour if self.an_hour else None


@dataclass(frozen=True)
class _Done:
    action: str | None
    ids: tuple[str, ...]
    back: frozenset[str]
    actions: int
    checked: int
    agreed: int
    answers: int
    """What it added to the track record."""


class Round:
    """Screens of images that should all be one kind, and what was decided about them.

    What is decided is on disk before `accept` returns, but for a practice round, which hides the
    labels there are and keeps its answers to itself.

    Parameters
    ----------
    library : Library
    view : View
    practice : bool
    seed : int
        Of the suggestions, and of what a practice round hides.
    beside : Executor, optional
        Where suggestions are made anew when that takes long; the last ones are gone by meanwhile.
        Without one everything waits for them.
    """

    def __init__(
        self,
        library: Library,
        view: View,
        *,
        practice: bool = False,
        seed: int = 0,
        beside: Executor | None = None,
    ) -> None:
        self._library, self._view, self.practice = library, view, practice
        self._seed, self._chance = seed, random.Random(seed)
        self._beside = beside
        self._renewed: tuple[Future[Suggestions], int] | None = None
        """Being made, and from how many labels."""
        self._suggestions: Suggestions | None = None
        self._learned_from = 0
        self._back: set[str] = set()
        self._done: list[_Done] = []
        self._accepted: dict[str, str] = {}
        self._recent: deque[str] = deque(maxlen=4)
        self._seconds, self._shown_at = 0.0, None if practice else time.monotonic()
        self._asked = 0
        self._seen = 0
        self._known: dict[str, str] = {}
        self._passed: set[str] = set()
        self._gone: set[str] = set()
        self._record, self._shift = TrackRecord(), 0.0
        self._down: Mapping[str, Collection[str]] = {}
        self._hidden: dict[str, str] = {}
        if practice:
            self._hide()

    def _hide(self) -> None:
        """Some labelled images are asked again; others stay known, to suggest from."""
        inside = set(self._view.snapshot.ids)
        now = labels.current(self._library.catalogue, self._view.collection.uid)
        every = {id: label for id, label in validated(now).items() if id in inside}
        ids = sorted(every)
        self._chance.shuffle(ids)
        given = max(1, round(PRACTICE_GIVEN * len(ids)))
        self._hidden = {id: every[id] for id in ids[given : given + PRACTICE_IMAGES]}
        self._known = {id: every[id] for id in ids[:given]}

    def _look(self) -> None:
        """What everybody has decided by now."""
        if self.practice:
            return
        catalogue, uid = self._library.catalogue, self._view.collection.uid
        seen = labels.revision(catalogue, uid)
        now = labels.current(catalogue, uid)
        self._seen = seen
        self._known = validated(now)
        self._down = labels.turned_down(catalogue, uid)
        self._passed = {id for id, each in now.items() if each.status not in OPEN}

    @property
    def suggestions(self) -> Suggestions:
        """What is proposed for what was undecided when it was last learned.

        Its confidences take account of how those shown before came out.
        """
        if self._renewed and self._renewed[0].done():
            (made, learned_from), self._renewed = self._renewed, None
            self._suggestions, self._learned_from = made.result(), learned_from
        before, news = self._learned_from, abs(len(self._known) - self._learned_from)
        soon = max(1.0, min(RENEW_MOST, before / 4), RENEW_SHARE * before)
        if self._suggestions is None or (news >= soon and self._renewed is None):
            every = self._hidden if self.practice else self._view.snapshot.ids
            known, undecided = dict(self._known), set(every) - self._passed
            make = partial(
                suggest_from, self._library, self._view, known, undecided,
                ruled_out=self._down, seed=self._seed,
            )  # fmt: skip
            long = len(known) * len(undecided) > RENEWED_AT_ONCE
            if self._suggestions is not None and self._beside is not None and long:
                self._renewed = self._beside.submit(make), len(known)
            else:
                self._suggestions, self._learned_from = make(), len(known)
        return self._suggestions.shifted(self._shift)

    @property
    def vocabulary(self) -> list[str]:
        """Every label in use, by name."""
        return sorted(set(self._known.values()))

    def screen(self, strategy: str, size: int) -> Screen:
        """The next images; what others decided meanwhile is not among them.

        Raises
        ------
        RangeError
            If the strategy is unknown or size is below 1.
        """
        self._look()
        self._shift = self._record.shift
        found = self._next(strategy, size)
        while gone := self._missing(found.ids):  # deleted since the vectors were read
            self._gone |= gone
            found = self._next(strategy, size)
        if self._shown_at is None:
            self._shown_at = time.monotonic()
        return self._with_checks(found)

    def _next(self, strategy: str, size: int) -> Screen:
        done = self._decided
        found = next_screen(self.suggestions, strategy, size, skip=done | self._back)
        if not found.ids and self._back:  # what was sent back comes again at the end
            self._back.clear()
            found = next_screen(self.suggestions, strategy, size, skip=done)
        return found

    @property
    def _decided(self) -> set[str]:
        """What is not to be asked: known, passed by, or deleted meanwhile."""
        return self._passed | set(self._known) | self._gone

    def _missing(self, ids: Sequence[str]) -> set[str]:
        """Which of these the catalogue has no image of any more."""
        found = self._library.catalogue.images(self._view.collection.uid, ids)
        return set(ids) - {image.id for image in found}

    def _with_checks(self, screen: Screen) -> Screen:
        self._asked += 1
        if self._asked % CHECK_EVERY or screen.label is None or not screen.ids:
            return screen
        before = sorted(id for id, label in self._accepted.items() if label == screen.label)
        some = self._chance.sample(before, min(CHECK_IMAGES, len(before)))
        if not some:
            return screen
        every = list(
            zip(
                [*screen.ids, *some],
                [*screen.confidence, *[None] * len(some)],
                [*screen.likeliest, *[()] * len(some)],
                strict=True,
            )
        )
        self._chance.shuffle(every)
        ids, confidence, likeliest = (list(part) for part in zip(*every, strict=True))
        return replace(screen, ids=ids, confidence=confidence, likeliest=likeliest)

    def answers(self, screen: Screen, place: int, most: int) -> list[str]:
        """Labels to offer for an image instead, the likeliest first, then those given lately."""
        offered = [label for label, _ in screen.likeliest[place]]
        offered += reversed(self._recent)
        kept = [label for label in dict.fromkeys(offered) if label != screen.label]
        return kept[:most]

    def evidence(self, screen: Screen, most: int) -> list[str]:
        """Labelled images that a screen's label was concluded from, those of most images first."""
        if screen.label is None:
            return []
        wanted, made = set(screen.ids), self.suggestions
        concluded = (made.at(place) for place, id in enumerate(made.ids) if id in wanted)
        counted = Counter(
            id for each in concluded if each.label == screen.label for id in each.evidence
        )
        return [id for id, _ in counted.most_common(most)]

    def accept(
        self, screen: Screen, label: str, given: Mapping[str, str | None], *, by: str
    ) -> Taken:
        """All of a screen are of this label, but those that are something else or sent back.

        Parameters
        ----------
        screen : Screen
        label : str
        given : id -> label or None
            None for an image of which nobody says what it is: the label is rejected for it.
        by : str

        Raises
        ------
        RangeError
            If the label is empty, nobody says it, or an image is not on the screen.
        """
        self._check(screen, label, given, by)
        said = {id: given.get(id, label) for id in screen.ids}
        checks = {id for id in said if id in self._accepted}
        agreed = sum(said[id] == self._accepted[id] for id in checks)
        news = {
            id: name
            for id, name in said.items()
            if name is not None and self._accepted.get(id) != name
        }
        back = {id for id, name in said.items() if name is None}
        action: str | None = None
        conflicts: tuple[Since, ...] = ()
        if not self.practice and (news or back):
            told = [
                self._decision(screen, id, name, screen_label=label) for id, name in news.items()
            ]
            told += [Decision(id, label, "rejected", reason=screen.why) for id in sorted(back)]
            decided = labels.decide(
                self._library.catalogue, self._view.collection.uid, told,
                by=by, how="suggestion", seen=self._seen,
            )  # fmt: skip
            action, conflicts = decided.action, decided.conflicts
            for since in conflicts:
                news.pop(since.image, None)
                back.discard(since.image)
                self._passed.add(since.image)
            for id in back & checks:  # said before, and taken back by this
                del self._accepted[id]
        answers = 0
        for id, confidence in zip(screen.ids, screen.confidence, strict=True):
            if confidence is not None and (id in news or id in back):
                self._record.add(confidence, said[id] == screen.label, shift=self._shift)
                answers += 1
        self._back |= back
        self._accepted |= news
        self._known |= news
        self._recent.extend(name for name in dict.fromkeys(news.values()) if name != label)
        fresh = tuple(id for id in news if id not in checks)
        done = _Done(action, fresh, frozenset(back), 1 + len(given), len(checks), agreed, answers)
        self._done.append(done)
        self._clock()
        return Taken(action, len(news), conflicts)

    def _check(self, screen: Screen, label: str, given: Mapping[str, str | None], by: str) -> None:
        if not label.strip():
            raise RangeError("the screen has no label; expected the name of what is on it")
        if not by.strip():
            raise RangeError("nobody says so; expected the name of who decides")
        if strange := next(iter(sorted(set(given) - set(screen.ids))), None):
            raise RangeError(f"{strange!r} is not on the screen; expected images that are")

    def _decision(self, screen: Screen, id: str, label: str, *, screen_label: str) -> Decision:
        place = screen.ids.index(id)
        proposed = label == screen.label
        said = screen.confidence[place] if proposed else dict(screen.likeliest[place]).get(label)
        reason = screen.why if label == screen_label else f"corrected from {screen_label}"
        return Decision(id, label, "validated", said, reason)

    def skip(self, screen: Screen) -> None:
        """Leave a screen for later."""
        self._back |= set(screen.ids)
        self._clock()

    @property
    def undoable(self) -> bool:
        """Whether there is a screen to take back."""
        return bool(self._done)

    def undo(self, *, by: str) -> labels.Undone:
        """Take the last accepted screen back.

        Raises
        ------
        RangeError
            If there is none.
        """
        if not self._done:
            raise RangeError("there is no screen to take back; expected one that was accepted")
        last = self._done.pop()
        undone = labels.Undone(last.ids, (), last.action or "")
        if last.action is not None:
            undone = labels.undo(
                self._library.catalogue, self._view.collection.uid, last.action, by=by
            )
        for id in last.ids:
            self._accepted.pop(id, None)
            self._known.pop(id, None)
        self._back -= last.back
        self._record.forget(last.answers)
        return undone

    def _clock(self) -> None:
        now = time.monotonic()
        if self._shown_at is not None:
            self._seconds += min(now - self._shown_at, BREAK_S)
        self._shown_at = now

    def account(self) -> Account:
        """How it goes so far."""
        ids = [id for done in self._done for id in done.ids]
        every = self._hidden if self.practice else self._view.snapshot.ids
        return Account(
            decided=len(ids),
            left=len(set(every) - self._decided),
            actions=sum(done.actions for done in self._done),
            seconds=self._seconds,
            checked=sum(done.checked for done in self._done),
            agreed=sum(done.agreed for done in self._done),
            right=sum(self._accepted.get(id) == self._hidden[id] for id in ids)
            if self.practice
            else None,
        )
