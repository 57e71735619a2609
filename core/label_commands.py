"""``python -m core labels ...``: decide, take back, look up, carry away and bring in."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import label_files, labels, vocabulary
from core.catalogue import Collection
from core.errors import CoreError, NotFoundError, RangeError
from core.labels import Decision, Since
from core.library import Library
from core.progress import Report
from core.workspace import log

if TYPE_CHECKING:
    from core.suggestions import Suggestion

Arguments = argparse.Namespace
Command = Callable[[Library, Arguments, Report], dict[str, Any]]

LONGEST_NAME = 80


def register(parser: argparse.ArgumentParser, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser of `labels`."""
    commands = parser.add_subparsers(dest="labels_command", metavar="COMMAND", required=True)

    def add(name: str, run: Command) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").strip().rstrip(".")
        made = commands.add_parser(name, parents=parents, help=summary, description=summary)
        made.set_defaults(run=run)
        return made

    def by(made: argparse.ArgumentParser, what: str = "who says so") -> None:
        made.add_argument("--by", metavar="WHO", help=f"{what}; default: your login name")

    def suggesting(made: argparse.ArgumentParser) -> None:
        made.add_argument("--min-confidence", type=float, default=0.9, metavar="C")
        made.add_argument("--seed", type=int, default=0)

    one = add("set", set_command)
    one.add_argument("--label", required=True, metavar="L", help="an empty one takes labels away")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", action="append", metavar="ID", help="as often as wanted")
    which.add_argument("--ids-from", metavar="FILE", help="one id a line, or a .csv's column id")
    one.add_argument("--status", choices=labels.STATUSES, default="validated")
    one.add_argument(
        "--seen",
        type=int,
        metavar="EVENT",
        help="the newest event you know of: what others decided since is told, not overwritten",
    )
    by(one)

    one = add("suggest", suggest_command)
    suggesting(one)

    one = add("accept", accept_command)
    suggesting(one)
    one.add_argument("--label", action="append", metavar="L", help="only suggestions of these")
    by(one)

    one = add("check", check_command)
    one.add_argument(
        "--within", type=float, metavar="D", help="distance of near-duplicates; default: measured"
    )
    one.add_argument("--seed", type=int, default=0)

    one = add("undo", undo_command)
    one.add_argument("--action", metavar="ID", help="default: your last one that stands")
    by(one)

    one = add("history", history_command)
    one.add_argument("--id", metavar="ID", help="of one image")
    one.add_argument("--by", metavar="WHO", help="of one person")
    one.add_argument("--label", metavar="L", help="of one label")
    one.add_argument("--status", choices=labels.STATUSES)
    one.add_argument("--limit", type=int, default=1_000, metavar="N", help="default: 1,000")
    one.add_argument("--before", type=int, metavar="EVENT", help="`next` of the page before")

    add("names", names_command)

    one = add("rename", rename_command)
    one.add_argument("--label", required=True, action="append", metavar="OLD")
    one.add_argument("--to", required=True, metavar="NEW")
    one.add_argument("--merge", action="store_true", help="of several, or into one in use")
    by(one)

    one = add("export", export_command)
    one.add_argument("-o", "--output", required=True, metavar="FILE")

    one = add("import", import_command)
    one.add_argument("file", metavar="FILE")


def collection_of(library: Library, name: str) -> Collection:
    """The collection, be it one that has no images here and whose labels wait for them.

    Raises
    ------
    NotFoundError
        If there is none; suggests one.
    """
    try:
        return library.catalogue.collection(name)
    except NotFoundError:
        found = labels.waiting(library.catalogue, name)
        if found is None:
            raise
        return found


def who(given: str | None) -> str:
    """Who decides: a name, by default that of the login.

    Raises
    ------
    RangeError
        If it will not do.
    CoreError
        If the system does not know who is logged in.
    """
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError, ImportError):
            raise CoreError("the system names nobody; say who decides with --by WHO") from None
    if given != given.strip() or not given.isprintable() or not 1 <= len(given) <= LONGEST_NAME:
        raise RangeError(
            f"--by is {given[:100]!r}; expected who decides, 1 to {LONGEST_NAME} printable "
            "characters"
        )
    if given == labels.IMPORT:
        raise RangeError(f"--by is {given!r}, which labels that came with images are by; say who")
    return given


