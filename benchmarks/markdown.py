"""Numbers as text, tables as Markdown, and the parts of the README that a run rewrites."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.machine import sentence
from benchmarks.outcome import Bar, Outcome, Table
from benchmarks.race import Row


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits, plain from 0.001 to 99999, else in powers of ten; a dash for None."""
    if value is None:
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def table(content: Table) -> str:
    """A Markdown table under its caption."""
    lines = [f"**{content.caption}**", "", _line(content.header), _line(["---"] * len(content.header))]
    return "\n".join([*lines, *(_line(row) for row in content.rows)])


def race_table(caption: str, rows: Iterable[Row], reference: Row | None, first: tuple[str, ...] = ()) -> Table:
    """One line a contender: time, ratio to `reference` (ours), error against the exact limit, steps, how it ended."""
    header = (*first, "contender", "seconds", "CPU s", "times ours", "compile s", "error", "residual", "steps", "end")
    body = []
    for row in rows:
        done = row["finished"]
        times = row["seconds"] / reference["seconds"] if reference else None
        more = "" if done else "> "
        end = "done" if done and row["reached"] else row.get("note") or "stopped"
        body.append(
            (
                *(str(row[name]) for name in first),
                f"**{row['contender']}**" if row["ours"] else row["contender"],
                f"{more}{number(row['seconds'])}",
                number(row.get("cpu_seconds")),
                f"{more}{number(times)}",
                number(row.get("compile_seconds") or None),
                number(row.get("error")),
                number(row.get("residual")),
                str(row["steps"] if row.get("steps") is not None else "-"),
                end,
            )
        )
    return Table(caption, header, body)


def bars(content: Iterable[Bar]) -> str:
    """What was promised, what was measured."""
    body = []
    for bar in content:
        measured = (
            "-" if bar.measured is None else f"{'> ' if bar.lower_bound else ''}{number(bar.measured)} {bar.unit}"
        )
        verdict = {
            True: "met",
            False: "**missed**",
            None: "not measured" if bar.measured is None else "rival stopped too early to tell",
        }[bar.met]
        relation = "at least" if bar.relation == ">=" else "at most"
        body.append(
            (bar.name, f"{relation} {number(bar.target)} {bar.unit}", measured, verdict, bar.extrapolated or "-")
        )
    return table(Table("Bars", ("bar", "target", "measured", "verdict", "extrapolated"), body))


def section(outcome: Outcome, about: dict[str, object]) -> str:
    """What stands between the markers of one benchmark."""
    parts = [sentence(about)]
    if outcome.bars:
        parts.append(bars(outcome.bars))
    parts += [table(content) for content in outcome.tables]
    parts += outcome.notes
    if outcome.image:
        parts.append(f"![{outcome.image}](images/{outcome.image}.png)")
    return "\n\n".join(parts)


def replaced(document: str, name: str, text: str) -> str:
    """`document` with `text` between the markers of `name`. **Errors**: ValueError where they are missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if document.count(begin) != 1 or document.count(end) != 1 or document.index(begin) > document.index(end):
        raise ValueError(f"the document needs {begin} and {end} once each, in this order")
    head, tail = document.split(begin)[0], document.split(end)[1]
    return f"{head}{begin}\n{text}\n{end}{tail}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
