"""What theory answers where: every regularizer with formula, exactness and conditions, from the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from generators.markdown import table
from initshape.catalog import catalog


def regularizers() -> str:
    """A section for each."""
    found = catalog()["regularizers"]
    rows = [(f"`{one['name']}`", one["title"], str(one["models"]), ", ".join(one["losses"]), str(one["exactness"]))
            for one in found]  # fmt: skip
    head = table(("name", "what it is", "models", "losses", "claims at most"), rows)
    return "\n".join([head, *(part for one in found for part in _entry(one))])


def _entry(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {one['title']}\n"
    yield f"`{one['name']}` · models: {one['models']} · loss: {', '.join(one['losses'])} · **{one['exactness']}**\n"
    yield f"\\[{one['latex']}\\]\n"
    yield "\n".join(f"* {_plain(condition)}" for condition in one["conditions"]) + "\n"
    sources = [_source(citation) for citation in one["citations"]]
    if sources:
        yield "Sources: " + "; ".join(sources) + ".\n"


def _source(bibtex: str) -> str:
    """Authors, title and year of a BibTeX entry."""
    fields = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*?)\},?\s*$", bibtex, re.MULTILINE))
    author, title, year = (re.sub(r"[{}]", "", fields.get(name, "")) for name in ("author", "title", "year"))
    return f"{author.replace(' and ', ', ')}, *{title}* ({year})"


def _plain(text: str) -> str:
    return text.replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;").replace("|", "\\|")
