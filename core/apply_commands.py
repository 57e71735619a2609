"""``python -m core screen apply`` and ``audit``: a filter at work, and what became of it.

Neither needs a workspace, nor what keeps one: a filter runs where SQLAlchemy, Chroma, Streamlit
and, with ``descriptors``, torch are not installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import CoreError, ImageError
from core.progress import Report
from core.workspace import log

Arguments = argparse.Namespace
Command = Callable[[Arguments, Report], dict[str, Any]]

DROPPED = 3
"""Exit code with --exit-code when an image, or every image, is dropped: 0 to 2 say other things."""

STDIN = "-"


def register(commands: Any, shared: list[argparse.ArgumentParser]) -> None:
    """Add the two to the commands of `screen`.

    Parameters
    ----------
    commands : what `add_subparsers` gave
    shared : parsers
        With the options that every command takes.
    """

    def add(name: str, run: Command) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").strip().split("\n")[0].rstrip(".")
        made: argparse.ArgumentParser = commands.add_parser(
            name, parents=shared, help=summary, description=summary
        )
        made.set_defaults(alone=_telling(run))
        return made

    one = add("apply", apply_command)
    one.add_argument("filter", metavar="DIR", help="what `screen export` wrote")
    one.add_argument(
        "source",
        metavar="SOURCE",
        help="as for index; - reads one image from stdin and prints JSON",
    )
    one.add_argument("--keep-to", metavar="D", help="copy those kept to a folder or s3://...")
    one.add_argument("--drop-to", metavar="D", help="copy those dropped to a folder or s3://...")
    one.add_argument(
        "--report", metavar="FILE.csv", help="a line an image; with it a killed run continues"
    )
    one.add_argument("--dry-run", action="store_true", help="decide and count, copy nothing")
    one.add_argument(
        "--exit-code",
        action="store_true",
        help=f"exit {DROPPED} when there are images and every one is dropped, 0 when one is kept",
    )
    one.add_argument("--workers", type=int, metavar="N", help="processes; default: one a core")
    one.add_argument("--um-per-px", type=float, metavar="X")
    one.add_argument("--source-name", metavar="S", help="what its ids begin with")
    one.add_argument("--endpoint-url", metavar="URL", help="of an object storage not Amazon's")
    one.add_argument("--anonymous", action="store_true", help="no credentials to read s3://")

    one = add("audit", audit_command)
    one.add_argument("report", metavar="FILE.csv", help="what `screen apply --report` wrote")
    one.add_argument(
        "--to", metavar="D", help="folder of the rounds: sheets to look at, tables to fill in"
    )
    one.add_argument("--draw", type=int, metavar="N", help="draw N more dropped images to look at")
    one.add_argument("--filter", metavar="DIR", help="the filter, to compare with its training")
    one.add_argument("--recent", type=int, default=1_000, metavar="N", help="default: %(default)s")
    one.add_argument("--seed", type=int, default=0, help="default: %(default)s")


def _telling(run: Command) -> Command:
    """The command, which says what is to be installed where it meets what is not."""

    def told(arguments: Arguments, report: Report) -> dict[str, Any]:
        try:
            return run(arguments, report)
        except ImportError as error:
            if error.name is not None and error.name.split(".")[0] == "core":
                raise
            raise CoreError(f"{_who_needs(arguments)} ({error})") from error

    return told


def _who_needs(arguments: Arguments) -> str:
    """What was asked for and the packages it takes beyond those in a filter's README."""
    named = [getattr(arguments, name, None) for name in ("source", "keep_to", "drop_to")]
    places = [place.lower() for place in named if place]
    if any(place.startswith("s3://") for place in places):
        return "s3:// needs s3fs; install it: python -m pip install s3fs"
    if any(place.startswith(("http://", "https://")) for place in places):
        return (
            "https:// needs fsspec and aiohttp; install them: python -m pip install fsspec aiohttp"
        )
    if any(place.endswith(".parquet") for place in places):
        return ".parquet needs pyarrow; install it: python -m pip install pyarrow"
    return "a package is missing; install what the filter's README names"


