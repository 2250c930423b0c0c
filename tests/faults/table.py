"""The verdict as a table for people."""

from __future__ import annotations

from tests.faults.runner import Report

SHOWN = 5


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