def set_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Say what images are."""
    from core.taking import read_ids

    uid = library.catalogue.collection(arguments.collection).uid
    by, label = who(arguments.by), arguments.label or None
    if label is not None:
        vocabulary.check_name(label)
    if arguments.ids_from is not None:
        known = list(library.catalogue.stamps(uid))
        ids = read_ids(Path(arguments.ids_from).expanduser(), known)
    else:
        ids = list(dict.fromkeys(arguments.id))
        for id in ids:
            library.catalogue.image(uid, id)
    similar: list[str] = []
    if label is not None:
        used = [each.name for each in vocabulary.names(library.catalogue, uid)]
        similar = vocabulary.close_to(label, used)
    done = labels.decide(
        library.catalogue,
        uid,
        [Decision(id, label, arguments.status) for id in ids],
        by=by,
        how="single" if len(ids) == 1 else "selection",
        seen=arguments.seen,
    )
    if similar and done.events:
        log(f"note: {label!r} is new and much like {similar[0]!r}; a typo? `labels undo` or rename")
    return {
        "events": done.events,
        "action": done.action,
        "conflicts": [_since(other) for other in done.conflicts],
        "similar_names": similar,
    }


def _since(other: Since) -> dict[str, Any]:
    fields = asdict(other)
    return {"id": fields.pop("image"), **fields}


def suggest_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Labels proposed for undecided images, the surest first; nothing is recorded."""
    found, why = _suggested(library, arguments)
    return {
        "suggestions": [
            {
                "id": each.id,
                "label": each.label,
                "confidence": each.confidence,
                "evidence": list(each.evidence),
            }
            for each in found
        ],
        "why": why,
    }


def accept_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Make what is suggested with enough confidence your own decision."""
    by = who(arguments.by)
    uid = library.catalogue.collection(arguments.collection).uid
    seen = labels.revision(library.catalogue, uid)
    found, why = _suggested(library, arguments)
    wanted = set(arguments.label or ())
    said = [
        Decision(each.id, each.label, confidence=each.confidence, reason=f"suggested: {each.how}")
        for each in found
        if not wanted or each.label in wanted
    ]
    done = labels.decide(library.catalogue, uid, said, by=by, how="suggestion", seen=seen)
    return {
        "events": done.events,
        "action": done.action if done.events else None,
        "conflicts": [_since(other) for other in done.conflicts],
        "why": why,
    }


def _suggested(library: Library, arguments: Arguments) -> tuple[list[Suggestion], dict[str, str]]:
    """Suggestions at or above the confidence asked for, the surest first."""
    from core.proposing import suggest_for

    least = arguments.min_confidence
    if not 0 <= least <= 1:
        raise RangeError(f"--min-confidence is {least}; expected 0 to 1")
    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    every = suggest_for(library, view, floor=0.0, seed=arguments.seed)
    found = [
        each
        for each in map(every.at, range(len(every)))
        if each.label is not None and each.confidence is not None and each.confidence >= least
    ]
    found.sort(key=lambda each: (-(each.confidence or 0), each.id))
    return found, every.why


def check_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Look for probable mistakes, near-duplicates that disagree and kinds that overlap."""
    from core import checkups

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    made = checkups.check(
        library, view, within=arguments.within, seed=arguments.seed, report=report
    )
    return {**asdict(made.checked), "newest_event": made.revision}


