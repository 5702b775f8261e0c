"""SYSU-MM01's ``exp/rand_perm_cam.mat``: which images make up the official galleries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mscm_lib.data.draws import Permutations
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.mistaken import file_mistaken_for
from mscm_lib.data.tables import ImageTable, IntArray

PERMUTATION_FILE = "exp/rand_perm_cam.mat"
VARIABLE = "rand_perm_cam"
TRIALS = 10
_REMEDY = "download it again from SYSU-MM01's evaluation code; draw 'agw' works without it"
_ONLY = ("draw", ("official",))


def read_permutations(root: Path, pool: ImageTable, findings: Findings) -> Permutations:
    """The usable permutations of the cells of ``pool``; whatever is wrong becomes a finding.

    ``rand_perm_cam{camera}{identity}`` is a (10, n) matrix: a 1-based permutation of the n images
    of that identity in that camera for each trial. A wrong cell is an error of that cell alone:
    `official_draw` refuses galleries that need it.

    Args:
        root: of the dataset.
        pool: visible test images, the only ones ever drawn.
        findings: grows.
    """
    cells = np.unique(np.stack([pool.cams, pool.ids]), axis=1).T.tolist()  # (cells, 2)
    outer = _load(root, findings)
    permutations: dict[tuple[int, int], IntArray] = {}
    for camera, identity in cells if outer is not None else []:
        assert outer is not None
        count = int(np.sum((pool.cams == camera) & (pool.ids == identity)))
        cell = _cell(outer, camera, identity)
        if problem := _problem(cell, count):
            where = f"{PERMUTATION_FILE}, {VARIABLE}{{{camera}}}{{{identity}}}"
            findings.error(where, problem, _REMEDY, _ONLY)
        else:
            permutations[camera, identity] = np.asarray(cell).astype(np.int64)
    return permutations


def _load(root: Path, findings: Findings) -> npt.NDArray[np.object_] | None:
    from scipy.io import loadmat

    problem, remedy = "", _REMEDY
    try:
        # SciPy hides that a file is missing behind a message about file-like objects.
        (root / PERMUTATION_FILE).stat()
        content = loadmat(root / PERMUTATION_FILE)
    except FileNotFoundError:
        problem = "the file is missing: no 'official' gallery"
    except Exception as error:  # scipy raises whatever a damaged file makes it stumble over
        problem = f"is not readable as a MATLAB file ({type(error).__name__}: {error})"
        if found := file_mistaken_for(root / PERMUTATION_FILE):
            problem, remedy = f"is not readable as a MATLAB file: it is {found.kind}", found.remedy
    else:
        outer = np.ravel(content[VARIABLE]) if VARIABLE in content else None
        if outer is None:
            problem = f"has no variable {VARIABLE!r}"
        elif outer.dtype != object or len(outer) < 6:
            problem = f"{VARIABLE} is not one cell for each camera"
        else:
            return outer
    findings.error(PERMUTATION_FILE, problem, remedy, _ONLY)
    return None


def _cell(outer: npt.NDArray[np.object_], camera: int, identity: int) -> object:
    inner = np.ravel(outer[camera - 1])
    if inner.dtype != object or identity > len(inner):
        return None
    return inner[identity - 1]


def _problem(cell: object, count: int) -> str | None:
    """What is wrong with the cell of ``count`` images, or None."""
    if cell is None or np.size(np.asarray(cell)) == 0:
        return f"has no permutation of the {count} images"
    matrix = np.asarray(cell)
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.number):
        return f"is no matrix of numbers with a row for each of {TRIALS} trials"
    if len(matrix) < TRIALS:
        return f"has {len(matrix)} trials; expected {TRIALS}"
    if matrix.shape[1] != count:
        return f"permutes {matrix.shape[1]} images, but {count} are there"
    if not np.array_equal(
        np.sort(matrix, axis=1), np.tile(np.arange(1, count + 1), (len(matrix), 1))
    ):
        return f"has a row that is no permutation of 1 to {count}"
    return None
