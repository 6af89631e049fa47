"""What is known of a published model: its config, and how its weights are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from dlcreg.models.weights import rename

COCO_PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
"""Left and right of COCO's 17 keypoints of persons."""

State = dict[str, Tensor]


@dataclass(frozen=True)
class Published:
    """A model that somebody published.

    Args:
        input_size: height and width in pixels of the images or crops that it was trained on; wired
            as ``input_size``.
        model: its config, without what depends on the keypoints.
        prefixes: original prefix of parameter names to ours; the longest that fits counts.
        convert: what prefixes cannot say: takes the tensors by their original names and returns
            them by names of which `prefixes` then makes ours.
        counted_by: our name of a tensor of the last layer, from whose first axis the number of
            keypoints of a checkpoint follows, see `keypoints_of`.
        keypoints_of: the number of keypoints from the length of that axis.
        of_keypoints: prefixes of our names of the layers whose shape depends on the keypoints; they
            are new where a checkpoint has others.
        num_keypoints: number of keypoints of the published model.
        flip_pairs: its pairs of left and right keypoints.
        wired: further values that are wired, such as ``num_individuals``.
        untold: what a checkpoint of a number of keypoints does not say of its codec, with the
            remedy, or nothing; without a codec by hand such a checkpoint is refused.
    """

    input_size: tuple[int, int]
    model: Mapping[str, Any]
    prefixes: Mapping[str, str]
    convert: Callable[[State], State] | None = None
    counted_by: str = "head.final_layer.weight"
    keypoints_of: Callable[[int], int] = int
    of_keypoints: tuple[str, ...] = ("head.final_layer.",)
    num_keypoints: int = 17
    flip_pairs: tuple[tuple[int, int], ...] = COCO_PAIRS
    wired: Mapping[str, Any] = field(default_factory=dict)
    untold: Callable[[int], str] | None = None

    def renamed(self, state: State) -> State:
        """Return the tensors of an original checkpoint by our names."""
        return rename(state if self.convert is None else self.convert(state), self.prefixes)
