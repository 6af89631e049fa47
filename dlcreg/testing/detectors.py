"""The checks of detectors: boxes in pixels, losses of whatever labels there are, and learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_convert, box_iou

from dlcreg.contracts import Detector, Size
from dlcreg.structures import Boxes, Instances
from dlcreg.testing.modules import (
    batch_independent,
    finite_gradients,
    follows_device,
    input_unchanged,
    seeded,
    state_dict_round_trip,
    stateless,
    traceable,
)
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import animal_pictures, difference, pictures, slices
from dlcreg.testing.subject import Subject
from dlcreg.trace_detectors import wrong_boxes

_LEARNT = 0.7
"""Intersection over union from which on a box has been learnt."""

_MOVED = 2.0
"""Pixels by which another precision may move an edge of a box."""

_ROUNDING = 1e-4


def _sizes(subject: Subject) -> list[Size]:
    """Return the usual size of images, and one of odd sides."""
    height, width = subject.options.size
    return [(height, width), (height - 5, width + 9)]


def boxes_are_boxes(subject: Subject) -> str:
    """It predicts boxes, scores and a mask of fitting shapes, also for odd sizes."""
    detector: Detector = subject.built
    for images, size in zip((2, 1), _sizes(subject)):
        found = _predicted(detector, pictures(size, images))
        wrong = wrong_boxes(found, images)
        if wrong:
            fail(wrong.rstrip("."), "Boxes of (B, N, 4), (B, N) and (B, N)", "See Detector.predict")
        boxes = found.boxes[found.valid]
        if not (boxes.isfinite().all() and (boxes[:, 2:] >= 0).all()):
            fail(
                "predicts boxes that are not finite, or have a side below 0",
                "x, y, width, height",
                "Clip sides to 0, and mark what is no box as not valid",
            )
    return f"boxes {tuple(found.boxes.shape)} of an image of {size[0]} x {size[1]}"


def finite_loss(subject: Subject) -> str:
    """Its losses are finite numbers, for odd sizes, too."""
    detector = _learner(subject)
    for size in _sizes(subject):
        losses = detector.loss(*animal_pictures(size))
        if not losses:
            fail("has no loss", "one at least", "Return the losses by name")
        _finite(losses, f"images of {size}")
    return ", ".join(f"{name}={value.item():.4g}" for name, value in losses.items())


def takes_images_without_animals(subject: Subject) -> str:
    """Images without an animal have a finite loss and gradient, alone and beside others."""
    size = subject.options.size
    for empty in (slice(0, 1), slice(0, 2)):
        detector = _learner(subject)
        images, instances = animal_pictures(size)
        instances.valid[empty] = False
        losses = detector.loss(images, instances)
        what = f"{empty.stop} of 2 images without an animal"
        _finite(losses, what)
        total = torch.stack(list(losses.values())).sum()
        if total.requires_grad:
            total.backward()
        for name, parameter in detector.named_parameters():
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                fail(
                    f"gives {name!r} a gradient that is not finite for {what}",
                    "a finite one: such images teach what is no animal",
                    "Divide by the number of boxes, or by 1 where there is none",
                )
    return "finite for one and for two images without an animal"


def ignores_what_cannot_be_seen(subject: Subject) -> str:
    """Rows of padding, boxes without an area and boxes beside the image change no loss."""
    images, instances = animal_pictures(subject.options.size)
    height, width = subject.options.size
    expected = _seeded_loss(subject, images, instances)
    padding = torch.full((4,), 1e4)
    others = {
        "a row of padding": (padding, False),
        "a box without an area": (torch.tensor([9.0, 9.0, 0.0, 12.0]), True),
        "a box beside the image": (torch.tensor([width + 5.0, height + 5.0, 9.0, 9.0]), True),
    }
    for what, (box, valid) in others.items():
        apart, name = difference(
            expected, _seeded_loss(subject, images, _with(instances, box, valid))
        )
        if not apart <= _ROUNDING:
            fail(
                f"gives another {name.replace('output', 'loss')} with {what} (by {apart:.2g})",
                "the same",
                "Learn from Detector.targets(instances, size), which leaves it out",
            )
    return f"no difference from {', '.join(others)}"


def batch_equals_singles(subject: Subject) -> str:
    """What it predicts of an image does not depend on the others of its batch."""
    images = pictures(subject.options.size, 3)
    together = _predicted(subject.built, images)
    for i in range(3):
        one = slices(together, slice(i, i + 1))
        alone = _predicted(subject.built, images[i : i + 1])
        apart, place = difference(_rows(one), _rows(alone))
        if apart > 1e-3:
            fail(
                f"predicts another {place} for an image alone than in a batch of 3 ({apart:.2g})",
                "the same in evaluation mode",
                "Choose boxes and their number for each image by itself; pad the rows, valid=False",
            )
    return "three images, the same alone"


def scores_are_likelihoods(subject: Subject) -> str:
    """Scores lie between 0 and 1, also those of what it has learnt."""
    learns = subject.built.learns
    found = _trained(subject)["found"] if learns else _predicted(subject.built, _images(subject))
    scores = found.scores[found.valid]
    if not ((scores >= 0) & (scores <= 1)).all():
        fail(
            f"predicts scores from {scores.min():.3g} to {scores.max():.3g}",
            "likelihoods from 0 to 1",
            "Apply sigmoid or softmax",
        )
    return f"{len(scores)} scores between 0 and 1"


def overfits(subject: Subject) -> str:
    """It learns to find the animals of two images, in pixels of those images."""
    kept = _trained(subject)
    if not kept["overlap"] >= _LEARNT:
        seen = (
            f"finds boxes of IoU {kept['overlap']:.2g} after {subject.options.steps} steps on two "
            f"images; its loss went from {kept['first']:.4g} to {kept['last']:.4g}"
        )
        for meant, overlap in _misread(kept).items():
            if overlap >= _LEARNT:
                seen += f". Read as {meant} they are of IoU {overlap:.2g}"
        fail(
            seen,
            f"{_LEARNT:g} at least, for x, y, width, height in pixels of the images it is given",
            "See that loss and predict speak of the same; steps=... if it only learns slowly",
        )
    return f"IoU {kept['overlap']:.2g} after {subject.options.steps} steps"


def bfloat16_pixels(subject: Subject) -> str:
    """Once trained, it predicts nearly the same boxes under autocast to bfloat16."""
    kept = _trained(subject)
    if not kept["overlap"] >= _LEARNT:
        skip("it has learnt nothing that could be compared, see 'overfits'")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = _predicted(kept["detector"], kept["images"])
    moved = max(
        float((other[_nearest(other, box)] - box).abs().max())
        for box, other in _pairs(kept["found"], found, kept["instances"])
    )
    if not moved <= _MOVED:
        fail(
            f"predicts boxes {moved:.3g} px away under bfloat16",
            f"at most {_MOVED:g} px",
            "Compute anchors, boxes and scores in float32 (x.float())",
        )
    return f"moved by at most {moved:.2g} px"


def _images(subject: Subject) -> Tensor:
    return animal_pictures(subject.options.size)[0]


def _learner(subject: Subject) -> Detector:
    detector: Detector = subject.build().train()
    if not detector.learns:
        skip("it has no loss: it learns nothing")
    return detector


def _predicted(detector: Detector, images: Tensor) -> Any:
    with torch.no_grad():
        return detector.eval().predict(images)


def _finite(losses: dict[str, Tensor], what: str) -> None:
    for name, value in losses.items():
        if value.dim() != 0 or not value.isfinite():
            fail(
                f"gives a loss {name!r} of {value.tolist()} for {what}", "a finite number", "See it"
            )


def _seeded_loss(subject: Subject, images: Tensor, instances: Instances) -> dict[str, Tensor]:
    """Return losses that are the same for the same labels, whatever is drawn at random."""
    detector = _learner(subject)
    torch.manual_seed(0)
    return {name: value.detach() for name, value in detector.loss(images, instances).items()}


def _with(instances: Instances, box: Tensor, valid: bool) -> Instances:
    """Return labels with one more row in each image."""
    more: dict[str, Any] = {
        name: torch.cat([value, value[:, :1]], dim=1)
        for name, value in vars(instances).items()
        if isinstance(value, Tensor)
    }
    more["boxes"][:, -1] = box
    more["valid"][:, -1] = valid
    return replace(instances, **more)


def _rows(found: Boxes) -> dict[str, Tensor]:
    """Return the boxes of one image, best first, without padding."""
    order = found.scores[0].masked_fill(~found.valid[0], -1).argsort(descending=True, stable=True)
    order = order[: int(found.valid[0].sum())]
    return {"boxes": found.boxes[0, order], "scores": found.scores[0, order]}


def _trained(subject: Subject) -> dict[str, Any]:
    """Return a detector that has learnt two images, and what it finds in them."""
    if "trained" not in subject.kept:
        detector = _learner(subject)
        images, instances = animal_pictures(subject.options.size)
        torch.manual_seed(0)
        trained = [p for p in detector.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=2e-3)
        values = []
        for _ in range(subject.options.steps):
            optimizer.zero_grad()
            loss = torch.stack(list(detector.loss(images, instances).values())).sum()
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        found = _predicted(detector, images)
        subject.kept["trained"] = dict(
            detector=detector,
            images=images,
            instances=instances,
            found=found,
            overlap=_overlap(found, instances),
            first=values[0],
            last=values[-1],
        )
    return subject.kept["trained"]  # type: ignore[no-any-return]


def _overlap(found: Boxes, instances: Instances) -> float:
    """Return the worst overlap of a label with the best boxes: as many as there are animals."""
    worst = 1.0
    for image in range(len(found)):
        wanted = instances.boxes[image][instances.valid[image]]
        boxes = _rows(slices(found, slice(image, image + 1)))["boxes"][: len(wanted)]
        if not len(boxes):
            return 0.0
        corners = (box_convert(rows, "xywh", "xyxy") for rows in (wanted, boxes))
        worst = min(worst, float(box_iou(*corners).amax(dim=1).min()))
    return worst


def _misread(kept: dict[str, Any]) -> dict[str, float]:
    """Return the overlaps of boxes that are meant in another way."""
    found, instances = kept["found"], kept["instances"]
    height, width = kept["images"].shape[-2:]
    boxes, size = found.boxes, torch.tensor([width, height, width, height])
    meant = {
        "two corners": torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], dim=-1),
        "centre, width and height": torch.cat(
            [boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:]], dim=-1
        ),
        "y, x, height, width": boxes[..., [1, 0, 3, 2]],
        "shares of the image": boxes * size,
    }
    return {words: _overlap(replace(found, boxes=b), instances) for words, b in meant.items()}


def _pairs(found: Boxes, others: Boxes, instances: Instances) -> list[tuple[Tensor, Tensor]]:
    """Return the best boxes of each image, each with all boxes of the same image in `others`."""
    pairs = []
    for image in range(len(found)):
        one = slice(image, image + 1)
        count = int(instances.valid[image].sum())
        other = _rows(slices(others, one))["boxes"]
        pairs += [(box, other) for box in _rows(slices(found, one))["boxes"][:count]]
    return pairs


def _nearest(boxes: Tensor, box: Tensor) -> int:
    return int((boxes - box).abs().amax(dim=-1).argmin()) if len(boxes) else 0


CHECKS = (
    boxes_are_boxes,
    finite_loss,
    takes_images_without_animals,
    ignores_what_cannot_be_seen,
    traceable,
    follows_device,
    batch_independent,
    batch_equals_singles,
    stateless,
    input_unchanged,
    finite_gradients,
    state_dict_round_trip,
    seeded,
    overfits,
    scores_are_likelihoods,
    bfloat16_pixels,
)
