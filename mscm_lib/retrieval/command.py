"""`mscm search`: one picture, several, or a path a line from standard input."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mscm_lib.errors import ConfigError, DataError
from mscm_lib.files import write_text
from mscm_lib.outputs import check_file
from mscm_lib.paths import located
from mscm_lib.retrieval.gallery import Match
from mscm_lib.retrieval.search import Pixels, Searcher
from mscm_lib.retrieval.viewer import Search, listed, viewer


def search(options: argparse.Namespace) -> int:
    """Print each picture's ranked list, headed by its path where more than one is asked for.

    Pictures given by name are all read before the first answer; of a list on standard input one
    that cannot be used is named, and the others are answered.

    Returns:
        The exit status: 2 where a picture from standard input could not be used.

    Raises:
        ConfigError: an argument does not fit the gallery or the others.
        DataError: a picture, the index or, for a figure or a page, the packed dataset cannot be
            used; the index holds no thresholds to decide by.
    """
    images, top, figure, html = options.image, options.top, options.figure, options.html
    camera, identity = options.camera, options.identity
    searcher = Searcher.open(options.folder)
    kind = searcher.check(options.modality, camera, identity)
    _check_files(images, figure, html)
    if figure or html:
        searcher.packed()
    if options.decide:
        searcher.thresholds()  # an index without them is refused before any picture is read
    if identity is not None and identity not in searcher.index.table.ids:
        print(f"note: nobody in this gallery is {identity}: no match is right", file=sys.stderr)

    # for its average precision; of a graph the end of a list is slow to find and not sure
    depth = len(searcher.index) if html and searcher.index.method == "exact" else top

    def answer(found: list[Match]) -> list[Match]:
        last = next((place for place, match in enumerate(found, 1) if match.rank == top), None)
        matches = found[:last]
        return searcher.decided(matches, kind, camera) if options.decide else matches

    def find(image: str | Pixels) -> list[Match]:
        return searcher.search(image, kind, depth, camera, identity)

    if images == ["-"]:
        return _answer_lines(lambda image: answer(find(image)))
    asked = list(zip(images, map(searcher.pixels, images), strict=True))
    searches, pictures = [], []
    for name, pixels in asked:
        found = find(pixels)
        matches = answer(found)
        _show(name if len(images) > 1 else "", matches)
        if html:
            known = Search(_readable(name), found, camera, identity)
            known = known.with_figures() if searcher.index.method == "exact" else known
            searches.append(known._replace(matches=matches if options.decide else found))
            drawn = searcher.pictures(listed(searches[-1].matches, top))
            pictures.append([pixels, *drawn])
        if figure and matches:
            _draw(figure, searcher, _readable(name), pixels, matches)
        elif figure:
            print(f"note: nobody to draw: {figure} is not written", file=sys.stderr)
    if html:
        about = searcher.index.about
        told = f"Ranked by {about['feature']} feature in {len(searcher.index):,} images."
        title = f"Searches in {about['dataset']}"
        write_text(html, viewer(searches, pictures, title, told, top))
    return 0


def _readable(name: str) -> str:
    """A picture's own name for people to read: what is no text in it becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", Path(name).name)


def _answer_lines(answer: Callable[[str], list[Match]]) -> int:
    status = 0
    for name in _lines():
        try:
            matches = answer(name)
        except (ConfigError, DataError) as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            status = 2
        else:
            _show(name, matches)
    return status


def _lines() -> Iterator[str]:
    """Paths from standard input; a person at a terminal is asked for them.

    Around a path that is not there as it stands, blanks and a pair of quotes are taken off.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):  # a name may be no text
        sys.stdin.reconfigure(errors="surrogateescape")
    while True:
        if sys.stdin.isatty():
            print("picture (end with Ctrl-D): ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        path = line.removeprefix("\ufeff").rstrip("\r\n")
        bare = re.sub(r"""^(["'])(.+)\1$""", r"\2", path.strip())
        if not bare:
            continue
        with suppress(ConfigError):  # a name that the system bars: who answers for it says so
            path = path if located(path).exists() else bare
        yield path


def _show(name: str, matches: Sequence[Match]) -> None:
    if name:
        print(name)
    if not matches:  # of those that were decided on: every other list has somebody
        print("nobody here")
    for match in matches:
        rank = "left out" if match.excluded else f"{match.rank:8d}"
        mark = {None: "", True: "right", False: "wrong"}[match.right]
        line = f"{rank}  {match.score:6.3f}  id {match.identity:<6} {match.path}  {mark}"
        print(line.rstrip())
    sys.stdout.flush()  # whoever feeds lines waits for the answer


def _check_files(images: list[str], figure: Path | None, html: Path | None) -> None:
    if figure and (images == ["-"] or len(images) > 1):
        raise ConfigError("--figure draws the list of one picture; name one")
    if html and images == ["-"]:
        raise ConfigError("--html shows pictures given by name; name them")
    for path, suffix in ((figure, ".png"), (html, ".html")):
        if path:
            check_file(path, suffix)
            if not path.parent.is_dir():
                folder = path.parent.absolute()
                raise ConfigError(f"{folder}: no such folder; make it, or name another")


def _draw(
    path: Path, searcher: Searcher, name: str, pixels: Pixels, matches: Sequence[Match]
) -> None:
    from mscm_lib.reports.figures import save
    from mscm_lib.reports.rankings import ranked_figure

    title = f"{name} in {searcher.index.about['dataset']}"
    drawn = ranked_figure(pixels, matches, searcher.pictures(matches), title)
    save(path, drawn, f"Ranked list for {name}.")
