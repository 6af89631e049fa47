"""Keypoints as two rows of bins, one along each axis (Li et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from dlcreg.contracts import Codec, Size, Targets
from dlcreg.models.codecs import maps
from dlcreg.models.codecs.mirroring import mirror
from dlcreg.registry import CODECS
from dlcreg.structures import Instances, Poses


@CODECS.register_module()
class SimCC(Codec):
    """A row of bins along x and one along y for each keypoint; one animal an image.

    Bin i lies at pixel ``i / split_ratio``. A label is a Gaussian around the keypoint, with a peak
    of 1. The highest bin alone says where a keypoint lies to a quarter of a pixel (with two bins a
    pixel); a parabola through it and its neighbours says it to a hundredth.

    Args:
        sigma: standard deviation of the labels in bins, or one along x and one along y; None: the
            square root of an eighth of the image's width and height, for two bins a pixel, which
            is what RTMPose has (4.9 and 5.66 for 192 and 256 pixels).
        split_ratio: bins for each pixel, a whole number.
        labels: Gaussians around the keypoint itself (``exact``), or around the nearest bin
            (``rounded``), as in the original.
        decoding: ``refined`` to a fraction of a bin, or the ``highest`` bin, as in the original:
            where no bin is above 0 it gives half a pixel outside the image, and mirrored rows are
            turned round end for end, which leaves half a pixel of difference.
        score: of a keypoint, from the lower one of its two peaks: the peak itself cut to 0 to 1
            (``clipped``), as it is (``raw``, RTMPose), or its share of the row after a softmax
            over the row times `sharpness` and sigma (``softmax``, DeepLabCut).
        sharpness: see `score`.

    Raises:
        ValueError: lengths that are not above 0, or another word than those above.
    """

    def __init__(
        self,
        sigma: float | tuple[float, float] | None = None,
        split_ratio: float = 2,
        labels: Literal["exact", "rounded"] = "exact",
        decoding: Literal["refined", "highest"] = "refined",
        score: Literal["clipped", "raw", "softmax"] = "clipped",
        sharpness: float = 150.0,
    ) -> None:
        if not split_ratio >= 1 or int(split_ratio) != split_ratio:
            raise ValueError(f"split_ratio must be a whole number from 1 on, not {split_ratio:g}")
        words = {
            "labels": (labels, ("exact", "rounded")),
            "decoding": (decoding, ("refined", "highest")),
            "score": (score, ("clipped", "raw", "softmax")),
        }
        for name, (word, known) in words.items():
            if word not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {word!r}")
        both = sigma if isinstance(sigma, Sequence) else (sigma, sigma)
        if len(both) != 2:
            raise ValueError(f"sigma must be one number, or one along x and one along y: {sigma}")
        for value in both:
            maps.check_positive(sigma=(value, "bins"), sharpness=(sharpness, ""))
        super().__init__(stride=1 / split_ratio)
        self.split_ratio = int(split_ratio)
        self.sigma = None if sigma is None else (float(both[0]), float(both[1]))  # type: ignore[arg-type]
        self.labels = labels
        self.decoding = decoding
        self.score = score
        self.sharpness = sharpness

    def map_size(self, size: Size) -> Size:
        """Return the number of bins along y and along x for a model input of `size`."""
        return size[0] * self.split_ratio, size[1] * self.split_ratio

    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return K rows along x and K along y."""
        return {"x": num_keypoints, "y": num_keypoints}

    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return rows ``x`` ``(B, K, bins)`` and ``y`` with their weights ``(B, K, 1)``.

        A keypoint further outside the image than three sigma, along either axis, counts as not
        labelled. Of several animals each bin takes the highest Gaussian.
        """
        known = maps.labelled(instances)
        centres = instances.keypoints.masked_fill(~known[..., None], 0.0) * self.split_ratio
        if self.labels == "rounded":
            centres = centres.round()
        bins = centres.new_tensor(self.map_size(size)[::-1])
        sigma = centres.new_tensor(self._sigma(size))
        reach = 3 * sigma
        reached = (centres - reach < bins) & (centres + reach + 1 >= 0)
        known = known & reached.all(dim=-1)
        weight = known.any(dim=1).to(centres.dtype)[..., None]
        targets = {}
        for axis, (name, count) in enumerate(zip("xy", self.map_size(size)[::-1], strict=True)):
            row = torch.arange(count, device=centres.device, dtype=centres.dtype)
            away = (row - centres[..., axis, None]) / sigma[axis]  # (B, N, K, bins)
            # below -80 exp gives numbers too small to be normal, which takes ten times as long
            label = away.square_().mul_(-0.5).clamp_(min=-80.0).exp_()
            label = label.masked_fill_(~known[..., None], 0.0)
            one = label.shape[1] == 1
            targets[name] = (label[:, 0] if one else _highest(label), weight)
        return targets

    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the peak of each pair of rows; for its score see the class."""
        peaks = [outputs[name].max(dim=-1) for name in "xy"]  # of (B, K, bins)
        if self.decoding == "refined":
            places = [
                _refined(outputs[name], peak.indices)
                for name, peak in zip("xy", peaks, strict=True)
            ]
            found = torch.stack(places, dim=-1)
        else:
            found = torch.stack([peak.indices for peak in peaks], dim=-1).to(peaks[0].values.dtype)
            lower = torch.minimum(peaks[0].values, peaks[1].values)
            found = found.masked_fill((lower <= 0)[..., None] & (self.score != "softmax"), -1.0)
        return maps.single_pose(found / self.split_ratio, self._scores(outputs, size))

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the rows of a mirrored input as of the input.

        The bins of the last pixel reach beyond its centre, so that a row mirrors onto itself only
        after a move by ``split_ratio - 1`` bins. With ``decoding="highest"`` that is left out.
        """
        shift = self.split_ratio - 1 if self.decoding == "refined" else 0
        return {
            "x": mirror(outputs["x"], flip_index, shift=-shift),
            "y": outputs["y"].index_select(1, flip_index),
        }

    def _sigma(self, size: Size) -> tuple[float, float]:
        """Return the standard deviation along x and along y, in bins."""
        if self.sigma is not None:
            return self.sigma
        height, width = (self.split_ratio / 2 * (length / 8) ** 0.5 for length in size)
        return width, height

    def _scores(self, outputs: Mapping[str, Tensor], size: Size) -> Tensor:
        """Return the scores ``(B, K)``."""
        rows = [outputs["x"], outputs["y"]]
        if self.score == "softmax":
            rows = [
                (row * (self.sharpness * sigma)).softmax(dim=-1)
                for row, sigma in zip(rows, self._sigma(size), strict=True)
            ]
        lower = torch.minimum(rows[0].amax(dim=-1), rows[1].amax(dim=-1))
        return lower.clamp(0, 1) if self.score == "clipped" else lower


def _highest(labels: Tensor) -> Tensor:
    """Return the highest of the animals' labels ``(B, N, K, bins)`` in each bin."""
    if labels.shape[1] == 0:
        return labels.new_zeros((len(labels), *labels.shape[2:]))
    return labels.amax(dim=1)


def _refined(rows: Tensor, top: Tensor) -> Tensor:
    """Return where the peaks of rows ``(B, K, bins)`` lie, in bins; `top` is the highest bin.

    The loss of a row is the same for the row and a constant. What is left above the lowest bin is a
    Gaussian, and its logarithm the parabola that three bins fix.
    """
    length = rows.shape[-1]
    if length < 3:
        return top.to(rows.dtype)
    middle = top.clamp(1, length - 2)
    around = middle[..., None] + torch.arange(-1, 2, device=rows.device)
    above = rows.gather(-1, around) - rows.amin(dim=-1, keepdim=True)
    return maps.parabola_vertex(above.clamp(min=maps.TINY).log(), middle, top)
