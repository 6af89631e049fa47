"""From a checkpoint and images to a file of poses, and to pictures of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.apis.pictures import Frame, draw_frames
from dlcreg.data.images import read_image
from dlcreg.data.proposals import Proposals
from dlcreg.errors import DlcregError
from dlcreg.inference import Predictor
from dlcreg.inference.sources import with_files
from dlcreg.structures import Meta, Poses


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
        draw: folder for a picture of each image with its poses; None: none are drawn.
        pcutoff: likelihood below which a keypoint is drawn hollow; None: that of the config.
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
                result.pictures.append(_drawn(path, file, meta, poses, predictor, pcutoff))
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


def _drawn(
    path: Path, file: Path, meta: Meta, poses: Poses, predictor: Predictor, pcutoff: float
) -> Path:
    info, valid = predictor.info, poses.valid[0]
    unique: dict[str, Any] = {}
    if info.unique is not None and poses.unique is not None and poses.unique.valid.any():
        best = int(poses.unique.instance_scores[0].argmax())
        unique = {
            "unique_labels": np.full((info.unique.num_keypoints, 2), np.nan),
            "unique_keypoints": poses.unique.keypoints[0, best].numpy(),
            "unique_scores": poses.unique.scores[0, best].numpy(),
        }
    frame = Frame(
        image=read_image(file),
        labels=np.empty((0, info.num_keypoints, 2)),
        keypoints=poses.keypoints[0, valid].float().numpy(),
        scores=poses.scores[0, valid].float().numpy(),
        title=meta.path,
        **unique,
    )
    names = info.unique.keypoint_names if info.unique else ()
    return draw_frames(
        *(path, [frame], info.keypoint_names, ""),
        pcutoff=pcutoff,
        skeleton=info.skeleton,
        unique_names=names,
    )
