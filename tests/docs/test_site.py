"""The documentation builds without a warning, says all that there is, and asks nothing of the network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from initshape.catalog import catalog
from initshape.cli.exits import Exit
from initshape.spec.catalog import SECTIONS, kinds
from initshape.spec.outcome import Outcome
from initshape.spec.status import TRANSITIONS, Status
from service.errors import KINDS
from service.settings import Settings

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """Text, anchors, formulas, and what a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.anchors, self.fetched, self.formulas = "", set[str](), set[str](), 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        self.formulas += tag == "math"
        self.fetched.add(given.get("src", ""))
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "preconnect", "icon"):
            self.fetched.add(given.get("href", ""))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. `--strict`: a warning stops the build."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9", "http_proxy":
                          "http://127.0.0.1:9", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def page(site: Path) -> Callable[[str], Page]:
    return lambda name: Page((site / name).read_text())


def test_nothing_is_fetched_from_elsewhere(site: Path, page: Callable[[str], Page]) -> None:
    files = [str(file.relative_to(site)) for file in site.rglob("*.html")]
    assert len(files) >= 14
    for name in files:
        assert not [url for url in page(name).fetched if re.match(r"(https?:)?//", url)], name


def test_every_operation(page: Callable[[str], Page]) -> None:
    found = page("reference/http.html")
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text())
    operations = [one for item in document["paths"].values() for one in item.values()]
    assert {one["operationId"] for one in operations} <= found.anchors


def test_diagrams_are_pictures_without_scripts(site: Path) -> None:
    html = (site / "jobs.html").read_text()
    (picture,) = re.findall(r'<figure class="states">.*?</figure>', html, re.DOTALL)
    named = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
    arrows = sum(len(followers) for followers in TRANSITIONS.values())
    assert {status.value for status in Status} <= set(named)
    assert len(named) == len(Status) + arrows + 1  # and how a job begins
    assert not [
        file for file in site.rglob("*.html") if "mermaid" in file.read_text() and file.name != "changelog.html"
    ]


def test_every_kind_and_field(page: Callable[[str], Page]) -> None:
    text = page("reference/document.html").text
    for section, members in kinds().items():
        assert f"experiment.{SECTIONS[section]}" in text
        for member in members:
            assert f"kind: {member['kind']}" in text
            assert all(field["name"] in text for field in member["fields"]), member["kind"]


def test_every_theory_with_its_formula(page: Callable[[str], Page]) -> None:
    found = page("science.html")
    for entry in catalog()["regularizers"]:
        assert entry["title"] in found.text
    assert found.formulas > len(catalog()["regularizers"])
    assert "formula{" not in found.text
    assert "\\(" not in found.text


def test_every_problem_outcome_and_exit_code(page: Callable[[str], Page]) -> None:
    found = page("troubleshooting.html")
    assert set(KINDS) <= found.anchors
    assert all(outcome.value in found.text and outcome.message in found.text for outcome in Outcome)
    assert all(str(code.value) in found.text for code in Exit)


def test_every_setting_and_what_it_is(page: Callable[[str], Page]) -> None:
    text = page("operate.html").text
    assert all(f"INITSHAPE_{name.upper()}" in text for name in Settings.model_fields)
    assert all(
        info.description and info.description.replace("`", "") in text for info in Settings.model_fields.values()
    )


def test_every_command_and_method(page: Callable[[str], Page]) -> None:
    import typer

    from initshape.cli.app import app
    from initshape.client import Client

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert all(f"initshape {name}" in page("reference/cli.html").text for name in commands)
    text = page("python.html").text
    methods = [name for name, value in vars(Client).items() if callable(value) and not name.startswith("_")]
    assert all(f"{name}(" in text for name in methods)
