"""Ranked lists to look through in a browser: one page, whole in itself, made without matplotlib.

It loads nothing and is complete without its script, which only hides rows: by average precision, by the
query's camera, by whether the first hit is right, and down to one hit a person.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

from PIL import Image

from mscm_lib.errors import ProtocolError
from mscm_lib.retrieval.gallery import Match
from mscm_lib.retrieval.search import Pixels

TEMPLATE = "viewer.html"
RANKS = 10  # shown of a list; as many people with one hit a person
WIDTH, ACROSS, EDGE = 48, 24, 16  # of a thumbnail, of the sheet, of what JPEG mixes colours in
# as `mscm_lib.reports.style` has them, which takes seconds to import
_COLOURS = {"right": "#029e73", "wrong": "#d55e00", "out": "#9a9a9a", "plain": "#0173b2"}


class Search(NamedTuple):
    """One query and its list.

    Attributes:
        name: of the query's picture.
        matches: best first, those that the camera rule leaves out among them; the whole list, or
            the page cannot show as many people as ranks.
        camera: of the query, where known.
        identity: of the person, where known.
        ap: average precision of the whole list, a fraction, where known.
        first: rank of the first right image, where known.
    """

    name: str
    matches: Sequence[Match]
    camera: int | None = None
    identity: int | None = None
    ap: float | None = None
    first: int | None = None

    def with_figures(self) -> Search:
        """With what a whole list says; as it is where nobody in it is right, or known to be."""
        hits = [match.rank for match in self.matches if match.right and match.rank is not None]
        if not hits:
            return self
        ap = sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits)
        return self._replace(ap=ap, first=hits[0])


@dataclass
class Sheet:
    """Thumbnails side by side in one picture, each image once."""

    places: dict[str, int] = field(default_factory=dict)
    tiles: list[Image.Image] = field(default_factory=list)

    def place(self, key: str, pixels: Pixels) -> int:
        """The number of an image's thumbnail, made where ``key`` is new."""
        if key not in self.places:
            size = (WIDTH, self.height or _height(pixels))
            self.places[key] = len(self.tiles)
            self.tiles.append(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        return self.places[key]

    @property
    def height(self) -> int:
        """Of a thumbnail, as the first image asked for; 0 where there is none yet."""
        return self.tiles[0].height if self.tiles else 0

    def address(self) -> str:
        """The sheet as a JPEG in a data URI."""
        down = -(-len(self.tiles) // ACROSS)
        whole = Image.new("RGB", (ACROSS * WIDTH, down * self.height), "white")
        for place, tile in enumerate(self.tiles):
            whole.paste(tile, (place % ACROSS * WIDTH, place // ACROSS * self.height))
        stream = io.BytesIO()
        whole.save(stream, "JPEG", quality=72, optimize=True)
        return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def listed(matches: Sequence[Match], ranks: int = RANKS) -> list[Match]:
    """Those of a list that the page draws: the first ranks, and the first hits of as many people."""
    return [match for match, *_ in _told(matches, ranks)]


def viewer(
    searches: Sequence[Search],
    images: Sequence[Sequence[Pixels]],
    title: str,
    about: str,
    ranks: int = RANKS,
) -> str:
    """The page.

    Args:
        searches: in the order of the page.
        images: of each search, (H, W, 3) of the query and of those of its matches that are `listed`.
        title, about: plain text: what stands above, and a sentence on what was searched.
        ranks: shown of a list.

    Raises:
        ProtocolError: there are no searches, or not an image for each query and match.
    """
    wanted = [1 + len(listed(search.matches, ranks)) for search in searches]
    if not searches or wanted != [len(each) for each in images]:
        raise ProtocolError(
            f"images of {len(searches)} searches: {[len(each) for each in images]}, expected {wanted}"
        )
    sheet = Sheet()
    rows = [
        _row(number, search, drawn, sheet, ranks)
        for number, (search, drawn) in enumerate(zip(searches, images, strict=True))
    ]
    text = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
    return Template(text).substitute(
        _COLOURS,
        title=escape(title),
        about=escape(about),
        filters=_filters(searches),
        rows="\n".join(rows),
        width=WIDTH,
        height=sheet.height,
        sheet=sheet.address(),
    )


def _told(matches: Sequence[Match], ranks: int) -> Iterator[tuple[Match, int, bool]]:
    """Matches to draw, each with its person's place in the list, or 0 where the person is there already
    or the image is left out; and whether it is drawn for that alone, since its own rank is too far."""
    people: set[int] = set()
    rank = 0
    for match in matches:
        place, near = 0, rank < ranks
        if match.rank is not None:
            rank, near = match.rank, match.rank <= ranks
            if match.identity not in people:
                people.add(match.identity)
                place = len(people)
        if near or 0 < place <= ranks:
            yield match, place, not near


def _row(number: int, search: Search, images: Sequence[Pixels], sheet: Sheet, ranks: int) -> str:
    said = [search.name]
    data: dict[str, int | str] = {}
    if search.identity is not None:
        said.append(f"person {search.identity}")
        first = any(match.rank == 1 and match.right for match in search.matches)
        data["first"] = "right" if first else "wrong"
    if search.camera is not None:
        said.append(f"camera {search.camera}")
        data["camera"] = search.camera
    if search.ap is not None:
        said += [f"AP {search.ap:.0%}", f"first hit at rank {search.first}"]
        data["ap"] = f"{100 * search.ap:.1f}"
    if not search.matches:
        said.append("nobody here")
    asked = sheet.place(f"?{number}", images[0])
    tiles = [_tile("asked", ["<span>query</span>"], asked, search.name)]
    for (match, nth, far), image in zip(_told(search.matches, ranks), images[1:], strict=True):
        tiles.append(_match(match, nth, far, sheet.place(match.path, image)))
    told = "".join(f' data-{key}="{value}"' for key, value in data.items())
    head = f"<section{told}>\n<h2>{escape(', '.join(said))}</h2>\n<ol>"
    return "\n".join([head, *tiles, "</ol>\n</section>"])


def _match(match: Match, nth: int, far: bool, place: int) -> str:
    kinds, mark = {None: ("", ""), True: ("right", "✓ "), False: ("wrong", "✗ ")}[match.right]
    name = f"rank {match.rank}"
    if match.rank is None:
        kinds, mark, name = "out", "– ", "left out"
    kinds += " far" * far + " again" * (not nth)
    lines = [
        f'<span class="rank">{mark}{name}</span>',
        f'<span class="person">{mark}person {nth}</span>' if nth else "",
        f"<span>id {match.identity}</span>",
        f"<span>cam {match.camera}</span>",
        f"<span>{match.score:.2f}</span>",
    ]
    return _tile(kinds.strip(), lines, place, match.path)


def _tile(kinds: str, lines: Sequence[str], place: int, name: str) -> str:
    x, y = place % ACROSS, place // ACROSS
    picture = f'<span class="t" style="--x:{x};--y:{y}" title="{escape(name)}"></span>'
    return f'<li class="{kinds}">{picture}{"".join(lines)}</li>'


def _filters(searches: Sequence[Search]) -> str:
    """The form's fields, those alone that have something to choose from."""
    fields = []
    if any(search.ap is not None for search in searches):
        for name, words, value in (("low", "AP from", 0), ("high", "AP up to", 100)):
            fields.append(
                f'<label>{words} <input type="range" name="{name}" min="0" max="100" '
                f'value="{value}"><output>{value} %</output></label>'
            )
    cameras = sorted({search.camera for search in searches if search.camera is not None})
    if len(cameras) > 1:
        names = {"": "all", **{str(camera): str(camera) for camera in cameras}}
        fields.append(_choice("camera", "query camera", names))
    if any(search.identity is not None for search in searches):
        names = {"": "right or wrong", "right": "right", "wrong": "wrong"}
        fields.append(_choice("first", "rank 1", names))
    fields.append('<label><input type="checkbox" name="people"> one hit a person</label>')
    return "\n".join(fields)


def _choice(name: str, words: str, options: dict[str, str]) -> str:
    inside = "".join(f'<option value="{k}">{v}</option>' for k, v in options.items())
    return f'<label>{words} <select name="{name}">{inside}</select></label>'


def _height(pixels: Pixels) -> int:
    """Of a thumbnail that keeps the image's shape, in whole blocks of JPEG."""
    wanted = WIDTH * pixels.shape[0] / pixels.shape[1]
    return max(EDGE, min(3 * WIDTH, EDGE * round(wanted / EDGE)))
