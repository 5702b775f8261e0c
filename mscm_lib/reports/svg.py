"""SVG written by hand: boxes, arrows and words, the same bytes every time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

WIDTH = 460  # narrow, so that letters of 13 pixels stay readable on a telephone
INK, FAINT = "#1b1f24", "#57606a"
Point = tuple[float, float]
CORNERS: dict[str, tuple[Point, ...]] = {
    "s": ((-6, -6), (6, -6), (6, 6), (-6, 6)),
    "^": ((-7, 6), (7, 6), (0, -7)),
    "v": ((-7, -6), (7, -6), (0, 7)),
}


class Drawing:
    """An SVG that grows by boxes, arrows and words; lengths are pixels at its natural size."""

    def __init__(self, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" style="max-width:100%;height:auto" role="img" '
            f"aria-label={quoteattr(title)} font-family=\"Arial, Helvetica, 'DejaVu Sans', "
            f'sans-serif" font-size="13" fill="{INK}">',
            f"<title>{escape(title)}</title>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" '
            'fill="#ffffff" stroke="#d0d7de"/>',
        ]

    def add(self, element: str, **attributes: float | str) -> None:
        """An element without content; an underscore in an attribute's name stands for a hyphen."""
        given = " ".join(
            f'{name.replace("_", "-")}="{value if isinstance(value, str) else f"{value:.6g}"}"'
            for name, value in attributes.items()
        )
        self.parts.append(f"<{element} {given}/>")

    def words(self, x: float, y: float, said: str, bold: bool = False, at: str = "middle") -> None:
        """One line; ``V_g`` lowers its g."""
        weight = ' font-weight="bold" font-size="15"' if bold else ""
        lowered = r'<tspan dy="4" font-size="11">\1</tspan><tspan dy="-4">\2</tspan>'
        inner = re.sub(r"(?<=\b[VI])_([gc])([^VI]*)", lowered, escape(said))
        self.parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{at}"{weight}>{inner}</text>')

    def box(
        self, x: float, y: float, width: float, height: float, lines: Sequence[str], colour: str
    ) -> None:
        """A box with its first line in bold and the others below it."""
        self.add(
            "rect", x=x, y=y, width=width, height=height, rx=5, fill=colour, fill_opacity=0.16,
            stroke=colour, stroke_width=1.5,
        )  # fmt: skip
        top = y + height / 2 - 8.5 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.words(x + width / 2, top + 17 * number, line, bold=not number)

    def arrow(
        self, *way: Point, colour: str = FAINT, dashes: str = "none", thick: float = 1.8
    ) -> None:
        """A line through the points, with its head at the last."""
        (x0, y0), (x1, y1) = way[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        a, b = (x1 - x0) / length, (y1 - y0) / length
        x2, y2 = x1 - 9 * a, y1 - 9 * b
        head = [(x1, y1), (x2 - 4.5 * b, y2 + 4.5 * a), (x2 + 4.5 * b, y2 - 4.5 * a)]
        line, tip = (
            " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            for points in ((*way[:-1], (x2, y2)), head)
        )
        self.add(
            "polyline", points=line, fill="none", stroke=colour, stroke_width=thick,
            stroke_dasharray=dashes,
        )  # fmt: skip
        self.add("polygon", points=tip, fill=colour)

    def cross(self, at: Point, colour: str) -> None:
        """A plus sign, for a center."""
        path = f"M{at[0] - 7:.1f} {at[1]:.1f}h14M{at[0]:.1f} {at[1] - 7:.1f}v14"
        self.add("path", d=path, stroke=colour, stroke_width=3.5)

    def marker(self, kind: str, at: Point, colour: str) -> None:
        """One of matplotlib's markers o, s, ^ and v."""
        if kind == "o":
            self.add("circle", cx=at[0], cy=at[1], r=6.5, fill=colour)
            return
        points = " ".join(f"{at[0] + x:.1f},{at[1] + y:.1f}" for x, y in CORNERS[kind])
        self.add("polygon", points=points, fill=colour)

    def svg(self) -> str:
        """The whole, with a final newline."""
        return "\n".join([*self.parts, "</svg>\n"])
