"""Who is who: a map for each individual, read at the keypoints of animals that were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from dlcreg.contracts import CompletingCodec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.maps import Activation, Anchor
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses


@CODECS.register_module()
class IdentityMaps(CompletingCodec):
    """One map an individual, with a disc of ones around each of its keypoints (Lauer et al., 2022).

    For a head beside one that finds poses. `complete` reads the maps at the keypoints of the poses,
    between the four cells around, and gives each animal of an image another individual: those for
    which the likelihoods, averaged over the keypoints of an animal and weighted by their scores,
    are highest in sum.

    An animal of which nobody knows who it is gives no gradient where it is. All else of an image
    with a label is trained, an individual that it does not show as empty.

    The centre of cell i lies at pixel ``i * stride + (stride - 1) / 2``, with
    ``anchor="deeplabcut"`` at ``i * stride + stride / 2``.

    Args:
        individuals: names of the individuals, in the order of their ids; wired from data that knows
            who is who.
        radius: pixels around each keypoint in which the map of its individual is 1.
        anchor: where the cells lie, see above.
        read: where the maps are read: exactly at the keypoint (``keypoint``), or as in DeepLabCut,
            which enlarges them to the image before the activation, at the nearest ``pixel``. There
            keypoints that were not found count as unlikely, and individuals that are likely at
            the first pixel of the image are rather given away.
        activation: applied to the maps before they are read; None: what their loss implies.
        stride: pixels for each cell; None: the head says it.

    Raises:
        ValueError: the data does not know who is who, or a radius that is not above 0.
    """

    activation: str | None = None

    def __init__(
        self,
        individuals: Sequence[str],
        radius: float = 17.0,
        anchor: Anchor = "centre",
        read: Literal["keypoint", "pixel"] = "keypoint",
        activation: Activation | None = None,
        stride: float | None = None,
    ) -> None:
        super().__init__(stride)
        maps.check_positive(radius=(radius, "pixels"))
        if read not in ("keypoint", "pixel"):
            raise ValueError(f"read must be 'keypoint' or 'pixel', not {read!r}")
        if not len(individuals):
            raise ValueError(
                "individuals is empty: the data does not say who is who. Where an individual is "
                "the same animal in all images, say so: identity: true in the project's "
                "config.yaml, or identity=True of PoseDataset; individual_names=[...] of "
                "CocoDataset. Else leave this head out"
            )
        self.individuals = tuple(individuals)
        self.radius = radius
        self.anchor = anchor
        self.read = read
        self.activation = activation

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return a channel for each individual, whatever the number of keypoints."""
        return {"identity": len(self.individuals)}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return identity and its weight, each ``(B, A, h, w)``.

        Raises:
            ValueError: an id that is not that of an individual.
        """
        known = maps.labelled(instances)
        # as if the keypoints of an animal were animals that share a map: the nearest one counts
        near = maps.nearest(
            instances.keypoints.transpose(1, 2),
            known.transpose(1, 2),
            self.map_size(size),
            self._known_stride(),
            maps.anchor_offset(self.anchor, self._known_stride()),
        )
        disc = maps.within(near, self.radius)  # (B, N, h, w)
        count = len(self.individuals)
        # a last map gathers the animals that nobody knows
        ids = torch.where(instances.ids < 0, count, instances.ids)[..., None, None].expand_as(disc)
        every = disc.new_zeros(len(disc), count + 1, *disc.shape[2:])
        every = every.scatter_reduce(1, ids, disc, "amax")
        target, unknown = every[:, :count], every[:, count:]
        labelled = known.flatten(1).any(dim=1)[:, None, None, None]
        weight = labelled & ((unknown == 0) | (target > 0))
        return {"identity": (target, weight.to(disc.dtype))}

    def complete(self, poses: Poses, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the poses with `Poses.identities` and `Poses.identity_scores`."""
        found = poses.keypoints.isfinite().all(dim=-1) & poses.valid[..., None]  # (B, N, K)
        scores = self._scores(outputs["identity"], poses.keypoints, found)
        weight = torch.where(found, poses.scores, 0.0)
        votes = (scores * weight[..., None]).sum(dim=2)
        if self.read == "pixel":
            # a row without an animal stands at the first pixel there, with a score of -1
            first = maps.activate(outputs["identity"][..., :1, :1], self.activation, mass=1.0)
            votes = votes / weight.shape[-1] + first[:, None, :, 0, 0]
        else:
            votes = votes / weight.sum(dim=2, keepdim=True).clamp(min=maps.TINY)
        identities = assigned(votes, poses.valid & found.any(dim=-1))
        return replace(poses, identities=identities, identity_scores=scores)

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the maps mirrored: individuals do not change places."""
        return {"identity": outputs["identity"].flip(-1)}

    def _scores(self, raw: Tensor, keypoints: Tensor, found: Tensor) -> Tensor:
        """Return ``(B, N, K, A)``: likelihoods at the keypoints, 0 if not found.

        Args:
            raw: maps ``(B, A, h, w)``, as the head makes them.
            keypoints: ``(B, N, K, 2)``.
            found: bool ``(B, N, K)``.
        """
        stride = self._known_stride()
        if self.read == "pixel":
            # enlarged images have their outlines upon one another, whatever the anchor is
            cells = (keypoints.round() + 0.5) / stride - 0.5
        else:
            cells = (keypoints - maps.anchor_offset(self.anchor, stride)) / stride
            raw = maps.activate(raw, self.activation, mass=1.0)
        cells = torch.where(found[..., None], cells, 0.0)
        last = cells.new_tensor([raw.shape[-1] - 1, raw.shape[-2] - 1])
        grid = 2 * cells / last.clamp(min=1) - 1
        read = F.grid_sample(raw, grid.to(raw.dtype), padding_mode="border", align_corners=True)
        if self.read == "pixel":
            read = maps.activate(read, self.activation, mass=1.0)
        return torch.where(found[..., None], read.permute(0, 2, 3, 1), 0.0)


def assigned(votes: Tensor, present: Tensor) -> Tensor:
    """Return for each animal an individual of its own: those of the highest sum of votes.

    Args:
        votes: float ``(B, N, A)``.
        present: bool ``(B, N)``, which rows are animals.

    Returns:
        int64 ``(B, N)``; -1 for rows that are no animals, and for those that go away empty-handed
        since there are more animals than individuals.
    """
    chosen = torch.full(votes.shape[:2], -1, dtype=torch.int64, device="cpu")
    if votes.is_meta:
        return chosen.to(votes.device)
    gains, rows_of = votes.detach().cpu().nan_to_num().numpy(), present.cpu().numpy()
    for image, (gain, here) in enumerate(zip(gains, rows_of, strict=True)):
        rows = torch.from_numpy(here.nonzero()[0])
        animals, individuals = linear_sum_assignment(gain[here], maximize=True)
        chosen[image, rows[torch.from_numpy(animals)]] = torch.from_numpy(individuals)
    return chosen.to(votes.device)
