"""The diagram of a job's states as a picture that needs no script: mkdocs-material fetches its own from elsewhere.

The text in the page stays what GitHub draws too; this draws the same states and arrows, at the places given here.
"""

from __future__ import annotations

import re
from html import escape

_FENCE = re.compile(r"^```mermaid\nstateDiagram-v2\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ARROW = re.compile(r"^ +(\w+) --> (\w+): (.*)$", re.MULTILINE)
_SIZE = (790, 480)
_WIDE, _HIGH = 116, 36
_PLACES = {
    "queued": (130, 190),
    "running": (410, 190),
    "succeeded": (700, 100),
    "failed": (700, 270),
    "cancelling": (410, 360),
    "cancelled": (130, 360),
}
# Of each arrow its path and the place of its words; an arrow without a line here stops the build.
_PATHS: dict[tuple[str, str], tuple[str, int, int]] = {
    ("queued", "running"): ("M188,182 L346,182", 267, 174),
    ("running", "queued"): ("M352,200 L194,200", 270, 217),
    ("queued", "cancelled"): ("M140,208 L140,336", 170, 276),
    ("cancelled", "queued"): ("M118,342 L118,214", 90, 276),
    ("running", "succeeded"): ("M468,180 L640,116", 545, 136),
    ("running", "failed"): ("M468,200 L640,256", 514, 211),
    ("running", "cancelling"): ("M420,208 L420,336", 446, 276),
    ("cancelling", "running"): ("M398,342 L398,214", 370, 276),
    ("cancelling", "cancelled"): ("M352,360 L194,360", 270, 352),
    ("cancelling", "succeeded"): ("M450,342 C480,270 580,200 656,123", 492, 286),
    ("cancelling", "failed"): ("M468,356 L640,290", 570, 338),
    ("succeeded", "queued"): ("M680,82 C520,-20 260,-20 136,166", 420, 24),
    ("failed", "queued"): ("M706,288 C690,540 -160,560 67,202", 410, 476),
}


def drawn(markdown: str) -> str:
    """Markdown with its state diagrams as figures. Errors: KeyError for an arrow that has no path here."""
    return _FENCE.sub(lambda found: _figure(found[1]), markdown)


def _figure(text: str) -> str:
    parts = [
        f'<figure class="states"><svg viewBox="0 0 {_SIZE[0]} {_SIZE[1]}" role="img" aria-label="States of a job">',
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="6" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0 L10,5 L0,10 z"/></marker></defs>',
        '<circle cx="20" cy="190" r="6"/>' + _arrow("M28,190 L66,190", "submit", 40, 176),
    ]
    for begin, end, words in _ARROW.findall(text):
        path, x, y = _PATHS[begin, end]
        parts.append(_arrow(path, words, x, y))
    parts += [_state(name, *place) for name, place in _PLACES.items()]
    return "\n".join([*parts, "</svg></figure>"])


def _arrow(path: str, words: str, x: int, y: int) -> str:
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/><text x="{x}" y="{y}">{escape(words)}</text>'


def _state(name: str, x: int, y: int) -> str:
    box = f'<rect x="{x - _WIDE // 2}" y="{y - _HIGH // 2}" width="{_WIDE}" height="{_HIGH}" rx="8"/>'
    return f'{box}<text class="state" x="{x}" y="{y + 5}">{name}</text>'
