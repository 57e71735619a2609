"""What did not become an image, and why: one line a reason, so that it can be read to its end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import streamlit as st

from dashboard import state

REASONS = 20
NAMED = 3
"""Files named beside their reason; where there are more, all are listed below."""
_PLACE = re.compile(r"([^:]{1,300}, line [0-9,]+(?:, column [^:]{1,100})?): ")
"""Where in a table it is said, before what is wrong there: every row has its own."""


@dataclass
class _Group:
    """Files left aside for one reason."""

    count: int = 0
    files: list[str] = field(default_factory=list)


def left_aside(skipped: Iterable[tuple[str, str, int]]) -> None:
    """Reasons, each with its files.

    Parameters
    ----------
    skipped : iterable of (uri, reason, count)
        `count` is more than 1 where one file stands for several images.
    """
    listed = list(skipped)
    folder = _folder([uri for uri, _, _ in listed])
    groups: dict[str, _Group] = {}
    for uri, reason, count in listed:
        place = _PLACE.match(reason)
        group = groups.setdefault(reason[place.end() :] if place else reason, _Group())
        group.count += count
        group.files.append(uri[len(folder) :] + (f" ({place[1]})" if place else ""))
    often = sorted(groups.items(), key=lambda item: -item[1].count)
    rows = [
        {"Why": state.as_text(why), "Number": f"{one.count:,}", "Files": state.as_text(_few(one))}
        for why, one in often[:REASONS]
    ]
    if folder:
        st.caption(f"In {state.as_text(folder)}")
    st.table(rows, border="horizontal", hide_index=True)
    if len(groups) > REASONS or any(len(one.files) > NAMED for one in groups.values()):
        st.dataframe(
            [{"File": uri[len(folder) :], "Why": why, "Number": n} for uri, why, n in listed],
            hide_index=True,
            width="stretch",
        )


def _few(group: _Group) -> str:
    more = len(group.files) - NAMED
    return ", ".join(group.files[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _folder(uris: list[str]) -> str:
    """What all begin with, to the end of a folder; said once."""
    begin = os.path.commonprefix(uris)  # noqa: RUF071  (addresses are among them)
    return begin[: begin.rfind("/") + 1]
