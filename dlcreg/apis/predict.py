"""From a checkpoint and images to a file of poses, and to pictures of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dlcreg.analysis.stills import still
from dlcreg.data.images import read_image
from dlcreg.data.proposals import Proposals
from dlcreg.errors import DlcregError
from dlcreg.files import written_whole
from dlcreg.inference import Predictor
from dlcreg.inference.sources import with_files
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo, Meta, Poses


@dataclass
class Predicted:
    """What `predict` found.

    Args:
        out: the file that was written.
        images: their number.
        animals: number of poses in all of them.
        seconds: from the first image to the last pose.
        damaged: names of images that could not be read, each with the reason.
        pictures: PNG files, where pictures were asked for.
    """

    out: Path
    images: int = 0
    animals: int = 0
    seconds: float = 0.0
    damaged: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def predict(
    checkpoint: str | Path,
    images: Sequence[str | Path],
    out: str | Path = "predictions.json",
    *,
    proposals: Any = None,
    draw: str | Path | None = None,
    pcutoff: float | None = None,
    skip_damaged: bool = False,
    options: Sequence[str] | Mapping[str, Any] = (),
    **settings: Any,
) -> Predicted:
    """Find poses in image files and write them as COCO results.

    Args:
        checkpoint: a ``.pth`` file of a training.
        images: image files, folders of such, COCO files.
        out: the JSON file to write, whole or not at all.
        proposals: see `Predictor`.
        draw: folder for a picture of each image with its poses and boxes; None: none are drawn.
        pcutoff: likelihood below which a keypoint is drawn as a ring; None: that of the config.
        skip_damaged: go on after an image that cannot be read.
        options: values that replace those of the config.
        **settings: further arguments of `Predictor`, such as ``device``.

    Raises:
        CheckpointError, ConfigError, PluginError, DataError: see `Predictor`; nothing is written.
        DlcregError: `out` or a picture cannot be written.
    """
    files = with_files(list(images))  # before the model is built, for what is misspelt
    predictor = Predictor(checkpoint, proposals, options=options, **settings)
    result = Predicted(Path(out))
    if pcutoff is None:
        pcutoff = predictor.trained.evaluation.pcutoff

    def tell(meta: Meta, error: DlcregError) -> None:
        result.damaged.append((meta.path, str(error)))

    def found() -> Iterator[tuple[Meta, Poses]]:
        stream = predictor.stream(files, tell if skip_damaged else "raise")
        for (_, file), (meta, poses) in zip(files, stream, strict=True):
            result.images += 1
            result.animals += int(poses.valid.sum())
            if draw is not None and poses.valid.any():
                path = _picture_name(Path(draw), meta, result.pictures)
                result.pictures.append(_drawn(path, file, poses, predictor.info, pcutoff))
            yield meta, poses

    started = time.perf_counter()
    poses = Proposals.from_poses(found(), str(checkpoint))
    result.seconds = time.perf_counter() - started
    poses.write(result.out)
    return result


def _picture_name(folder: Path, meta: Meta, taken: Sequence[Path]) -> Path:
    """Return the name of an image, with the number of the image where another has that name."""
    path = folder / f"{Path(meta.path).stem}.png"
    return folder / f"{path.stem}_{meta.index}.png" if path in taken else path


def _drawn(path: Path, file: Path, poses: Poses, info: DatasetInfo, pcutoff: float) -> Path:
    picture = still(read_image(file), _recording(poses, info), pcutoff)
    with written_whole(path) as temporary:
        Image.fromarray(picture).save(temporary, compress_level=1)
    return path


def _recording(poses: Poses, info: DatasetInfo) -> Recording:
    """Return the poses of an image as a recording of one frame."""
    valid, found = poses.valid[0], poses.unique
    boxes, who = poses.boxes, poses.identities
    unique = None
    if info.unique is not None and found is not None and found.valid.any():
        best = int(found.instance_scores[0].argmax())
        points = [found.keypoints[0, best].float(), found.scores[0, best, :, None].float()]
        unique = torch.cat(points, dim=-1)[None].numpy()
    return Recording(
        keypoints=poses.keypoints[:, valid].float().numpy(),
        scores=poses.scores[:, valid].float().numpy(),
        instance_scores=poses.instance_scores[:, valid].float().numpy(),
        info=info,
        individuals=info.individuals if who is not None else (),
        identities=None if who is None else who[:, valid].numpy(),
        boxes=None if boxes is None else boxes[:, valid].float().numpy(),
        unique=unique,
    )
