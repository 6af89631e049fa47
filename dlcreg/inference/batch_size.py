"""How many images a model is given at once: as many as pay, and as fit."""

from __future__ import annotations

from typing import Literal

import torch

_GAIN = 1.05  # a size twice as large stays if it does this times as many images a second
_TRIALS = 3  # batches of a size; the first one chooses kernels and lays out memory
_LARGEST = {"cuda": 256}  # a CPU gains nothing from more than _LARGEST_ELSEWHERE
_LARGEST_ELSEWHERE = 32
_BYTES = 1 << 29  # of images at once
_FULL = 0.45  # share of the memory of a device above which twice the images do not fit

Size = int | Literal["auto"]
"""Images at once; ``auto``: found out."""


class BatchSize:
    """The number of images at once, found while predicting.

    ``auto`` starts small and doubles as long as that does more images a second and the memory
    lasts. Whatever was asked for, a batch that does not fit halves it.

    Args:
        asked: a number from 1 on, or ``auto``.
        device: what computes.

    Raises:
        ValueError: the number is below 1.
    """

    def __init__(self, asked: Size, device: torch.device) -> None:
        if asked != "auto" and (not isinstance(asked, int) or asked < 1):
            raise ValueError(f"batch_size={asked!r}: give 'auto', or a number from 1 on")
        self.device = device
        self.size = (8 if device.type == "cuda" else 1) if asked == "auto" else asked
        self._grows = asked == "auto"
        self._largest = _LARGEST.get(device.type, _LARGEST_ELSEWHERE)
        self._best = 0.0
        self._rates: list[float] = []

    def of(self, image_bytes: int) -> int:
        """Return how many images of so many bytes are given to the model at once."""
        return max(1, min(self.size, _BYTES // max(image_bytes, 1))) if self._grows else self.size

    def measured(self, count: int, seconds: float) -> None:
        """Learn from a batch that fitted how long it took.

        Args:
            count: its images; a batch that is not full says nothing.
            seconds: from its images in memory to its poses.
        """
        if not self._grows or count != self.size:
            return
        self._rates.append(count / max(seconds, 1e-9))
        if len(self._rates) < _TRIALS:
            return
        rate = max(self._rates[1:])
        self._rates = []
        if rate < _GAIN * self._best:
            self.size, self._grows = max(1, self.size // 2), False
        elif 2 * self.size > self._largest or self._is_full():
            self._grows = False
        else:
            self.size, self._best = 2 * self.size, rate

    def too_large(self, count: int) -> bool:
        """Learn that `count` images did not fit; return whether fewer can be tried."""
        self._grows = False
        if count <= 1:
            return False
        self.size = self._largest = max(1, count // 2)
        return True

    def _is_full(self) -> bool:
        if self.device.type != "cuda":
            return False
        total = torch.cuda.get_device_properties(self.device).total_memory
        return torch.cuda.max_memory_allocated(self.device) > _FULL * total


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
