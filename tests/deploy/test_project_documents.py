"""README and its neighbours: every command, path, link, id and version in them is true."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from check_jsonschema.builtin_schemas import get_builtin_schema
from deploy_files import DEPLOY, ROOT
from ruamel.yaml import YAML

from initshape.cli.app import app
from initshape.cli.documents import read_document
from initshape.client import Client, is_sweep
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission
from initshape.spec.version import NUMERICS_VERSION

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", DEPLOY / "README.md"]
README = PAGES[0].read_text()
BLOCK = re.compile(r"(?:^    .*\n|^\n)+|(?<=^```sh\n)(?:(?!```).*\n)+", re.MULTILINE)
ID = re.compile(r"\b[xs]-[a-z2-7]{26}\b")


def shell_lines(page: Path) -> list[str]:
    """The lines of a page's indented and fenced blocks, continued ones joined."""
    blocks = BLOCK.findall(page.read_text())
    return [line.strip() for block in blocks for line in block.replace("\\\n", "").splitlines() if line.strip()]


COMMANDS = [line for page in PAGES for line in shell_lines(page) if line.startswith("initshape ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    for target in targets:
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(asked) <= set(targets)
    assert page != PAGES[0] or {"demo", "test", "serve"} <= set(asked)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_accepted(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)  # parses, runs nothing; a usage error raises
    for argument in arguments:
        assert "/" not in argument or (ROOT / argument).is_file()


def test_the_commands_were_found() -> None:
    assert {shlex.split(line)[1] for line in COMMANDS} >= {"validate", "submit", "result", "figure", "run"}


def test_the_id_is_that_of_the_example() -> None:
    document = read_document(ROOT / "examples" / "distance.yaml")
    known = experiment_id(parse_submission(document).experiment)
    assert set(ID.findall(README)) == {known}
    assert not is_sweep(known)


def test_curl_asks_for_routes_that_exist() -> None:
    paths = json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]
    routes = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in paths]
    asked = re.findall(r"http://127\.0\.0\.1:8000(/[^\s\"?`]+)", "\n".join(page.read_text() for page in PAGES))
    assert len(asked) >= 3
    for path in asked:
        assert any(route.fullmatch(path) for route in routes), path


def test_the_python_example_uses_what_exists() -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found
    tree = ast.parse(found[1])
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported
    for node in imported:
        module = importlib.import_module(str(node.module))
        assert all(hasattr(module, alias.name) for alias in node.names)
    called = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client"
    }
    assert called >= {"submit", "wait", "result"}
    assert all(hasattr(Client, name) for name in called)
    (argument,) = (
        node for node in ast.walk(tree) if isinstance(node, ast.Dict) and "experiment" in ast.unparse(node)[:14]
    )
    parse_submission(ast.literal_eval(argument))


def test_every_folder_has_its_line() -> None:
    named = re.findall(r"^\| `([\w/]+)/` \|", README, re.MULTILINE)
    assert all((ROOT / folder).is_dir() for folder in named)
    packages = {
        str(folder.parent.relative_to(ROOT))
        for root in ("initshape", "service", "workers")
        for folder in [*ROOT.glob(f"{root}/__init__.py"), *ROOT.glob(f"{root}/*/__init__.py")]
        if root == "initshape" or folder.parent.name == root
    }
    assert packages <= set(named)
    assert {"openapi", "examples", "deploy", "docs", "tests"} <= set(named)


def test_the_citation_is_valid_and_names_this_version() -> None:
    citation: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "CITATION.cff")
    schema = get_builtin_schema("vendor.citation-file-format")
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(citation)] == []
    assert citation["version"] == importlib.metadata.version("initshape")
    assert any("Initialization Shape" in reference["title"] for reference in citation["references"])


def test_the_changelog_names_this_version_and_the_newest_numerics() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{importlib.metadata.version('initshape')}]" in text
    newest = re.search(r"^Numerics version (\d+)\.", text, re.MULTILINE)
    assert newest
    assert newest[1] == NUMERICS_VERSION


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_path_of_somebodys_machine(page: Path) -> None:
    assert re.findall(r"(?:/home/|/root/|/Users/|/tmp/|/work/)\S*", page.read_text()) == []
