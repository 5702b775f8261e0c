"""The epochs' figures as TensorBoard event files, for runs that ask for them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

FOLDER = "tensorboard"
GROUPS = ("gradient", "cka", "validation", "test")
"""First words of history columns that get a section of their own."""


class Board:
    """Event files in ``<output>/tensorboard``, one curve a history column.

    ``tensorboard --logdir runs/train`` shows the runs of a study side by side. A resumed run begins
    its files anew with the rows that it has, so that an interruption leaves no trace in the curves.

    Args:
        output: the run's folder.
    """

    def __init__(self, output: Path) -> None:
        # imported here: a server's worth of modules, for those alone who ask
        from torch.utils.tensorboard import SummaryWriter

        folder = output / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder))

    def add(self, row: Mapping[str, float], images_per_second: float) -> None:
        """Show one epoch, counted from 1 as in the log; what is NaN in its row is left out."""
        for name, value in {**row, "images_per_second": images_per_second}.items():
            if name != "epoch" and not math.isnan(value):
                self._writer.add_scalar(_tag(name), value, int(row["epoch"]) + 1)
        self._writer.flush()  # an epoch is worth seeing as soon as it is over

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


def _tag(column: str) -> str:
    """``gradient_head`` → ``gradient/head``; ``loss`` → ``training/loss``."""
    group, _, rest = column.partition("_")
    return f"{group}/{rest}" if group in GROUPS and rest else f"training/{column}"
