"""What people write into the names of their runs: where and on which day a sample was taken."""

from __future__ import annotations

import re
from datetime import date

_DECIMAL = re.compile(r"[+-]?\d{1,9}\.\d{2,12}", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORDED = re.compile(
    rf"(?<!\d)(\d\d?)[-_ ]?({'|'.join(_MONTHS)})[a-z]*[-_ ]?(\d{{4}})(?!\d)", re.ASCII | re.I
)
_YEAR_FIRST = re.compile(r"(?<![\d.])(\d{4})([-_.]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)
_YEAR_LAST = re.compile(r"(?<![\d.])(\d\d)([-.]?)(\d\d)\2(\d{4})(?!\d)", re.ASCII)


def position_in(name: str) -> tuple[tuple[float, float] | None, str]:
    """Latitude and longitude that a name carries, in that order, with ``_`` around them.

    Returns
    -------
    (latitude, longitude) or None
        In degrees.
    str
        Why there is none though the name looks as if; empty otherwise.

    Examples
    --------
    >>> position_in("lake_54.0143_-2.7770_04052023_1")
    ((54.0143, -2.777), '')
    >>> position_in("lake_-122.3000_47.6000_1")[0] is None
    True
    """
    words = re.split(r"[_ ]", name)
    decimal = [_DECIMAL.fullmatch(word) is not None for word in words]
    pairs = [at for at in range(len(words) - 1) if decimal[at] and decimal[at + 1]]
    if not pairs:
        return None, ""
    if len(pairs) > 1:
        return None, "the name holds several pairs of decimals: none was taken for its position"
    first, second = words[pairs[0]], words[pairs[0] + 1]
    latitude, longitude = float(first), float(second)
    if abs(latitude) <= 90 and abs(longitude) <= 180:
        return (latitude, longitude), ""
    swapped = abs(longitude) <= 90 and abs(latitude) <= 180
    return None, (
        f"the name says latitude {first} and longitude {second}; expected -90 to 90 and -180 to "
        f"180: both were left out{'; is the longitude written first?' if swapped else ''}"
    )


def date_in(name: str, *, before: date | None = None) -> tuple[date | None, str]:
    """The day a name carries: ``20171118``, ``2017-11-18``, ``18Nov2017`` or ``18112017``.

    Parameters
    ----------
    before : date or None
        The day the sample was imaged, which decides between day and month first when it is one
        of both, or comes before one.

    Returns
    -------
    date or None
        Of the years 1990 to 2099.
    str
        What was assumed; empty when nothing had to be.

    Examples
    --------
    >>> date_in("lake_54.0143_-2.7770_14052023_1")
    (datetime.date(2023, 5, 14), '')
    >>> date_in("culture-day7-11Apr2025")
    (datetime.date(2025, 4, 11), '')
    """
    for found in _WORDED.finditer(name):
        month = _MONTHS.index(found[2].lower()) + 1
        if (day := _day(found[3], month, found[1])) is not None:
            return day, ""
    for found in _YEAR_FIRST.finditer(name):
        if (day := _day(found[1], found[3], found[4])) is not None:
            return day, ""
    for found in _YEAR_LAST.finditer(name):
        readings = {_day(found[4], found[3], found[1]): 0, _day(found[4], found[1], found[3]): 0}
        days = [day for day in readings if day is not None]
        possible = [day for day in days if before is None or day <= before]
        if before in possible:
            return before, ""
        if len(possible) == 2:
            first, second = possible
            return first, f"the name may mean {first} or {second}: its day was taken to come first"
        if days:
            return (possible or days)[0], ""
    return None, ""


def _day(year: str, month: str | int, day: str) -> date | None:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if 1990 <= found.year < 2100 else None
