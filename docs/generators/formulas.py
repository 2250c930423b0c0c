r"""Formulas at build time: \( ... \) and \[ ... \] become MathML, which browsers draw without scripts or network."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

_PARTS = re.compile(r"(^```.*?^```|`[^`\n]+`)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.MULTILINE | re.DOTALL)


def mathml(latex: str, *, block: bool = False) -> str:
    """One formula. Raises for LaTeX that cannot be converted, which stops the build."""
    found = convert(latex.strip(), display="block" if block else "inline")
    return f'\n<div markdown="0">{found}</div>\n' if block else found


def with_formulas(page: str) -> str:
    """A page of Markdown with its formulas converted; code is left alone."""

    def converted(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        return mathml(found[2]) if found[2] else mathml(found[3], block=True)

    return _PARTS.sub(converted, page)
