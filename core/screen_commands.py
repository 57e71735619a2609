"""``python -m core screen ...``: train a filter, look at it, carry it away."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import screens
from core.progress import Report
from core.screen import Screen

if TYPE_CHECKING:
    from core.library import Library  # `screen apply` runs where no catalogue can be opened

Arguments = argparse.Namespace
Command = Callable[["Library", Arguments, Report], dict[str, Any]]

SHOWN = 24
"""Images of each kind of mistake that `show` names."""


def register(
    commands: Any,
    shared: Sequence[argparse.ArgumentParser],
    on_collection: Sequence[argparse.ArgumentParser],
) -> None:
    """Add the commands to those of `screen`.

    Parameters
    ----------
    commands : what `add_subparsers` gave
    shared : parsers
        With the options that every command takes.
    on_collection : parsers
        With those of a command on one collection.
    """

    def add(
        name: str, run: Command, parents: Sequence[argparse.ArgumentParser]
    ) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").strip().split("\n")[0].rstrip(".")
        made: argparse.ArgumentParser = commands.add_parser(
            name, parents=list(parents), help=summary, description=summary
        )
        made.set_defaults(run=run)
        if name in ("train", "show"):
            made.set_defaults(tell=_tell)
        return made

    def working_point(made: argparse.ArgumentParser) -> None:
        point = made.add_mutually_exclusive_group()
        point.add_argument("--target-recall", type=float, metavar="R", help="default: the model's")
        point.add_argument("--threshold", type=float, metavar="T", help="a score, 0 to 1")

    one = add("train", train_command, [*shared, *on_collection])
    one.add_argument("--model", required=True, metavar="MODEL", help="what to call it")
    one.add_argument(
        "--keep", nargs="+", metavar="LABEL", help="default: all that --drop does not name"
    )
    one.add_argument(
        "--drop", nargs="+", metavar="LABEL", help="default: all that --keep does not name"
    )
    one.add_argument(
        "--target-recall", type=float, default=0.99, metavar="R", help="default: %(default)s"
    )
    one.add_argument("--seed", type=int, default=0, help="default: %(default)s")

    one = add("list", list_command, shared)
    one.add_argument("--collection", metavar="NAME", help="default: every collection")

    for name, run in (("show", show_command), ("export", export_command)):
        one = add(name, run, shared)
        one.add_argument("model", metavar="MODEL")
        one.add_argument("--collection", metavar="NAME", help="where several have such a model")
        working_point(one)
        if name == "export":
            one.add_argument("-o", "--output", required=True, metavar="DIR", help="a new folder")

    one = add("delete", delete_command, shared)
    one.add_argument("model", metavar="MODEL")
    one.add_argument("--collection", metavar="NAME", help="where several have such a model")


def train_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Train a filter on what is labelled, and say what it promises."""
    from core.screen_training import train_screen

    collection = library.catalogue.collection(arguments.collection)
    made = train_screen(
        library,
        library.vectors(collection, arguments.encoder),
        name=arguments.model,
        keep=arguments.keep,
        drop=arguments.drop,
        target=arguments.target_recall,
        seed=arguments.seed,
        report=report,
    )
    library.catalogue.collection(collection.name)  # else it was deleted meanwhile: keep nothing
    screens.save(library.workspace, collection.uid, made)
    return made.figures()


def _tell(result: dict[str, Any]) -> list[str]:
    from core.screen_telling import told

    return told(result)


def list_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """The filters that were trained, the newest first."""
    models = [
        {"collection": name, **each}
        for name, uid in _uids(library, arguments).items()
        for each in screens.listed(library.workspace, uid)
    ]
    models.sort(key=lambda each: (each["created"], each["name"]), reverse=True)
    return {"models": models}


def show_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """What a filter costs, at its threshold or another, with the images that it gets wrong."""
    screen, uid = _asked(library, arguments)
    kept, dropped = screen.screened.nearest(screen.threshold, SHOWN)
    return {
        **screen.figures(),
        "audit": _looked_at(library, uid, screen),
        "nearest_kept": kept,
        "nearest_dropped": dropped,
        "lost": screen.screened.lost(screen.threshold, SHOWN),
        "rubbish": screen.screened.rubbish(screen.threshold, SHOWN),
        "strange": screen.screened.strange(SHOWN),
        "curves": {
            "precision_recall": screen.screened.precision_recall(),
            "kept_dropped": screen.screened.kept_dropped(),
        },
    }


def export_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Write a filter as a folder that runs anywhere: ONNX, a card, checksums."""
    from core.screen_training import export_screen

    to = Path(arguments.output).expanduser().absolute()
    return export_screen(_asked(library, arguments)[0], to)


def delete_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Forget a filter; labels, images and what was exported stay."""
    uid = screens.find(library.workspace, _uids(library, arguments), arguments.model)
    screens.delete(library.workspace, uid, arguments.model)
    return {"deleted": arguments.model}


def _uids(library: Library, arguments: Arguments) -> dict[str, str]:
    if arguments.collection is not None:
        one = library.catalogue.collection(arguments.collection)
        return {one.name: one.uid}
    return {each.name: each.uid for each in library.catalogue.collections()}


def _looked_at(library: Library, uid: str, screen: Screen) -> dict[str, Any]:
    """What the answers kept on the page say of images that it drops and nobody labelled."""
    from core.screen_answers import kept, merged
    from core.screen_audit import SEED, audited

    answers = merged(kept(library.workspace, uid, screen.training["fingerprint"]))
    return audited(screen, answers, seed=SEED).as_json()


def _asked(library: Library, arguments: Arguments) -> tuple[Screen, str]:
    """The model, its collection under the name it has now, at the working point; and its uid."""
    uids = _uids(library, arguments)
    uid = screens.find(library.workspace, uids, arguments.model)
    screen = screens.load(library.workspace, uid, arguments.model)
    screen = replace(screen, collection=next(name for name, u in uids.items() if u == uid))
    if arguments.target_recall is not None:
        screen = screen.at_target(arguments.target_recall)
    elif arguments.threshold is not None:
        screen = screen.at_threshold(arguments.threshold)
    return screen, uid
