"""Bar charts as small SVG files: readable on a light and a dark page, and told in words to who cannot see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Kind = Literal["ours", "peer", "reference"]
WIDTH, LABEL, BAR, GAP, TOP, FOOT = 760, 250, 22, 12, 46, 34
ROOM = 150
"""To the right of the longest bar, for its words."""
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #59636e }
.ours { fill: #c2410c }
.peer { fill: #6e7781 }
.reference { fill: none; stroke: #6e7781; stroke-dasharray: 4 3 }
.limit { stroke: #1a7f37; stroke-width: 2 }
.limit-word { font-size: 11px; fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .ours { fill: #fb8c4a } .peer { fill: #8b949e }
  .reference { stroke: #8b949e } .limit { stroke: #3fb950 } .limit-word { fill: #3fb950 }
}
"""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar. A reference was measured elsewhere or on another day: it is only outlined."""

    label: str
    value: float
    kind: Kind
    shown: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars of one unit; `limit` is a line that ours should not cross (or reach, where more is better)."""

    title: str
    bars: Sequence[Bar]
    more_is_better: bool
    foot: str
    limit: float | None = None
    limit_shown: str = ""

    def words(self) -> str:
        """The same for who does not see it."""
        told = "; ".join(f"{bar.label} {bar.shown}{self.ratio(bar)}" for bar in self.bars)
        return f"{self.title}. {told}. {self.foot}"

    def ratio(self, bar: Bar) -> str:
        """How many times the first of ours it is, for all others."""
        first = next((one for one in self.bars if one.kind == "ours"), None)
        if first is None or bar is first or not first.value or not bar.value:
            return ""
        times = bar.value / first.value
        return f" (×{times:,.0f})" if times >= 10 else f" (×{times:.2g})"


def svg(chart: Chart) -> str:
    """The file."""
    most = max([bar.value for bar in chart.bars] + ([chart.limit] if chart.limit else [])) or 1
    scale = (WIDTH - LABEL - ROOM) / most
    height = TOP + len(chart.bars) * (BAR + GAP) + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="title words">',
        f'<title id="title">{escape(chart.title)}</title><desc id="words">{escape(chart.words())}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="22">{escape(chart.title)}</text>',
    ]
    for number, bar in enumerate(chart.bars):
        parts.append(_bar(chart, bar, TOP + number * (BAR + GAP), scale))
    if chart.limit:
        parts.append(_limit(chart, LABEL + chart.limit * scale, height - FOOT))
    better = "more is better" if chart.more_is_better else "less is better"
    parts.append(f'<text class="small" x="8" y="{height - 10}">{escape(f"{better} · {chart.foot}")}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _bar(chart: Chart, bar: Bar, top: float, scale: float) -> str:
    width = max(2.0, bar.value * scale)
    middle = top + BAR - 6
    return (
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{bar.kind}" x="{LABEL}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3"/>'
        f'<text x="{LABEL + width + 6:.1f}" y="{middle}">{escape(bar.shown + chart.ratio(bar))}</text>'
    )


def _limit(chart: Chart, x: float, foot: float) -> str:
    return (
        f'<line class="limit" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{foot}"/>'
        f'<text class="limit-word" x="{x + 4:.1f}" y="{TOP - 10}">{escape(chart.limit_shown)}</text>'
    )
