r"""Formulas at build time: \( ... \) and \[ ... \] become MathML, which browsers draw without scripts or network.

Markdown would take MathML apart, so that it passes a page as marks in the text, and the formulas come back afterwards.
"""

from __future__ import annotations

import re

from latex2mathml.converter import convert

_PARTS = re.compile(r"(^```.*?^```|`[^`\n]+`)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<p>formula\{(\d+)\}</p>|formula\{(\d+)\}")


def marked(page: str) -> tuple[str, list[str]]:
    """A page of Markdown with marks for its formulas, and those as MathML. Raises for what cannot be converted."""
    found: list[str] = []

    def mark(part: re.Match[str]) -> str:
        if part[1]:
            return part[1]  # code
        found.append(convert((part[2] or part[3]).strip(), display="inline" if part[2] else "block"))
        sign = f"formula{{{len(found) - 1}}}"
        return sign if part[2] else f"\n\n{sign}\n\n"

    return _PARTS.sub(mark, page), found


def unmarked(page: str, formulas: list[str]) -> str:
    """The same page in HTML with its formulas."""
    return _MARK.sub(lambda found: formulas[int(found[1] or found[2])], page)
