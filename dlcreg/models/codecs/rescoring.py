"""How right a pose is, told from its shape and the scores of its keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dlcreg.models.codecs import maps
from dlcreg.structures import Instances, Poses

_RATE, _EPOCHS, _BATCH = 1e-3, 20, 1024
_LEAST_STEPS = 600  # of small data sets, which have few poses in an epoch


class PoseRescorer(nn.Module):
    """The rescoring network of DEKR (Geng et al., 2021): predicts the OKS of a pose.

    Three linear layers see the vectors along the limbs and their lengths, both over the length of
    the torso, and the scores of the keypoints. Until it is trained, each pose is predicted to be
    right. `fit` trains it on poses that a trained model finds; an optimizer leaves it alone.

    Args:
        num_keypoints: number of keypoints K.
        limbs: pairs of keypoints.
        torso: indices of the limbs whose mean length is the unit; none for all limbs.
        oks_sigma: OKS constant of each keypoint, or one for all.
        hidden: width of the layers.

    Raises:
        ValueError: no limbs, no number of keypoints, another number of constants, or indices of
            what does not exist.
    """

    def __init__(
        self,
        num_keypoints: int | None,
        limbs: Sequence[tuple[int, int]],
        torso: Sequence[int] = (),
        oks_sigma: float | Sequence[float] = 0.1,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        if num_keypoints is None:
            raise ValueError("rescore=True needs num_keypoints, the number of keypoints")
        sigmas = [oks_sigma] if isinstance(oks_sigma, (int, float)) else list(oks_sigma)
        if len(sigmas) not in (1, num_keypoints) or min(sigmas) <= 0:
            raise ValueError(
                f"oks_sigma must be a positive number, or one for each of the {num_keypoints} "
                f"keypoints, not {oks_sigma}"
            )
        if not limbs:
            raise ValueError(
                "rescore=True looks at the limbs of a pose, but the data has no skeleton: give it "
                "one, or limbs=[(0, 1), ...] as pairs of indices of keypoints"
            )
        outside = [pair for pair in limbs if not all(0 <= end < num_keypoints for end in pair)]
        if outside:
            raise ValueError(f"limbs has {outside[0]}, but keypoints end at {num_keypoints - 1}")
        if any(not 0 <= limb < len(limbs) for limb in torso):
            raise ValueError(f"torso is {list(torso)}, but limbs end at {len(limbs) - 1}")
        self.oks_sigma = sigmas
        self.limbs = tuple((int(a), int(b)) for a, b in limbs)
        self.torso = tuple(torso) or tuple(range(len(limbs)))
        # named as in the original's files
        self.l1 = nn.Linear(3 * len(limbs) + num_keypoints, hidden)
        self.l2 = nn.Linear(hidden, hidden)
        self.l3 = nn.Linear(hidden, 1)
        nn.init.zeros_(self.l3.weight)
        nn.init.ones_(self.l3.bias)
        self.requires_grad_(False)

    def forward(self, keypoints: Tensor, scores: Tensor) -> Tensor:
        """Return the predicted OKS, 0 to 1, of shape ``(...)``.

        Args:
            keypoints: ``(..., K, 2)`` in pixels.
            scores: of the keypoints, ``(..., K)``.
        """
        return self.predict(self.features(keypoints, scores)).clamp(0, 1)

    def features(self, keypoints: Tensor, scores: Tensor) -> Tensor:
        """Return what the layers see, ``(..., 3L + K)``: vectors x, y, lengths, scores."""
        a, b = torch.tensor(self.limbs, device=keypoints.device).unbind(-1)
        vectors = keypoints.index_select(-2, a) - keypoints.index_select(-2, b)
        vectors = torch.where(vectors.isfinite(), vectors, 0.0)  # of limbs that were not found
        lengths = vectors.square().sum(dim=-1).sqrt()
        unit = lengths[..., list(self.torso)].mean(dim=-1, keepdim=True).clamp(min=1)
        shape = [(vectors / unit[..., None]).flatten(-2), lengths / unit, scores]
        return torch.cat(shape, dim=-1)

    def predict(self, features: Tensor) -> Tensor:
        """Return the output of the layers ``(...)`` for `features`."""
        hidden = self.l2(self.l1(features.to(self.l1.weight.dtype)).relu()).relu()
        return self.l3(hidden)[..., 0]  # type: ignore[no-any-return]

    @torch.enable_grad()
    def fit(self, features: Tensor, oks: Tensor) -> float:
        """Learn to predict; return the mean error of the predictions afterwards.

        As the original: squared error, Adam with a rate of 0.001, batches of 1024 poses, 20 times
        through all of them, or more often where there are few.

        Args:
            features: ``(M, 3L + K)`` of M poses.
            oks: ``(M,)``, what is right.
        """
        draw = torch.Generator().manual_seed(0)
        for layer in (self.l1, self.l2, self.l3):
            bound = layer.in_features**-0.5
            for tensor in (layer.weight, layer.bias):
                start = torch.rand(tensor.shape, generator=draw) * 2 - 1
                tensor.data.copy_(start * bound)
        self.requires_grad_(True)
        optimizer = torch.optim.Adam(self.parameters(), lr=_RATE)
        batches = -(-len(oks) // _BATCH)
        for _ in range(max(_EPOCHS, -(-_LEAST_STEPS // batches))):
            for rows in torch.randperm(len(oks), generator=draw).to(oks.device).split(_BATCH):
                optimizer.zero_grad()
                loss = (self.predict(features[rows]) - oks[rows]).square().mean()
                loss.backward()
                optimizer.step()
        self.requires_grad_(False)
        with torch.no_grad():
            return float((self.predict(features).clamp(0, 1) - oks).abs().mean())

    def calibrate(self, found: Iterable[tuple[Poses, Instances]]) -> dict[str, str]:
        """Learn from poses with their labels, what `Codec.calibrate` does; return a report.

        Args:
            found: for each batch, poses in pixels whose keypoints have scores, and labels.
        """
        features, oks = [], []
        for poses, labels in found:
            right = best_oks(poses.keypoints, labels, self.oks_sigma)
            features.append(self.features(poses.keypoints, poses.scores)[poses.valid])
            oks.append(right[poses.valid])
        seen, right = torch.cat(features).float(), torch.cat(oks).float()
        if not len(right):
            return {"rescoring": "no pose was found in the training part: scores stay as they are"}
        error = self.fit(seen, right)
        return {
            "rescoring": f"learnt from {len(right)} poses of the training part, whose OKS is "
            f"{float(right.mean()):.3f} and is predicted to {error:.3f} on average"
        }


def best_oks(keypoints: Tensor, labels: Instances, sigmas: Sequence[float]) -> Tensor:
    """Return for each pose ``(B, P)`` its OKS with the labelled animal that it fits best, or 0.

    The object keypoint similarity of COCO (Lin et al., 2014), of the labelled keypoints.

    Args:
        keypoints: ``(B, P, K, 2)`` in pixels.
        labels: tensors ``(B, N, ...)`` in pixels, with their areas.
        sigmas: constant of each keypoint, or a single one for all.
    """
    known = maps.labelled(labels)
    points = labels.keypoints.to(keypoints).masked_fill(~known[..., None], 0.0)
    squared = (keypoints[:, :, None] - points[:, None]).square().sum(dim=-1)  # (B, P, N, K)
    constants = 2 * (2 * keypoints.new_tensor(sigmas)).square()
    squared = squared.nan_to_num(nan=torch.inf, posinf=torch.inf)  # far from all: not found
    areas = labels.areas.to(keypoints).clamp(min=1.0)[:, None, :, None]
    close = torch.exp(-squared / (constants * areas)) * known[:, None]
    mean = close.sum(dim=-1) / known.sum(dim=-1).clamp(min=1)[:, None]
    none = mean.new_zeros(*mean.shape[:2], 1)
    return torch.cat([mean, none], dim=-1).amax(dim=-1)
