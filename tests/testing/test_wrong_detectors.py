"""Wrong detectors: each is caught by the check that is meant for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg import Detector
from dlcreg.structures import Boxes
from dlcreg.testing import Options, check_component
from dlcreg.testing.runner import run
from dlcreg.testing.subject import Subject

STRIDE = 8


class RightDetector(Detector):
    """A likelihood and a box for each cell: its sides' distances from the middle of the cell."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 32, 2, 2), nn.ReLU(),
            nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Conv2d(32, 5, 3, padding=1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.head(self.body(images)).float()
        return {"logits": maps[:, 0], "sides": maps[:, 1:]}

    def centres(self, maps: Tensor) -> Tensor:
        rows, columns = (torch.arange(n, device=maps.device) * STRIDE for n in maps.shape[-2:])
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([x, y]) + (STRIDE - 1) / 2  # (2, h, w)

    def predict(self, images: Tensor) -> Boxes:
        outputs = self(images)
        middle, sides = self.centres(outputs["logits"]), outputs["sides"].clamp(min=0) * STRIDE
        low, high = middle - sides[:, :2], middle + sides[:, 2:]
        boxes = torch.cat([low, high - low], dim=1).flatten(2).transpose(1, 2)
        scores = outputs["logits"].sigmoid().flatten(1)
        scores, index = scores.topk(2, dim=1)
        return Boxes(
            boxes.gather(1, index[..., None].expand(-1, -1, 4)), scores, torch.ones_like(scores) > 0
        )

    def labels(self, images, instances):
        return self.targets(instances, tuple(images.shape[-2:]))

    def loss(self, images, instances):
        outputs, targets = self(images), self.labels(images, instances)
        middle = self.centres(outputs["logits"])[None, None]  # (1, 1, 2, h, w)
        low = targets.boxes[..., :2, None, None]
        high = low + targets.boxes[..., 2:, None, None]
        wanted = torch.cat([middle - low, high - middle], dim=2) / STRIDE  # (B, N, 4, h, w)
        near = (middle - (low + high) / 2).abs().amax(dim=2) <= STRIDE / 2
        near = near & targets.valid[..., None, None]  # (B, N, h, w)
        off = (outputs["sides"][:, None] - wanted).abs().mean(dim=2) * near
        target = near.any(dim=1).float()
        return {
            "scores": F.binary_cross_entropy_with_logits(outputs["logits"], target),
            "sides": off.sum() / self.count(near),
        }

    def count(self, near):
        return near.sum().clamp(min=1)


class Corners(RightDetector):
    """Gives two corners for a box."""

    def predict(self, images):
        found = super().predict(images)
        found.boxes[..., 2:] += found.boxes[..., :2]
        return found


class Shares(RightDetector):
    """Gives shares of the image for pixels."""

    def predict(self, images):
        found = super().predict(images)
        height, width = images.shape[-2:]
        found.boxes = found.boxes / torch.tensor([width, height, width, height])
        return found


class Logits(RightDetector):
    """Gives logits for scores."""

    def predict(self, images):
        found = super().predict(images)
        found.scores = found.scores.logit()
        return found


class NoMask(RightDetector):
    """Says nothing of which rows are boxes."""

    def predict(self, images):
        found = super().predict(images)
        found.valid = torch.ones(len(images))
        return found


class DividesByNothing(RightDetector):
    """Divides by the number of animals, though there may be none."""

    def count(self, near):
        return near.sum()


class LearnsPadding(RightDetector):
    """Learns each row of the labels."""

    def labels(self, images, instances):
        found = super().labels(images, instances)
        return Boxes(instances.boxes, found.scores, torch.ones_like(instances.valid))


class SharesThreshold(RightDetector):
    """Keeps the surest box of the batch."""

    def predict(self, images):
        found = super().predict(images)
        found.valid = found.scores >= found.scores.max()
        return found


class LearnsNothing(RightDetector):
    """Has a loss that has nothing to do with the labels."""

    def loss(self, images, instances):
        return {"none": self(images)["sides"].square().mean() + self(images)["logits"].mean() ** 2}


class RoundsPixels(RightDetector):
    """Computes boxes in what autocast makes of it, from the right border on."""

    def predict(self, images):
        found = super().predict(images)
        scale = torch.eye(4) * 1000
        boxes = (found.boxes + 512) @ scale
        found.boxes = boxes.float() / 1000 - 512
        return found


OPTIONS = Options(steps=120)


def checked(detector, check: str):
    return run(check, Subject("detectors", detector, OPTIONS))


def test_a_right_detector_passes():
    results = check_component("detectors", RightDetector, steps=OPTIONS.steps)
    assert not [str(result) for result in results if result.status == "failed"]
    assert {r.check for r in results if r.status == "skipped"} <= {"import_cost"}


@pytest.mark.parametrize(
    ("detector", "check"),
    [
        (Corners, "overfits"),
        (Shares, "overfits"),
        (Logits, "scores_are_likelihoods"),
        (NoMask, "boxes_are_boxes"),
        (DividesByNothing, "takes_images_without_animals"),
        (LearnsPadding, "ignores_what_cannot_be_seen"),
        (SharesThreshold, "batch_equals_singles"),
        (LearnsNothing, "overfits"),
        (RoundsPixels, "bfloat16_pixels"),
    ],
)
def test_a_wrong_one_is_caught_by_the_check_that_is_meant_for_it(detector, check):
    result = checked(detector, check)
    assert result.status == "failed", result.message


@pytest.mark.parametrize(
    ("detector", "meant"), [(Corners, "two corners"), (Shares, "shares of the image")]
)
def test_it_is_told_as_what_boxes_were_meant(detector, meant):
    assert f"Read as {meant} they are of IoU" in checked(detector, "overfits").message


def test_one_that_learns_nothing_has_no_loss_to_check():
    class Fixed(Detector):
        """Finds the middle of every image."""

        def predict(self, images):
            height, width = images.shape[-2:]
            box = torch.tensor([width / 4, height / 4, width / 2, height / 2])
            boxes = box.to(images).expand(len(images), 1, 4)
            scores = torch.ones_like(boxes[..., 0])
            return Boxes(boxes, scores, scores > 0)

    results = check_component("detectors", Fixed)
    status = {result.check: result.status for result in results}
    assert status["overfits"] == status["finite_loss"] == "skipped"
    assert "failed" not in {v for k, v in status.items() if k not in ("picklable", "documented")}
