"""What one check has found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Finding:
    """`promise` is the bar, `measured` what was seen, `broken` one sentence for each time that it was not kept."""

    name: str
    promise: str
    measured: str
    broken: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """For the table."""
        return "met" if not self.broken else f"BROKEN {len(self.broken)} x"
