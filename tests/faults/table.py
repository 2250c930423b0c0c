"""The verdict as a table for people."""

from __future__ import annotations

from collections import Counter

from tests.faults.runner import Report

SHOWN = 5


def section(report: Report) -> str:
    """What was done, and the table."""
    done = ", ".join(f"{count} x {what}" for what, count in sorted(Counter(report.faults).items()))
    return (
        f"Seed {report.seed}, {report.scenario.workers} workers, {report.scenario.clients} clients; "
        f"{sum(report.faults.values())} faults ({done}) in {report.seconds:.0f} s.\n\n{table(report)}"
    )


def table(report: Report) -> str:
    """Markdown: promise, what was measured, verdict."""
    lines = ["| check | promised | measured | verdict |", "| --- | --- | --- | --- |"]
    lines += [f"| {f.name} | {f.promise} | {f.measured} | {f.verdict} |" for f in report.findings]
    return "\n".join(lines)


def complaints(report: Report) -> str:
    """What was not kept, the first of each kind."""
    lines = []
    for finding in report.findings:
        lines += [f"{finding.name}: {sentence}" for sentence in finding.broken[:SHOWN]]
        if len(finding.broken) > SHOWN:
            lines.append(f"{finding.name}: and {len(finding.broken) - SHOWN} more")
    return "\n".join(lines)
