"""Charts as SVG for the lab's pages: points under a roof, and curves. Text goes in escaped, colours are the
page's."""

from __future__ import annotations

import html
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 20, 46
COLORS = "var(--orange)", "var(--grey)", "var(--violet)", "var(--blue)", "var(--green)"


class Chart:
    """A chart with axes, of which each is linear or logarithmic.

    Parameters
    ----------
    across, up : (float, float)
        From where to where.
    labels : (str, str)
    logarithmic : (bool, bool), optional
    """

    def __init__(self, across, up, labels, logarithmic=(False, False)):
        self.across, self.up, self.logarithmic = across, up, logarithmic
        self.parts, self.named = [], []
        self._axes(labels)

    def x(self, value):
        return LEFT + (WIDTH - LEFT - RIGHT) * _part(value, self.across, self.logarithmic[0])

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _part(value, self.up, self.logarithmic[1])

    def _axes(self, labels):
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for value in ticks(self.across, self.logarithmic[0]):
            x = self.x(value)
            self.parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="var(--rule)"/>')
            self.text(x, bottom + 16, short(value), "middle")
        for value in ticks(self.up, self.logarithmic[1]):
            y = self.y(value)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="var(--rule)"/>')
            self.text(LEFT - 8, y + 4, short(value), "end")
        self.text((LEFT + right) / 2, HEIGHT - 8, labels[0], "middle")
        self.parts.append(
            f'<text transform="translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle" '
            f'fill="var(--soft)" font-size="12">{html.escape(labels[1])}</text>'
        )

    def text(self, x, y, text, anchor="start", color="var(--soft)"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" '
            f'font-size="12">{html.escape(text)}</text>'
        )

    def line(self, points, color, dashes="", width=2):
        """A line through points, which are cut off where they leave the chart."""
        inside = [
            (self.x(min(max(x, self.across[0]), self.across[1])), self.y(min(max(y, self.up[0]), self.up[1])))
            for x, y in points
        ]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in inside)
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"{more}/>')

    def dot(self, x, y, color, title, size=5):
        self.parts.append(
            f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{size}" fill="{color}" '
            f'stroke="var(--card)">'
            f"<title>{html.escape(title)}</title></circle>"
        )

    def key(self, name, color, dashes=""):
        """A name at the right, with its colour."""
        y = TOP + 14 + 20 * len(self.named)
        self.named.append(name)
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        x = WIDTH - RIGHT + 12
        self.parts.append(f'<path d="M{x} {y - 4}h18" stroke="{color}" stroke-width="3"{more}/>')
        self.text(x + 24, y, name)

    def svg(self, title):
        """The whole element; `title` is for those who do not see it."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img"><title>{html.escape(title)}</title>'
            f"{''.join(self.parts)}</svg>"
        )


def _part(value, limits, logarithmic):
    low, high = (log10(each) for each in limits) if logarithmic else limits
    value = log10(value) if logarithmic else value
    return (value - low) / ((high - low) or 1.0)


def ticks(limits, logarithmic):
    """Round numbers between two limits."""
    low, high = limits
    if logarithmic:
        return [10.0**power for power in range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1)]
    step = 10 ** floor(log10(max(high - low, 1e-12)))
    for divisor in (1, 2, 5, 10):
        if (high - low) / (step / divisor) >= 4:
            step /= divisor
            break
    return [step * number for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def decades(values):
    """Powers of ten around positive numbers."""
    return 10.0 ** floor(log10(min(values))), 10.0 ** max(
        ceil(log10(max(values))), floor(log10(min(values))) + 1
    )


def short(value):
    """A number for an axis."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
