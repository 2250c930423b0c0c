"""The command line and the Python client, from their own signatures and docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from generators.markdown import table
from generators.trouble import exit_codes
from initshape.cli.app import app
from initshape.client import Client

_HEAD = """# Command line

Tables are for people, `--json` is for scripts: both go to stdout, progress and remarks go to stderr. On a server's own
machine the commands find it and its token; elsewhere set `INITSHAPE_URL` and `INITSHAPE_TOKEN`. Ctrl-C while following
a job detaches: the job goes on, and `initshape watch ID` comes back to it.

## Exit codes

"""


def page() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = [_HEAD, exit_codes(), "## Commands\n"]
    for name, command in group.commands.items():
        parts += _command(f"initshape {name}", command)
    return "\n".join(parts)


def _command(name: str, command: Any) -> list[str]:
    if hasattr(command, "commands"):  # a group of commands, such as token
        inner = [part for word, one in command.commands.items() for part in _command(f"{name} {word}", one)]
        return [f"### `{name}`\n\n{command.help or ''}\n", *inner]
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    rows = [(_spelled(p), _default(p), str(getattr(p, "help", "") or "")) for p in shown]
    return [f"### `{name}`\n\n{command.help or ''}\n", table(("argument", "default", "what it is"), rows)]


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper().strip('_')}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "**required**"
    value = parameter.default
    return "" if value is None or value is False or callable(value) else f"`{value}`"


def methods() -> str:
    """Every method of the client."""
    rows = []
    for name, method in vars(Client).items():
        if callable(method) and not name.startswith("_"):
            text = inspect.cleandoc(method.__doc__ or "").replace("*", "\\*")
            signature = ", ".join(str(p).split(":")[0] for p in inspect.signature(method).parameters.values())
            rows.append((f"`{name}({signature.removeprefix('self').removeprefix(', ')})`", text))
    return table(("method", "what it does"), rows)