def apply_command(arguments: Arguments, report: Report) -> dict[str, Any]:
    """Run a filter over images: decide, report, and copy those kept or dropped elsewhere."""
    from core.deciding import Screen

    if arguments.workers is not None and not 0 <= arguments.workers <= 256:
        raise CoreError(f"--workers is {arguments.workers}; expected 0 to 256")
    screen = Screen(arguments.filter)
    if arguments.source == STDIN:
        result = _one(screen, arguments)
    else:
        result = _many(screen, arguments, report)
    if arguments.exit_code and not result["kept"] and result["dropped"]:
        arguments.code = DROPPED
    return result


def _many(screen: Any, arguments: Arguments, report: Report) -> dict[str, Any]:
    from core.applying import apply
    from core.destinations import destination
    from core.drift import in_words
    from core.sources import open_source

    def to(where: str | None) -> Any:
        if where is None:
            return None
        return destination(where, endpoint_url=arguments.endpoint_url)

    report_to = None
    if arguments.report is not None:
        report_to = Path(arguments.report).expanduser().absolute()
    source = open_source(
        arguments.source,
        name=arguments.source_name,
        um_per_px=arguments.um_per_px,
        endpoint_url=arguments.endpoint_url,
        anonymous=arguments.anonymous,
    )
    done = apply(
        screen,
        source,
        where=arguments.source,
        keep_to=to(arguments.keep_to),
        drop_to=to(arguments.drop_to),
        report_to=report_to,
        dry_run=arguments.dry_run,
        workers=arguments.workers,
        report=report,
    )
    if done.unreadable:
        log(f"note: {done.unreadable:,} images could not be read; they count as kept")
    if done.not_copied:
        log(f"note: {done.not_copied:,} images could not be copied, since nothing can read them")
    if done.drift is not None and (warning := in_words(done.drift)):
        log(f"warning: {warning}")
    return {
        **done.as_json(),
        "filter": screen.filter.name,
        "threshold": screen.filter.threshold,
        "report": None if report_to is None else str(report_to),
        "dry_run": bool(arguments.dry_run),
    }


def _one(screen: Any, arguments: Arguments) -> dict[str, Any]:
    from core.sources.files import READ_LIMIT

    arguments.json = True
    for option in ("keep_to", "drop_to", "report", "source_name"):
        if getattr(arguments, option) is not None:
            name = option.replace("_", "-")
            raise CoreError(f"--{name} is for many images; leave it out with - (one from stdin)")
    data = sys.stdin.buffer.read(READ_LIMIT + 1)
    if len(data) > READ_LIMIT:
        raise ImageError("stdin", f"it is more than the {READ_LIMIT:,} bytes allowed for one image")
    (verdict,) = screen.decide([data], um_per_px=[arguments.um_per_px])
    return {
        **verdict.as_json(),
        "kept": int(verdict.keep),
        "dropped": int(not verdict.keep),
        "filter": screen.filter.name,
        "threshold": screen.filter.threshold,
    }


def audit_command(arguments: Arguments, _report: Report) -> dict[str, Any]:
    """What is really lost: draw dropped images to look at, and reckon from the answers."""
    from core import bundle
    from core.auditing import audit

    def path(text: str | None) -> Path | None:
        return None if text is None else Path(text).expanduser().resolve()

    card = None
    if arguments.filter is not None:
        card = bundle.load(Path(arguments.filter).expanduser()).card
    result = audit(
        Path(arguments.report).expanduser().resolve(),
        to=path(arguments.to),
        draw=arguments.draw,
        card=card,
        recent=arguments.recent,
        seed=arguments.seed,
    )
    for warning in result["warnings"]:
        log(f"warning: {warning}")
    return result
