"""Gallery draws: which images of a pool make up the gallery of a trial.

Two draws are in use on SYSU-MM01, and figures from one do not compare with the other's:

- ``agw``: Python's generator seeded with the trial, one draw for each identity and camera. AGW,
  CAJ, DEEN and MSCMNet report it, and LLCM knows no other.
- ``official``: the permutations that come with SYSU-MM01 (``exp/rand_perm_cam.mat``).

Neither touches Python's or NumPy's global random state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import numpy as np

from mscm_lib.data.tables import ImageTable, IntArray
from mscm_lib.errors import DataError

Permutations = Mapping[tuple[int, int], IntArray]
"""(camera, identity) -> (trials, n): a 1-based permutation of its n images for each trial."""


def agw_draw(pool: ImageTable, trial: int, shots: int) -> ImageTable:
    """The ``agw`` gallery: ``shots`` images of each identity and camera of ``pool``.

    The generator is seeded with the trial once. Identities come in the sorted order of their
    four-digit names, then cameras in ascending order, then one call a cell: `random.choice` of the
    sorted file list for one shot. The public code draws several shots with NumPy's unseeded
    generator, which nobody can repeat; here the same seeded generator gives them
    (`random.sample`). A cell with fewer images than ``shots`` gives all that it has.

    Args:
        pool: every image that may be drawn.
        trial: the seed, 0 to 9 in print.
        shots: images of each identity and camera.
    """
    generator = random.Random(trial)
    drawn: list[int] = []
    for _, rows in _cells(pool):
        if shots == 1:
            drawn.append(generator.choice(rows))
        else:
            drawn.extend(generator.sample(rows, min(shots, len(rows))))
    return pool[np.array(drawn, dtype=np.int64)]


def official_draw(
    pool: ImageTable, trial: int, shots: int, permutations: Permutations
) -> ImageTable:
    """The ``official`` gallery: the first ``shots`` of each permuted file list.

    ``rand_perm_cam{camera}{identity}(trial + 1, :)`` in MATLAB's terms, where images count from 1
    in the sorted order of their names. A cell with fewer images than ``shots`` gives all of them.

    Args:
        pool: every image that may be drawn.
        trial: row of the permutations, from 0.
        shots: images of each identity and camera.
        permutations: by camera and identity; see `Permutations`.

    Raises:
        DataError: a cell of the pool has no permutation, or one of another length.
    """
    drawn: list[int] = []
    for (identity, camera), rows in _cells(pool):
        permutation = permutations.get((camera, identity))
        if permutation is None or trial >= len(permutation) or permutation.shape[1] != len(rows):
            raise DataError(
                f"exp/rand_perm_cam.mat: no valid permutation for trial {trial} of the {len(rows)} "
                f"images of identity {identity} in camera {camera}; put the file that comes with "
                "SYSU-MM01 there, or use draw = 'agw', which needs none"
            )
        drawn.extend(rows[place - 1] for place in permutation[trial, :shots])
    return pool[np.array(drawn, dtype=np.int64)]


def _cells(pool: ImageTable) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """(identity, camera) and its rows, sorted as published; a cell's rows by file name."""
    cells: dict[tuple[int, int], list[int]] = {}
    for row, cell in enumerate(zip(pool.ids.tolist(), pool.cams.tolist(), strict=True)):
        cells.setdefault(cell, []).append(row)
    for cell in sorted(cells, key=lambda cell: (f"{cell[0]:04d}", cell[1])):
        yield cell, sorted(cells[cell], key=lambda row: pool.paths[row])
