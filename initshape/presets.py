"""The published figures as submissions: the files of examples/, ready to be sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import initshape
from initshape.spec.parse import parse_yaml

POST = {"experiment": "/v1/experiments", "sweep": "/v1/sweeps", "regularizers": "/v1/regularizers/figure.png"}
"""Where a document of each kind is sent."""


@dataclass(frozen=True)
class Preset:
    """One file: its stem, the name it gives itself, the comment at its head, and the document."""

    name: str
    title: str
    kind: str
    shows: str
    document: dict[str, Any]

    @property
    def post(self) -> str:
        """Where it is sent."""
        return POST[self.kind]

    def view(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "post": self.post}


def examples() -> Path:
    """The folder of the examples: that of the source tree, or the copy that is installed with the package."""
    package = Path(initshape.__file__).parent
    tree = package.parent
    return tree / "examples" if (tree / "pyproject.toml").is_file() else package / "examples"


@cache
def presets() -> tuple[Preset, ...]:
    """Every file of examples/ that can be sent, by name; figures of regularizers last."""
    folder = examples()
    found = [_preset(file) for file in sorted(folder.glob("*.yaml"))]
    return (*found, *(_preset(file, "regularizers") for file in sorted((folder / "regularizers").glob("*.yaml"))))


def _preset(file: Path, kind: str | None = None) -> Preset:
    text = file.read_text(encoding="utf-8")
    document = parse_yaml(text)
    kind = kind or ("sweep" if "sweep" in document else "experiment")
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# ").rstrip())
    name = f"regularizer_{file.stem}" if kind == "regularizers" else file.stem
    return Preset(name, str(document.get("name") or file.stem), kind, " ".join(comment), document)
