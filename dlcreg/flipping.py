"""Which keypoint takes whose place in a mirror image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def flip_index(flip_pairs: Iterable[tuple[int, int]], num_keypoints: int) -> np.ndarray:
    """Return int64 ``(K,)``: for each keypoint the index of its twin, or its own.

    Args:
        flip_pairs: pairs of indices of left and right twins.
        num_keypoints: number of keypoints K.

    Raises:
        ValueError: an index that does not exist, or a keypoint in two pairs.
    """
    index = np.arange(num_keypoints, dtype=np.int64)
    for left, right in flip_pairs:
        if not (0 <= left < num_keypoints and 0 <= right < num_keypoints):
            raise ValueError(
                f"flip_pairs: {(left, right)} does not lie within {num_keypoints} keypoints: it "
                "names a keypoint that does not exist"
            )
        if left == right or index[left] != left or index[right] != right:
            raise ValueError(f"flip_pairs: {(left, right)}: a keypoint has one twin at most")
        index[left], index[right] = right, left
    return index
