"""What is installed is what was tested, under free licences, and without known holes where that can be asked."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(line.partition("==")[0]): line.partition("==")[2].strip()
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
}
NOT_OURS = {"initshape", "pip", "setuptools"}
"""`pip` and `setuptools` come with Python."""


def closure(extras: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """All distributions that the project needs with these extras, as they are installed here."""
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    todo = [Requirement(text) for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    while todo:
        one = todo.pop()
        if canonicalize_name(one.name) == "initshape":
            todo += [Requirement(text) for extra in one.extras for text in PROJECT["optional-dependencies"][extra]]
        else:
            wanted.append(one)
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        one = wanted.pop()
        name, of = canonicalize_name(one.name), frozenset(one.extras)
        if name in NOT_OURS or (name, of) in seen or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        seen.add((name, of))
        found[name] = importlib.metadata.distribution(name)
        for text in found[name].requires or []:
            need = Requirement(text)
            if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *of)):
                need.marker = None
                wanted.append(need)
    return found


def test_every_package_is_pinned_at_the_version_that_is_installed() -> None:
    found = closure(["dev"])
    assert len(found) > 60
    wrong = {name: (entry.version, PINS.get(name)) for name, entry in found.items() if PINS.get(name) != entry.version}
    assert wrong == {}


def test_licences_of_what_a_server_ships() -> None:
    free = re.compile(
        r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense|0BSD|HPND|Zlib|CC0", re.I
    )
    found = closure(["server", "embedded"])
    assert len(found) > 40
    unclear = {}
    for name, entry in found.items():
        meta = entry.metadata
        classifiers = " ".join(line for line in meta.get_all("Classifier", []) if line.startswith("License ::"))
        words = meta.get("License-Expression") or classifiers or (meta.get("License") or "")[:300]
        if not free.search(words) or re.search(r"\b(AGPL|GPL)", words.replace("LGPL", "")):
            unclear[name] = words[:200]
    assert unclear == {}


def test_no_known_vulnerability() -> None:
    """Asks the advisory service of the index; where none is reached, nothing is claimed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--requirement", ROOT / "constraints.txt", "--no-deps", "--disable-pip",
             "--timeout", "5", "--progress-spinner", "off"],
            capture_output=True, text=True, timeout=45,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("the advisory service of the package index does not answer: dependencies were not audited")
    said = done.stdout + done.stderr
    if done.returncode and not re.search(r"Found \d+ known vulnerabilit", said):
        last = said.strip().splitlines()[-1][:200] if said.strip() else "no answer"
        pytest.skip(f"the advisory service of the package index is not reached, dependencies were not audited: {last}")
    assert done.returncode == 0, said
