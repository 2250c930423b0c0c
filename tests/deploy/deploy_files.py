"""What the deployment tests share: where the files lie, and which settings the programs really read."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
NAME = re.compile(r"\bINITSHAPE_[A-Z_]+\b")


def known_settings() -> set[str]:
    """Every variable that the API, the workers, the library or the store's start script reads."""
    found = {f"INITSHAPE_{name.upper()}" for name in Settings.model_fields}
    for package in ("initshape", "service", "workers"):
        for file in (ROOT / package).rglob("*.py"):
            found |= set(NAME.findall(file.read_text()))
    return found | set(NAME.findall((DEPLOY / "start-redis.sh").read_text()))


def module_of(command: list[str]) -> str:
    """The module of `python -m module ...`."""
    assert command[1] == "-m", command
    return command[2]
