"""``python -m core evaluate``: what encoders are worth on a collection's labelled images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.library import Library
from core.progress import Report

Arguments = argparse.Namespace


def register(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` takes beside a collection and a seed."""
    parser.set_defaults(run=evaluate_command, tell=_tell)
    parser.add_argument(
        "--encoder",
        action="append",
        metavar="E",
        help="as often as wanted; default: the one it was first indexed with",
    )
    parser.add_argument(
        "--joined", action="store_true", help="measure the encoders side by side as one more"
    )
    parser.add_argument(
        "--keep-joined",
        action="store_true",
        help="the same, and keep it as one more encoder of the collection, joined:E+F",
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="encode some hundred pictures anew, turned, lit and cut otherwise; tells the speed",
    )
    parser.add_argument("-o", "--output", metavar="FILE.html", help="a report to hand around")


def evaluate_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Measure what encoders are worth on the labelled images, with intervals."""
    from core.evaluation.running import evaluate

    to = None if arguments.output is None else Path(arguments.output).expanduser().absolute()
    if to is not None:
        from core.evaluation.report import check_report

        check_report(to)
    names: list[str] = arguments.encoder or []
    if arguments.keep_joined:
        from core.evaluation.joining import check_joined

        check_joined(names)
    found = evaluate(
        library,
        arguments.collection,
        names,
        join=arguments.joined or arguments.keep_joined,
        robustness=arguments.robustness,
        seed=arguments.seed,
        report=report,
    )
    result = dict(found.meta)
    if arguments.keep_joined:
        from core.evaluation.joining import keep_joined

        result["kept"] = keep_joined(library, arguments.collection, names, report=report)
    if to is not None:
        from core.evaluation.report import write_report

        uid = library.catalogue.collection(arguments.collection).uid
        write_report(library, uid, found, to)
        result["report"] = str(to)
    return result


def _tell(result: dict[str, Any]) -> list[str]:
    from core.evaluation.telling import told

    return told(result)
