"""Tables of positions in published weights."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcreg.errors import CheckpointError
from dlcreg.models.layers.sine_position import sine_positions
from dlcreg.models.published.entry import State

_TABLE = "pos_embedding"


def without_positions(state: State) -> State:
    """Leave out the positions, which follow from the size of a map, once they are seen to do so.

    Args:
        state: the tensors of a checkpoint, positions under a name that ends in ``pos_embedding``.

    Raises:
        CheckpointError: they are no sines.
    """
    for name, table in state.items():
        if _is_table(name) and not _is_of_sines(table):
            raise CheckpointError(
                f"the checkpoint's {name} holds positions that were learnt. The published models "
                "have fixed sines, and so has dlcreg."
            )
    return {name: value for name, value in state.items() if not _is_table(name)}


def _is_table(name: str) -> bool:
    return name.rpartition(".")[2] == _TABLE


def _is_of_sines(table: Tensor) -> bool:
    """Return whether a table, of one image, is that of a map of some height and width."""
    table = table.reshape(-1, table.shape[-1])
    tokens, channels = table.shape
    known = (
        sine_positions(height, tokens // height, channels)
        for height in range(1, tokens + 1)
        if tokens % height == 0
    )
    return any(torch.allclose(table, code, atol=1e-4) for code in known)
