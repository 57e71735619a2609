"""What a spreadsheet makes of the cells of a csv file.

It runs a cell that begins like a formula, and file names and folder labels come from anywhere:
such a text gets an apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import re

FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""First letters that make a cell a formula, the full-width ones of East Asian keyboards too."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""Text that is a number does no harm."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a cell of this text.

    Examples
    --------
    >>> is_formula("=1+1"), is_formula("-12.5"), is_formula("Copepod")
    (True, False, False)
    """
    return bool(FORMULA.match(text)) and not NUMBER.fullmatch(text)


def unescaped(cell: str) -> str:
    """A cell of a csv file of ours, without the apostrophe that was put in front of a formula.

    Examples
    --------
    >>> unescaped("'=1+1"), unescaped("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell
