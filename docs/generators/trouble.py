"""What can go wrong, from the service's problems, the outcomes of the numerics and the exit codes."""

from __future__ import annotations

from generators.markdown import table
from initshape.cli.exits import Exit
from initshape.spec.outcome import Outcome
from service.errors import KINDS

_CODES = {
    Exit.done: "done",
    Exit.job_failed: "a job failed or was cancelled, or there is no result",
    Exit.bad_input: "bad input: the file, an option, an id, a token",
    Exit.unreachable: "the server is not reached, or stays unavailable",
    Exit.not_converged: "computed, and something did not converge",
    Exit.detached: "Ctrl-C: detached; what was sent goes on",
}


def problems() -> str:
    """Every kind of problem details, with an anchor of its own."""
    kinds = sorted(KINDS.values(), key=lambda kind: (kind.status, kind.slug))
    return "\n".join(
        f"#### {kind.status} {kind.title} {{#{kind.slug}}}\n\n`type: {kind.type}`: {kind.meaning}\n" for kind in kinds
    )


def outcomes() -> str:
    """Every way a computation may end."""
    rows = [(f"`{one.value}`", one.message or "As asked for.", one.advice or "") for one in Outcome]
    return table(("outcome", "what happened", "what to try"), rows)


def exit_codes() -> str:
    """Every exit code of the command line."""
    return table(("code", "meaning"), [(f"`{code.value}`", _CODES[code]) for code in Exit])
