"""Sums over an epoch that stay on the device until the epoch ends."""

from __future__ import annotations

import torch
from torch import Tensor

from mscm_lib.training.distributed import Group

POLL_STEPS = 20
"""Steps between looks at the device's note of a non-finite loss; a CPU is looked at every step."""

NEVER = 2**62


class Meter:
    """Named sums on the device, and the first step whose loss was not finite.

    Nothing here waits for the device except `totals`, once an epoch, and `first_bad`, which looks at
    what was copied `POLL_STEPS` steps ago. All processes call these two together, and all learn of
    a step that was bad in one of them.

    Args:
        names: of the sums.
        device: where the training runs.
        group: the processes of this training.
    """

    def __init__(self, names: list[str], device: torch.device, group: Group) -> None:
        self.names, self._group = names, group
        self.sums = torch.zeros(len(names), dtype=torch.float64, device=device)
        self._index = {name: i for i, name in enumerate(names)}
        self._bad = torch.full((), NEVER, dtype=torch.int64, device=device)
        self._copy: Tensor | None = None
        self._copied: torch.cuda.Event | None = None

    def add(self, values: dict[str, Tensor]) -> None:
        """Add a scalar tensor to each named sum."""
        for name, value in values.items():
            self.sums[self._index[name]].add_(value.detach())

    def note(self, loss: Tensor, step: int) -> None:
        """Remember ``step`` if it is the first whose ``loss`` is not finite."""
        here = torch.where(torch.isfinite(loss.detach()), NEVER, step)
        torch.minimum(self._bad, here, out=self._bad)

    def first_bad(self, step: int) -> int | None:
        """The first step known to have had a non-finite loss, or None; cheap, so maybe late."""
        if self._bad.device.type == "cpu":
            return self._found(self._group.lowest(self._bad))
        if step % POLL_STEPS:
            return None
        found = None
        if self._copy is not None and self._copied is not None:
            self._copied.synchronize()  # recorded POLL_STEPS ago: reached long since
            found = self._found(self._copy)
        else:
            self._copy = torch.empty((), dtype=torch.int64, pin_memory=True)
            self._copied = torch.cuda.Event()
        self._copy.copy_(self._group.lowest(self._bad), non_blocking=True)
        self._copied.record()
        return found

    def totals(self) -> tuple[Tensor, int | None]:
        """The sums over all processes, and the first bad step of any; waits for the device."""
        return self._group.sum(self.sums.clone()), self._found(self._group.lowest(self._bad))

    @staticmethod
    def _found(bad: Tensor) -> int | None:
        step = int(bad)
        return None if step == NEVER else step
