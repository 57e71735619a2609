"""What a filter really loses: a person looks at some of what was dropped, and says so.

Every dropped image has a place in one shuffled order, by a hash of the seed and its id. A round
shows the next ones of that order, so all rounds together are one random sample, drawn without
putting back, also of a report that has grown: what is new and comes early is shown first.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.arrays import Rgb
from core.cells import is_formula, unescaped
from core.deciding import value_range_of
from core.drift import drift, in_words
from core.errors import CoreError, ImageError, RangeError, SourceError
from core.images import ValueRange, contact_sheet, fit_within, read_image
from core.ledger import Row, read_report
from core.workspace import read_json, write_json
from core.writing import whole_file

ABOUT = "audit.json"
COLUMNS = ("number", "id", "uri", "answer")
"""Of a round. Not the score, nor on the sheets: who sees it agrees with it more often."""

WANTED = {"keep", "lost", "yes", "y", "1", "true", "plankton"}
RIGHT = {"drop", "ok", "no", "n", "0", "false"}
UNSURE = {"?", "unsure"}
EXPECTED = "keep (it was wanted), drop (rightly dropped), ? (cannot be said) or nothing yet"

MOST = 1_000
"""Images of one round."""
A_SHEET = 120
"""Pictures on one contact sheet: 20 rows."""
TILE = 160
LEVEL = 0.95


@dataclass(frozen=True)
class Lost:
    """How many of the dropped images were wanted, from those looked at."""

    share: float
    """Of the images looked at."""
    low: float
    high: float
    """Of all dropped images, with 95 % confidence."""
    looked_at: int
    dropped: int


def estimate(wanted: int, looked_at: int, dropped: int) -> Lost:
    """What a sample drawn without putting back says of all dropped images.

    The interval is that of Clopper and Pearson for a finite number of images: the numbers of
    wanted ones among all that would not have made this sample a surprise at 2.5 % on either side
    (hypergeometric). Of many images it is the one of the binomial; once all were looked at it is
    a point.

    Parameters
    ----------
    wanted : int
        Images looked at that should have been kept.
    looked_at : int
        1 to `dropped`.
    dropped : int
        All dropped images.

    Raises
    ------
    RangeError
        If the numbers cannot be.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404; Buonaccorsi (1987), Am. Stat. 41, 215.

    Examples
    --------
    >>> of_many = estimate(0, 300, 10**7)
    >>> round(of_many.low, 4), round(of_many.high, 4)
    (0.0, 0.0122)
    >>> estimate(2, 8, 8).low, estimate(2, 8, 8).high
    (0.25, 0.25)
    """
    from scipy.stats import hypergeom

    if not 0 <= wanted <= looked_at <= dropped or not looked_at:
        raise RangeError(
            f"{wanted} wanted of {looked_at} looked at of {dropped} dropped images; expected each "
            "at most the next, and some looked at"
        )
    tail = (1 - LEVEL) / 2

    def too_few(k: int) -> bool:
        """Whether so many would be a surprise, had only k of all been wanted."""
        return wanted > 0 and bool(hypergeom.sf(wanted - 1, dropped, k, looked_at) <= tail)

    def too_many(k: int) -> bool:
        return bool(hypergeom.cdf(wanted, dropped, k, looked_at) <= tail)

    least, most = wanted, dropped - (looked_at - wanted)
    low, high = least, most
    while low < high:  # the smallest that is no surprise
        middle = (low + high) // 2
        low, high = (middle + 1, high) if too_few(middle) else (low, middle)
    smallest = low
    low, high = least, most
    while low < high:  # the largest
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if too_many(middle) else (middle, high)
    return Lost(wanted / looked_at, smallest / dropped, low / dropped, looked_at, dropped)


def audit(
    report: Path,
    *,
    to: Path | None = None,
    draw: int | None = None,
    card: Mapping[str, Any] | None = None,
    recent: int = 1_000,
    seed: int,
) -> dict[str, Any]:
    """Reckon from the answers there are, and draw a further round where one is asked for.

    Parameters
    ----------
    report : Path
        What `core.applying.apply` wrote.
    to : Path, optional
        Folder of the rounds. A round is ``round_N.csv``, whose column ``answer`` a person fills
        in, and its contact sheets, whose captions are the numbers of its rows.
    draw : int, optional
        Images of a further round, 1 to 1,000; fewer where fewer are left.
    card : mapping, optional
        The filter's, to compare recent images with its training.
    recent : int
        The last rows of the report that count as recent.
    seed : int
        Decides the order; the same for all rounds of a folder.

    Returns
    -------
    dict
        ``lost_share`` of the dropped images, its ``ci95`` and ``looked_at`` (null, with ``why``,
        before the first answer); ``lost_images`` with its interval; ``recall_about``: of all
        wanted images the share that was kept, where scores of kept images are taken at their
        word; ``drift``; ``warnings``.

    Raises
    ------
    SourceError
        If a file is not what it should be, or nothing was dropped.
    RangeError
        If an answer, or a number asked for, cannot be.
    CoreError
        If the folder cannot be written.
    """
    if draw is not None and (to is None or not 1 <= draw <= MOST):
        raise RangeError(
            f"--draw is {draw}{'' if to else ' and --to names no folder'}; expected 1 to "
            f"{MOST:,} images and a folder for them"
        )
    if recent < 1:
        raise RangeError(f"--recent is {recent}; expected 1 or more images")
    seen = _Seen(report, seed, recent)
    rounds = [] if to is None else _rounds(to, report, seed)
    answers: dict[str, str] = {}
    for path in rounds:
        answers.update(_answers(path))
    result = _reckoned(seen, answers, card)
    result["rounds"] = len(rounds)
    result["drift"] = None if card is None else seen.drift(card)
    if card is not None and (said := in_words(result["drift"])) is not None:
        result["warnings"].append(said)
    if draw is not None and to is not None:
        value_range = None if card is None else value_range_of(dict(card))
        result.update(_draw(to, len(rounds) + 1, report, seen, set(answers), draw, value_range))
    return result


class _Seen:
    """What a report says, read once; an image whose file changed is what it was last."""

    def __init__(self, report: Path, seed: int, recent: int) -> None:
        self.report, self.seed = report, seed
        self.dropped: dict[bytes, None] = {}
        kept: dict[bytes, float] = {}
        self.last: deque[Row] = deque(maxlen=recent)
        for row in read_report(report):
            key = _key(row.id)
            self.last.append(row)
            if row.keep:
                self.dropped.pop(key, None)
                kept[key] = 0.0 if row.score is None or row.unfamiliar else row.score
            else:
                kept.pop(key, None)
                self.dropped[key] = None
        self.images = len(kept) + len(self.dropped)
        self.kept_wanted = float(sum(kept.values()))

    def is_dropped(self, id: str) -> bool:
        return _key(id) in self.dropped

    def place(self, id: str) -> int:
        """Where an image stands in the shuffled order."""
        return place_of(id, self.seed)

    def first(self, n: int, without: set[str]) -> list[Row]:
        """The first n dropped images of the order that were not shown yet, in that order."""
        rows = (r for r in read_report(self.report) if not r.keep and r.id not in without)
        there = {row.id: row for row in rows if self.is_dropped(row.id)}
        return heapq.nsmallest(n, there.values(), key=lambda row: self.place(row.id))

    def unseen_before(self, place: int, shown: set[str]) -> int:
        """Dropped images not shown that stand before a place."""
        ids = {row.id for row in read_report(self.report) if not row.keep}
        left = (id for id in ids - shown if self.is_dropped(id))
        return sum(self.place(id) < place for id in left)

    def drift(self, card: Mapping[str, Any]) -> dict[str, Any]:
        read = [row for row in self.last if row.score is not None]
        return drift(
            card,
            scores=np.array([row.score for row in read], np.float64),
            nearest=np.array([r.nearest for r in read if r.nearest is not None], np.float64),
            unfamiliar=sum(row.unfamiliar for row in self.last),
            n=len(self.last),
        )


def _reckoned(
    seen: _Seen, answers: Mapping[str, str], card: Mapping[str, Any] | None
) -> dict[str, Any]:
    shown = [id for id in answers if seen.is_dropped(id)]
    said = {id: answers[id] for id in shown if answers[id] in WANTED | RIGHT}
    wanted = sum(answer in WANTED for answer in said.values())
    warnings: list[str] = []
    result: dict[str, Any] = {
        "lost_share": None,
        "ci95": None,
        "looked_at": len(said),
        "wanted": wanted,
        "dropped": len(seen.dropped),
        "images": seen.images,
        "shown": len(shown),
        "unsure": sum(answers[id] in UNSURE for id in shown),
        "lost_images": None,
        "recall_about": None,
        "warnings": warnings,
        "why": None,
    }
    if not seen.dropped:
        result["why"] = "nothing was dropped, so nothing can be lost"
        return result
    if others := len(answers) - len(shown):
        warnings.append(
            f"{others:,} of {len(answers):,} images in the rounds are not dropped in this report "
            "(decided anew since, or an id was changed by hand) and are not counted"
        )
    if not said:
        result["why"] = (
            "nobody has looked yet; draw some with --draw N --to DIR and fill in answers"
        )
        return result
    if len(said) < len(shown):
        warnings.append(
            f"{len(shown) - len(said):,} of {len(shown):,} images shown have no answer yet; those "
            "left out may be the doubtful ones"
        )
    last = max(seen.place(id) for id in shown)
    if new := seen.unseen_before(last, set(answers)):
        warnings.append(
            f"the report has grown: about {new:,} dropped images were not there when the rounds "
            "were drawn and should have been among them; draw another round"
        )
    lost = estimate(wanted, len(said), len(seen.dropped))
    low, high = lost.low * lost.dropped, lost.high * lost.dropped
    result["lost_share"], result["ci95"] = lost.share, [lost.low, lost.high]
    result["lost_images"] = {"value": lost.share * lost.dropped, "ci95": [round(low), round(high)]}
    recall = recall_about(seen.kept_wanted, lost)
    if recall is not None:
        result["recall_about"] = {"value": recall[0], "ci95": list(recall[1:])}
    target = None if card is None else card.get("target_recall")
    if target is not None and result["recall_about"] is not None:
        most = result["recall_about"]["ci95"][1]
        if most < float(target):
            warnings.append(
                f"at most about {most:.1%} of what is wanted was kept, and {float(target):.1%} was "
                "the target: label some of these images, then train and export the filter again"
            )
    return result


def recall_about(kept: float, lost: Lost) -> tuple[float, float, float] | None:
    """Of all wanted images the share that was kept, with the ends of its 95 % interval.

    Parameters
    ----------
    kept : float
        Wanted images among the kept, as their scores say.

    Returns
    -------
    (value, low, high) or None
        None where nothing wanted was kept.

    Examples
    --------
    >>> recall_about(90, Lost(0.2, 0.1, 0.3, 50, 100)) == (90 / 110, 90 / 120, 90 / 100)
    True
    """
    if not kept:
        return None
    value, low, high = (
        kept / (kept + share * lost.dropped) for share in (lost.share, lost.high, lost.low)
    )
    return value, low, high


def place_of(id: str, seed: int) -> int:
    """Where an image stands in the shuffled order, whatever others there are."""
    text = f"{seed}\n{id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _rounds(to: Path, report: Path, seed: int) -> list[Path]:
    """Tables of earlier rounds, in their order."""
    try:
        about = read_json(to / ABOUT)
    except (OSError, ValueError) as error:
        raise SourceError(f"{to / ABOUT} cannot be read ({error}); choose another --to") from error
    if about is None:
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise SourceError(f"{to} holds other files; choose a new or an empty folder as --to")
        return []
    if about.get("report") != str(report):
        raise SourceError(
            f"{to} holds rounds of {about.get('report')}, and {report} came; choose another --to"
        )
    if about.get("seed") != seed:
        raise RangeError(
            f"the rounds in {to} were drawn with --seed {about.get('seed')}; leave {seed} out"
        )
    numbers = range(1, int(about["rounds"]) + 1)
    return [to / f"round_{number}.csv" for number in numbers]


def _answers(path: Path) -> dict[str, str]:
    """Id -> answer in small letters."""
    try:
        stream = path.open(encoding="utf-8-sig", errors="surrogatepass", newline="")
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); put the round back"
        ) from error
    try:
        with stream:
            text = stream.read()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start:,}); save it again as "
            '"CSV UTF-8"'
        ) from error
    first = text.partition("\n")[0]
    lines = io.StringIO(text, newline="")  # splitlines would also split at what ids may hold
    table = csv.DictReader(lines, delimiter=";" if ";" in first else ",")
    if not {"id", "answer"} <= set(table.fieldnames or ()):
        raise SourceError(f"{path} has no columns id and answer; expected those of the round")
    found = {}
    for row in table:
        answer = (row["answer"] or "").strip().lower()
        if answer and answer not in WANTED | RIGHT | UNSURE:
            raise RangeError(
                f"{path}, line {table.line_num}: the answer is {answer[:40]!r}; expected {EXPECTED}"
            )
        found[unescaped(row["id"] or "")] = answer
    return found


def _draw(
    to: Path,
    number: int,
    report: Path,
    seen: _Seen,
    shown: set[str],
    n: int,
    value_range: ValueRange | None,
) -> dict[str, Any]:
    rows = seen.first(n, shown)
    if not rows:
        return {"drawn": 0, "fill_in": None, "look_at": []}
    try:
        to.mkdir(parents=True, exist_ok=True)
        table = to / f"round_{number}.csv"
        sheets = list(_sheets(to, number, rows, value_range))
        with (
            whole_file(table) as path,
            path.open("w", encoding="utf-8-sig", errors="surrogatepass", newline="") as stream,
        ):
            out = csv.writer(stream)
            out.writerow(COLUMNS)
            for i, row in enumerate(rows, 1):
                cells = [str(i), row.id, row.uri, ""]
                out.writerow(f"'{text}" if is_formula(text) else text for text in cells)
        write_json(to / ABOUT, {"report": str(report), "seed": seen.seed, "rounds": number})
    except OSError as error:
        raise CoreError(
            f"{to} cannot be written ({error.strerror or error}); choose another --to"
        ) from error
    return {
        "drawn": len(rows),
        "fill_in": str(table),
        "look_at": [str(path) for path in sheets],
        "answers": EXPECTED,
    }


def _sheets(
    to: Path, number: int, rows: list[Row], value_range: ValueRange | None
) -> Iterator[Path]:
    pages = range(0, len(rows), A_SHEET)
    for page, start in enumerate(pages, 1):
        some = rows[start : start + A_SHEET]
        name = f"round_{number}.png" if len(pages) == 1 else f"round_{number}_page_{page}.png"
        captions = [str(i) for i in range(start + 1, start + 1 + len(some))]
        with whole_file(to / name) as path:
            path.write_bytes(
                contact_sheet([_tile(r.uri, value_range) for r in some], captions, tile=TILE)
            )
        yield to / name


def _tile(uri: str, value_range: ValueRange | None) -> Rgb:
    """The picture; an empty tile where it cannot be read any more."""
    try:
        return fit_within(read_image(uri, value_range=value_range), TILE)
    except ImageError:
        return np.full((TILE, TILE, 3), 235, np.uint8)


def _key(id: str) -> bytes:
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