def undo_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Take your last action back, or one that is named."""
    catalogue, by = library.catalogue, who(arguments.by)
    uid = collection_of(library, arguments.collection).uid
    if arguments.action is None:
        done = labels.undo_last(catalogue, uid, by=by)
    else:
        done = labels.undo(catalogue, uid, arguments.action, by=by)
    return {
        "events": len(done.restored),
        "action": done.action,
        "decided_since": [_since(other) for other in done.decided_since],
    }


def history_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """What was said, the newest first: of an image, by a person, of a label, or all."""
    uid = collection_of(library, arguments.collection).uid
    found = labels.events(
        library.catalogue,
        uid,
        image=arguments.id,
        by=arguments.by,
        label=arguments.label,
        status=arguments.status,
        before=arguments.before,
        limit=arguments.limit,
    )
    if arguments.id and not labels.history(library.catalogue, uid, arguments.id):
        library.catalogue.image(uid, arguments.id)  # says so when there is none
    events = [{"event": e["event"], **label_files.as_row(e)} for e in found]
    return {"events": events, "next": found[-1]["event"] if len(found) == arguments.limit else None}


def names_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """The names in use, and on how many images."""
    uid = collection_of(library, arguments.collection).uid
    used = vocabulary.names(library.catalogue, uid)
    return {
        "names": [asdict(each) for each in used],
        "newest_event": labels.revision(library.catalogue, uid),
    }


def rename_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Give a label another name, or make one of several."""
    uid = collection_of(library, arguments.collection).uid
    old, new, by = arguments.label, arguments.to, who(arguments.by)
    if arguments.merge:
        done = vocabulary.merge(library.catalogue, uid, old, new, by=by)
    elif len(old) > 1:
        raise CoreError(f"{len(old)} labels are named; make one of them with --merge")
    else:
        done = vocabulary.rename(library.catalogue, uid, old[0], new, by=by)
    return {"events": done.images, "action": done.action}


def export_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Write the whole history as .csv or .parquet, or the collection for EcoTaxa as .zip."""
    to = Path(arguments.output).expanduser().absolute()
    if to.suffix.lower() != ".zip":
        uid = collection_of(library, arguments.collection).uid
        count = label_files.write_history(library.catalogue, uid, to)
        return {"file": str(to), "events": count}
    from core.exporting import export

    collection = library.catalogue.collection(arguments.collection)
    view = library.vectors(collection, arguments.encoder)
    return export(library, view, to=to, format="ecotaxa", report=report)


def import_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Bring in a history, a table of ids and labels, or what EcoTaxa says; nothing comes twice."""
    path = Path(arguments.file).expanduser().absolute()
    if path.suffix.lower() == ".zip":
        uid = library.catalogue.collection(arguments.collection).uid
        return _import_current(library, uid, label_files.read_ecotaxa(path))
    read = label_files.read_labels(path)
    try:
        uid = collection_of(library, arguments.collection).uid
    except NotFoundError:
        if not read.events:
            raise
        uid = labels.wait_for(library.catalogue, arguments.collection)
    if not read.events:
        return _import_current(library, uid, read)
    done = labels.append(library.catalogue, uid, read.events)
    there = library.catalogue.stamps(uid)
    return {
        "events": done.added,
        "already": done.known,
        "kept": done.kept,
        "images_not_here": len({event["image"] for event in read.events} - set(there)),
    }


def _import_current(library: Library, uid: str, read: label_files.Read) -> dict[str, Any]:
    """Labels without their history: a person's where more recent than what is here, else where
    nobody decided."""
    catalogue = library.catalogue
    there, current = catalogue.stamps(uid), labels.latest(catalogue, uid)
    decisions = [said for said in read.decisions if said.image in there]
    events = [event for event in read.events if event["image"] in there]
    imported = labels.Imported(catalogue, uid)
    news = [said for said in decisions if imported.is_news(said)]
    other = [e for e in events if not _agrees(current.get(e["image"]), e)]
    action = labels.new_action()
    recent = [
        {**event, "reason": None, "action": action}
        for event in other
        if event["image"] not in current
        or labels.moment(event["at"]) > labels.moment(current[event["image"]].at)
    ]
    imported.record(news)
    labels.append(catalogue, uid, recent)
    return {
        "events": len(news) + len(recent),
        "already": len(decisions) - len(news) + len(events) - len(other),
        "kept": len(other) - len(recent),
        "images_not_here": len(read.decisions) + len(read.events) - len(decisions) - len(events),
    }


def _agrees(here: labels.Label | None, event: Mapping[str, Any]) -> bool:
    return here is not None and (here.label, here.status) == (event["label"], event["status"])
