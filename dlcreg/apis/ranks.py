"""Which of several processes this is."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Rank:
    """Which process of how many this is; they divide the videos by what is not claimed yet."""

    number: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def here(cls) -> Rank:
        """Return what torchrun or SLURM say of this process."""
        for number, count, local in (
            ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
            ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        ):
            values = [os.environ.get(name, "") for name in (number, count)]
            if all(value.isdigit() for value in values):
                return cls(int(values[0]), int(values[1]), int(os.environ.get(local) or 0))
        return cls()
