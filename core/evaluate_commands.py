"""``python -m core evaluate``: what encoders are worth on a collection's labelled images."""

from __future__ import annotations

import argparse
from typing import Any

from core.library import Library
from core.progress import Report

Arguments = argparse.Namespace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` takes beside a collection and a seed."""
    parser.add_argument(
        "--encoder",
        action="append",
        metavar="E",
        help="as often as wanted; default: the one it was first indexed with",
    )
    parser.add_argument(
        "--joined", action="store_true", help="measure the encoders side by side as one more"
    )


def evaluate_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Measure what encoders are worth on the labelled images, with intervals."""
    from core.evaluation.running import evaluate

    found = evaluate(
        library,
        arguments.collection,
        arguments.encoder or (),
        join=arguments.joined,
        seed=arguments.seed,
        report=report,
    )
    return found.meta
