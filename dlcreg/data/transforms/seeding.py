"""The global random generators, lent to code that draws from them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def seeded_globals(rng: np.random.Generator) -> Iterator[None]:
    """Seed the generators of random, numpy and torch (CPU) from `rng`; put them back after.

    Transforms of others draw from these. So a sample depends on `rng` alone, and the run's own
    generators, which a checkpoint saves, do not move.
    """
    seed = int(rng.integers(2**32))
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs as well
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])
