"""The names a collection's labels go by: which are in use, other names for them, likely typos."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core import labels
from core.catalogue import Catalogue, nearby
from core.errors import NotFoundError, RangeError

LONGEST = 200
"""Letters; EcoTaxa's longest names with their parents have about 100."""

ALIKE = 0.85
"""Share of letters in common from which two names may be one: two of `Copepoda`'s may differ."""


@dataclass(frozen=True)
class Name:
    """A name in use."""

    name: str
    images: int
    validated: int
    """How many of these images a person, or an import, is sure of."""


@dataclass(frozen=True)
class Renamed:
    """What giving another name did."""

    action: str
    """Taken back by `labels.undo`."""
    images: int


def names(catalogue: Catalogue, uid: str) -> list[Name]:
    """Names of current labels, the most frequent first."""
    known = list(labels.current(catalogue, uid).values())
    images = Counter(each.label for each in known if each.label is not None)
    sure = Counter(each.label for each in known if each.status == "validated")
    found = [Name(name, count, sure[name]) for name, count in images.items()]
    return sorted(found, key=lambda each: (-each.images, each.name))


def rename(catalogue: Catalogue, uid: str, old: str, new: str, *, by: str) -> Renamed:
    """Give a label another name: one action of an event an image that now has it.

    What was said before stays in the history; status and confidence stay as they are.

    Raises
    ------
    NotFoundError
        If no image has the old label.
    RangeError
        If the new name will not do, or is in use: then `merge` is what is meant.
    """
    check_name(new)
    known = [each.name for each in names(catalogue, uid)]
    _check_known([old], known)
    if new in known:
        what = "that is its name already" if new == old else "merge the two, or choose another name"
        raise RangeError(f"a label is called {new!r} already; {what}")
    done = labels.replace(catalogue, uid, [old], new, by=by, how="rename")
    return Renamed(done.action, done.events)


def merge(catalogue: Catalogue, uid: str, old: Sequence[str], new: str, *, by: str) -> Renamed:
    """Make one label of several, in use or not; otherwise as `rename`.

    Raises
    ------
    NotFoundError
        If no image has one of the old labels.
    RangeError
        If the new name will not do, or nothing would change.
    """
    check_name(new)
    _check_known(old, [each.name for each in names(catalogue, uid)])
    others = [name for name in dict.fromkeys(old) if name != new]
    if not others:
        raise RangeError(f"nothing is to become {new!r}; expected 1 other label or more")
    done = labels.replace(catalogue, uid, others, new, by=by, how="merge")
    return Renamed(done.action, done.events)


def _check_known(wanted: Iterable[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise NotFoundError(f"no image has the label {name!r}; {nearby(name, known)}")


def check_name(name: str) -> None:
    """Refuse a name that would not work in a table, in a link or on screen.

    Raises
    ------
    RangeError
        Saying what is allowed.
    """
    if not 1 <= len(name) <= LONGEST or name != name.strip() or not name.isprintable():
        raise RangeError(
            f"the label is {name[:100]!r}; expected 1 to {LONGEST} printable characters without "
            "blanks at its ends"
        )


def close_to(name: str, known: Iterable[str]) -> list[str]:
    """Known names that may be meant by one that is not among them, the likeliest first.

    They differ in case, signs, plural or a few letters. Other numbers are other names: `sp1` is no
    typo of `sp2`.

    Returns
    -------
    list of str
        Empty where the name is known as it is.

    Examples
    --------
    >>> close_to("Copepod", ["Detritus", "copepods"])
    ['copepods']
    >>> close_to("Chaetoceros sp1", ["Chaetoceros sp2"])
    []
    """
    every = list(dict.fromkeys(known))
    if name in every:
        return []
    wanted = _plain(name)
    digits = re.findall(r"\d+", wanted)
    likely: list[tuple[float, str]] = []
    for other in every:
        plain = _plain(other)
        if re.findall(r"\d+", plain) != digits:
            continue
        ratio = difflib.SequenceMatcher(None, wanted, plain, autojunk=False).ratio()
        if wanted == plain or ratio >= ALIKE:
            likely.append((-ratio, other))
    return [other for _, other in sorted(likely)]


def _plain(name: str) -> str:
    """A name without case, accents, signs between words, and the plural of its words."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    words = re.findall(r"\w+", "".join(c for c in letters if not unicodedata.combining(c)))
    return " ".join(_singular(word) for part in words for word in part.split("_") if word)


def _singular(word: str) -> str:
    """
    Examples
    --------
    >>> [_singular(word) for word in ("copepods", "larvae", "bodies", "gas", "fungus", "mass")]
    ['copepod', 'larva', 'body', 'gas', 'fungus', 'mass']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith("ae"):
        return word[:-1]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
