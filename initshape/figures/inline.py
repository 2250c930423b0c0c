"""Figure data to SVG for the middle of a page: no plotting library, and the colours of whatever surrounds it.

Text and axes are drawn in `currentColor`, so a dark page has them light; the colours of lines have a contrast of at
least 3 with white and with black, and every line has its own marker as well.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initshape.figures.data import FigureData, Series
from initshape.figures.ticks import log_ticks

COLOURS = ("#2f81c7", "#d55e00", "#0f9d76", "#b5659a", "#a8780a", "#7a6ff0", "#808080")
_MARKERS = ("●", "■", "▲", "◆", "▼", "✚", "✖")
_HOLLOW = ("○", "□", "△", "◇", "▽", "✛", "✕")
_MOST_LINES = len(COLOURS)
_WIDTH, _HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 150, 12, 44


@dataclass(frozen=True)
class _Scale:
    """Data to pixels along one axis; `ticks` are (value, label)."""

    log: bool
    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        low, high, place = (
            math.log10(v) if self.log else v for v in (self.low, self.high, value)
        )  # fmt: skip
        return self.begin + (place - low) / (high - low) * (self.end - self.begin)


def inline_svg(figure: FigureData) -> str:
    """The series of a figure; at most seven lines, the caption of the caller says the rest. "" without points."""
    lines = [series for series in figure.series if series.x and series.role == "main"][:_MOST_LINES]
    if not lines:
        return ""
    xs = [value for series in lines for value in series.x]
    ys = [value for series in lines for value in series.y]
    x = _scale(figure.x.scale == "log", xs, _LEFT, _WIDTH - _RIGHT)
    y = _scale(figure.y.scale == "log", ys, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_axes(x, y), _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, figure.x.label, "middle")]
    parts.append(
        f'<text transform="translate(14 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle" '
        f'fill="currentColor">{_plain(figure.y.label)}</text>'
    )
    for k, series in enumerate(lines):
        parts += _line(series, x, y, k)
        top = _TOP + 18 * (k + 1) + 6
        label = _plain(series.label)
        parts.append(f'<text x="{_WIDTH - _RIGHT + 14}" y="{top}" fill="{COLOURS[k]}">{_MARKERS[k]}</text>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 30}" y="{top}" fill="currentColor">{label}</text>')
    parts.append(_text(_WIDTH - _RIGHT + 14, _TOP + 4, figure.legend_title, "start"))
    return svg(_WIDTH, _HEIGHT, figure.title or figure.caption, parts)


def svg(width: float, height: float, told: str, parts: Sequence[str]) -> str:
    """A drawing with its text alternative."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" style="max-width:100%;height:auto" role="img" aria-label="{_plain(told)}" '
        f'font-size="11" font-family="sans-serif">{"".join(parts)}</svg>'
    )


def _scale(log: bool, values: list[float], begin: float, end: float) -> _Scale:
    if log:
        found = log_ticks(min(values), max(values))
        ticks = tuple(zip(found.major, found.labels, strict=True))
        return _Scale(True, found.low, found.high, begin, end, ticks)
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - room, high + room
    step = 10.0 ** math.floor(math.log10(high - low))
    step *= next(m for m in (0.2, 0.25, 0.5, 1.0, 2.0) if (high - low) / (m * step) <= 7)
    first = math.ceil(low / step)
    marks = [k * step for k in range(first, math.floor(high / step) + 1)]
    return _Scale(False, low, high, begin, end, tuple((mark, f"{mark:.4g}") for mark in marks))


def _axes(x: _Scale, y: _Scale) -> Iterator[str]:
    for value, _ in x.ticks:
        yield _rule(x.at(value), y.begin, x.at(value), y.end, 0.12)
    for value, _ in y.ticks:
        yield _rule(x.begin, y.at(value), x.end, y.at(value), 0.12)
    yield _rule(x.begin, y.begin, x.end, y.begin, 0.7)
    yield _rule(x.begin, y.begin, x.begin, y.end, 0.7)
    for value, label in x.ticks:
        yield _text(x.at(value), y.begin + 15, label, "middle")
    for value, label in y.ticks:
        yield _text(x.begin - 6, y.at(value) + 4, label, "end")


def _line(series: Series, x: _Scale, y: _Scale, k: int) -> Iterator[str]:
    points = [(x.at(a), y.at(b)) for a, b in zip(series.x, series.y, strict=True)]
    if series.joined:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[k]}" stroke-width="1.6"/>'
    if series.marked or len(points) == 1:
        solid = series.solid or (True,) * len(points)
        for (a, b), full in zip(points, solid, strict=True):
            mark = _MARKERS[k] if full else _HOLLOW[k]
            yield f'<text x="{a:.1f}" y="{b + 4:.1f}" text-anchor="middle" fill="{COLOURS[k]}">{mark}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, opacity: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{_plain(text)}</text>'


_NAMES = {"alpha": "α", "delta": "δ", "sigma": "σ", "eta": "η", "ell": "ℓ", "gamma": "γ", "tau": "τ", "theta": "θ",
          "Sigma": "Σ", "times": "×", "cdot": "·", "infty": "∞", "leq": "≤", "geq": "≥", "ast": "*", "Vert": "‖",
          "|": "‖"}  # fmt: skip
_RAISED = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_LOWERED = str.maketrans("0123456789-+", "₀₁₂₃₄₅₆₇₈₉₋₊")


def _plain(text: str) -> str:
    r"""Mathtext as escaped plain text: $10^{-3}$ is 10⁻³, $\alpha$ is α."""
    text = re.sub(r"\\math\w+|\\text", "", text.replace("$", ""))
    text = re.sub(r"\\([A-Za-z]+|\|)", lambda found: _NAMES.get(found[1], found[1]), text)
    text = re.sub(r"\^\{?([-+0-9]+)\}?", lambda found: found[1].replace("−", "-").translate(_RAISED), text)
    text = re.sub(r"_\{?([-+0-9]+)\}?", lambda found: found[1].translate(_LOWERED), text)
    return html.escape(re.sub(r"[{}]|\\[,;: ]|_(?=[^\w\s]|Σ)", "", text))
