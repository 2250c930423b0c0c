"""Hooks of mkdocs: pages that are written from the sources, and formulas as MathML."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
# mkdocs loads this file by its path, so its neighbours and the project are found only from here on.
for folder in (str(ROOT), str(ROOT / "docs")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

from generators import catalog, commands, document, http, operating, states, trouble  # noqa: E402
from generators.formulas import marked, unmarked  # noqa: E402


def _install() -> str:
    text = (ROOT / "deploy" / "README.md").read_text()
    return re.sub(r"\]\((?!https?:|#)[^)]*\)", "]", text)


def _changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text()


_PAGES: dict[str, Callable[[], str]] = {
    "reference/document.md": document.page,
    "reference/http.md": http.page,
    "reference/cli.md": commands.page,
    "changelog.md": _changelog,
    "install.md": _install,
}
_PARTS: dict[str, Callable[[], str]] = {
    "regularizers": catalog.regularizers,
    "problems": trouble.problems,
    "outcomes": trouble.outcomes,
    "exit_codes": trouble.exit_codes,
    "methods": commands.methods,
    "settings": operating.settings,
}


def on_files(files: Files, config: Any, **more: Any) -> Files:
    """Adds the generated pages; a page of the same name in docs/ goes before."""
    for path, write in _PAGES.items():
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, content=write()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **more: Any) -> str:
    """Fills in `{{ name }}`, draws diagrams and takes the formulas out."""
    filled = re.sub(r"^\{\{ (\w+) \}\}$", lambda found: _PARTS[found[1]](), markdown, flags=re.MULTILINE)
    text, page.meta["formulas"] = marked(states.drawn(filled))
    return text


def on_page_content(html: str, *, page: Any, **more: Any) -> str:
    """Puts the formulas back."""
    return unmarked(html, page.meta["formulas"])
