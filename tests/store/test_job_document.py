"""docs/jobs.md draws and lists the transitions of the one table of states, and names scripts that there are."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from initshape.spec.status import TRANSITIONS, Status

TEXT = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
TABLE = {(before, after) for before, followers in TRANSITIONS.items() for after in followers}
SCRIPTS = {entry.name.removesuffix(".lua") for entry in (files("initshape.store") / "scripts").iterdir()}


def rows(heading: str) -> list[list[str]]:
    """The table that begins with a heading."""
    body = TEXT.split(f"{heading}\n", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[1:]]


def test_the_diagram_is_the_table_of_states() -> None:
    arrows = re.findall(r"^ +(\w+) --> (\w+): (.*)$", TEXT, re.MULTILINE)
    assert {(Status(a), Status(b)) for a, b, _ in arrows} == TABLE
    drawn = {(a, b): set(names.split(", ")) for a, b, names in arrows}
    listed = {(row[0], row[1]): set(re.findall(r"`(\w+)`", row[2])) for row in rows("| from | to | script | when |")}
    assert drawn == listed


def test_the_scripts_are_there() -> None:
    named = {name for row in rows("| from | to | script | when |") for name in re.findall(r"`(\w+)`", row[2])}
    assert named <= SCRIPTS


def test_the_ends_of_attempts_are_those_of_the_scripts() -> None:
    folder = files("initshape.store") / "scripts"
    source = "".join((folder / f"{name}.lua").read_text() for name in sorted(SCRIPTS))
    python = (Path(__file__).parents[2] / "initshape" / "store" / "leases.py").read_text()
    listed = {row[0].strip("`") for row in rows("| an attempt ended | what happened | counts as lost |")}
    said = set(re.findall(r"close_attempt\(id, '(\w+)'\)|give_up\(id, '(\w+)'|how = '(\w+)'", source))
    known = {word for words in said for word in words if word}
    known |= set(re.findall(r'"(failed|stopped|handed_over)"', python))
    assert listed == known
