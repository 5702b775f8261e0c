"""`mscm search`: one picture, several, or a path a line from standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mscm_lib.errors import ConfigError, DataError
from mscm_lib.retrieval.gallery import Match
from mscm_lib.retrieval.search import Pixels, Searcher


def search(
    folder: Path,
    images: list[str],
    modality: str,
    top: int,
    camera: int | None,
    identity: int | None,
    decide: bool,
    figure: Path | None,
) -> int:
    """Print each picture's ranked list, headed by its path where more than one is asked for.

    Pictures given by name are all read before the first answer; of a list on standard input one
    that cannot be used is named, and the others are answered.

    Args:
        folder: of the index.
        images: paths, or "-" alone: read paths from standard input.
        modality, top, camera, identity: see `Searcher.search`.
        decide: list only who counts as the same person, or say that nobody here does.
        figure: PNG file to draw the one picture's list into.

    Returns:
        The exit status: 2 where a picture from standard input could not be used.

    Raises:
        ConfigError: an argument does not fit the gallery or the others.
        DataError: a picture, the index or, for a figure, the packed dataset cannot be used; the
            index holds no thresholds to decide by.
    """
    searcher = Searcher.open(folder)
    kind = searcher.check(modality, camera, identity)
    if figure:
        _check_figure(figure, images)
        searcher.packed()
    if decide:
        searcher.thresholds()  # an index without them is refused before any picture is read
    if identity is not None and identity not in searcher.index.table.ids:
        print(f"note: nobody in this gallery is {identity}: no match is right", file=sys.stderr)

    def answer(image: str | Pixels) -> list[Match]:
        matches = searcher.search(image, kind, top, camera, identity)
        return searcher.decided(matches, kind, camera) if decide else matches

    if images == ["-"]:
        return _answer_lines(answer)
    for name, pixels in zip(images, [*map(searcher.pixels, images)], strict=True):
        matches = answer(pixels)
        _show(name if len(images) > 1 else "", matches)
        if figure and matches:
            _draw(figure, searcher, Path(name).name, pixels, matches)
        elif figure:
            print(f"note: nobody to draw: {figure} is not written", file=sys.stderr)
    return 0


def _answer_lines(answer: Callable[[str], list[Match]]) -> int:
    status = 0
    for name in _lines():
        try:
            matches = answer(name)
        except DataError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            status = 2
        else:
            _show(name, matches)
    return status


def _lines() -> Iterator[str]:
    """Paths from standard input; a person at a terminal is asked for them."""
    while True:
        if sys.stdin.isatty():
            print("picture (end with Ctrl-D): ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.rstrip("\r\n")


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


def _check_figure(path: Path, images: list[str]) -> None:
    if images == ["-"] or len(images) > 1:
        raise ConfigError("--figure draws the list of one picture; name one")
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ConfigError(f"{path}: expected the name of a PNG file, such as list.png")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent.absolute()}: no such folder; make it, or name another")


def _draw(
    path: Path, searcher: Searcher, name: str, pixels: Pixels, matches: Sequence[Match]
) -> None:
    from mscm_lib.reports.figures import save
    from mscm_lib.reports.rankings import ranked_figure

    title = f"{name} in {searcher.index.about['dataset']}"
    drawn = ranked_figure(pixels, matches, searcher.pictures(matches), title)
    save(path, drawn, f"Ranked list for {name}.")
