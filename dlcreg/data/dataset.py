"""The data sets: DeepLabCut projects and COCO files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from dlcreg.data.coco import read_coco
from dlcreg.data.frames import FrameDataset, View
from dlcreg.data.keypoint_options import (
    check_ids,
    check_names,
    chosen_pairs,
    chosen_sigmas,
    chosen_skeleton,
    tell_without_twins,
    unique_info,
)
from dlcreg.data.keypoints import resolve_name
from dlcreg.data.project import Project
from dlcreg.data.proposed import ProposalsLike, Unmatched
from dlcreg.data.records import Record
from dlcreg.data.split import Draw, Mode, Split, SplitLike, check_seed, random_split
from dlcreg.errors import DataError
from dlcreg.registry import DATASETS
from dlcreg.schema import Deferred
from dlcreg.structures import DatasetInfo

logger = logging.getLogger("dlcreg")


@DATASETS.register_module()
class PoseDataset(FrameDataset):
    """A part of a DeepLabCut project.

    A torch data set of `Sample`, whose arrays are its own. In a `DataLoader` it needs
    ``collate_fn=dlcreg.collate``, for torch does not know samples, and `set_epoch` before each
    epoch, without which every epoch repeats the same augmentation (workers that stay,
    ``persistent_workers=True``, never hear of it).

    Args:
        project: the project, or its folder.
        transform: what happens to a sample: a list of TRANSFORMS (dicts or objects), an
            ``A.Compose`` of albumentations, a torchvision v2 transform, any callable that takes
            a `Sample` and returns one, or None.
        mode: part of the split.
        split: a `Split`, the file of one, or a dict of `Project.train_test_split`'s arguments;
            None draws the project's default split with `seed`.
        view: ``image`` gives whole images with all animals, ``instance`` one animal a sample
            (top-down; put `CropInstance` first into `transform`).
        keypoint_names: which keypoints, in which order; all by default. Names of unique body
            parts alone give these as the keypoints of one animal.
        unique_keypoint_names: which unique body parts, in which order, beside the animals of whole
            images; all by default, [] for none.
        identity: whether an individual is the same animal in all images, so that it can be learnt
            who is who; None: what the project's config.yaml says.
        flip_pairs: pairs of left and right twins, by name or index; None finds them by name, as
            those of unique body parts always are.
        skeleton: pairs of keypoints, by name or index; None takes the project's.
        sigmas: OKS constants per keypoint; 0.1 each by default, as in DeepLabCut.
        box_margin: pixels between the outermost keypoints and an animal's box.
        missing_images: what to do when a labelled image does not exist.
        seed: of the default split and of the augmentation.
        cache: bytes of memory for decoded frames; None: a quarter of the memory, at most 4 GiB;
            0 keeps none.
        proposals: what another model found, or a JSON file of it, for ``view='instance'``: in
            ``train`` each labelled animal comes with the proposal that is most like it, otherwise
            each proposal is a sample; in ``train`` it may be a list, one for each of several models
            (see `FrameDataset.with_proposals`).
        unmatched: in ``train``: ``drop`` animals that no proposal is like, or ``keep`` them, with
            their labelled box and without a condition.

    Raises:
        DataError: the part is empty, images are missing, or an option names what does not exist.
        ProjectError: the project cannot be read.
    """

    def __init__(
        self,
        project: Project | str | Path,
        transform: Annotated[Any, Deferred("transforms")] = None,
        mode: Mode = "train",
        *,
        split: SplitLike = None,
        view: View = "image",
        keypoint_names: Sequence[str] | None = None,
        unique_keypoint_names: Sequence[str] | None = None,
        identity: bool | None = None,
        flip_pairs: Sequence[Sequence[str | int]] | None = None,
        skeleton: Sequence[Sequence[str | int]] | None = None,
        sigmas: Sequence[float] | None = None,
        box_margin: float = 10.0,
        missing_images: Literal["error", "skip"] = "error",
        seed: int = 42,
        cache: int | None = None,
        proposals: ProposalsLike | list[ProposalsLike] | None = None,
        unmatched: Unmatched = "drop",
    ) -> None:
        check_seed(seed)
        self.project = project if isinstance(project, Project) else Project(project)
        everything, individuals, names = _chosen(self.project, keypoint_names)
        apart = _apart(self.project, names, unique_keypoint_names)
        if identity is None:
            identity = bool(self.project.config.get("identity"))
        info = DatasetInfo(
            keypoint_names=names,
            skeleton=chosen_skeleton(skeleton, self.project.skeleton, names),
            flip_pairs=chosen_pairs(flip_pairs, names),
            num_individuals=len(individuals),
            sigmas=chosen_sigmas(sigmas, len(names)),
            individuals=individuals,
            identified=identity and self.project.multianimal,
            unique=unique_info(apart),
        )
        self.split = _split(split, self.project.train_test_split, seed)
        unique = None
        if apart and view == "image":
            axis = [self.project.unique_bodyparts.index(name) for name in apart]
            unique = self.project.unique_keypoints[:, axis]
        records = _project_records(self.project, everything, unique)
        records = _of_part(records, self.split, mode, self.project.images, self.project.name)
        records = _existing(records, missing_images)
        super().__init__(
            *(records, info, transform, mode, view, box_margin, seed, cache, proposals, unmatched)
        )
        if flip_pairs is None:
            tell_without_twins(self)


@DATASETS.register_module()
class CocoDataset(FrameDataset):
    """Images and animals of a COCO file; for a `DataLoader` see `PoseDataset`.

    Where the categories name no keypoints, animals are boxes alone, for a detector to learn.

    Args:
        annotation_file: JSON in COCO's format.
        image_root: folder that ``file_name`` is relative to; by default found beside the
            annotation file.
        transform: see `PoseDataset`.
        mode: part of the split; without a split it only says what the data set is for.
        split: see `PoseDataset`; ``by='video'`` keeps the images of a folder together. None takes
            every image of the file.
        view: see `PoseDataset`.
        categories: names or ids of the categories to read; by default all that name keypoints, or
            all if none does. They must have the same keypoints.
        unique_category: name or id of the category of the unique body parts, which an image has
            once beside the animals; read where the file has it and `categories` does not name it.
        individual_names: names of the individuals that ``track_id`` counts from 1, where each is
            the same animal in all images, so that it can be learnt who is who.
        keypoint_names: which keypoints, in which order; all by default. [] takes every animal for
            its box, also those without a labelled keypoint.
        flip_pairs: see `PoseDataset`.
        skeleton: pairs of keypoints; None takes the category's.
        sigmas: OKS constants per keypoint; COCO's own for COCO's persons, else 0.1 each.
        box_margin: for animals without a box: pixels around their keypoints.
        missing_images: what to do when an image does not exist.
        seed: of the augmentation, and of a split that is drawn.
        cache: see `PoseDataset`.
        proposals: see `PoseDataset`.
        unmatched: see `PoseDataset`.

    Raises:
        DataError: the file cannot be read, is not of this format or holds no labelled animal.
    """

    def __init__(
        self,
        annotation_file: str | Path,
        image_root: str | Path | None = None,
        transform: Annotated[Any, Deferred("transforms")] = None,
        mode: Mode = "train",
        *,
        split: SplitLike = None,
        view: View = "image",
        categories: Sequence[str | int] | None = None,
        unique_category: str | int | None = "unique",
        individual_names: Sequence[str] | None = None,
        keypoint_names: Sequence[str] | None = None,
        flip_pairs: Sequence[Sequence[str | int]] | None = None,
        skeleton: Sequence[Sequence[str | int]] | None = None,
        sigmas: Sequence[float] | None = None,
        box_margin: float = 10.0,
        missing_images: Literal["error", "skip"] = "error",
        seed: int = 42,
        cache: int | None = None,
        proposals: ProposalsLike | list[ProposalsLike] | None = None,
        unmatched: Unmatched = "drop",
    ) -> None:
        check_seed(seed)
        boxes_only = keypoint_names is not None and not len(keypoint_names)
        file = read_coco(
            *(annotation_file, image_root, categories, unique_category, boxes_only, box_margin)
        )
        if individual_names is not None:
            check_ids(file, individual_names)
        chosen = file.keypoint_names if keypoint_names is None else tuple(keypoint_names)
        if chosen:
            check_names(chosen)
        axis = [resolve_name(name, file.keypoint_names, "keypoint_names") for name in chosen]
        info = DatasetInfo(
            keypoint_names=chosen,
            skeleton=chosen_skeleton(skeleton, file.skeleton, chosen),
            flip_pairs=chosen_pairs(flip_pairs, chosen),
            num_individuals=max((len(record.ids) for record in file.records), default=1),
            sigmas=chosen_sigmas(
                sigmas, len(chosen), file.sigmas and [file.sigmas[i] for i in axis]
            ),
            individuals=tuple(individual_names or ()),
            identified=individual_names is not None,
            unique=unique_info(file.unique_names),
        )
        records = [file.with_keypoints(record, axis) for record in file.records]
        names = [record.name for record in records]

        def draw(**options: Any) -> Split:
            options.setdefault("train_fraction", 0.95)
            by_folder = options.pop("by", "image") == "video"
            groups = [name.rpartition("/")[0] for name in names] if by_folder else None
            return random_split(names, groups=groups, project=file.path.name, **options)

        self.split = None if split is None else _split(split, draw, seed)
        if self.split is not None:
            records = _of_part(records, self.split, mode, names, file.path.name)
        if not records:
            raise DataError(f"{file.path} has no image with a labelled animal")
        records = _existing(records, missing_images)
        super().__init__(
            *(records, info, transform, mode, view, box_margin, seed, cache, proposals, unmatched),
            file.category_ids,
        )
        if flip_pairs is None:
            tell_without_twins(self)


# -- keypoints ---------------------------------------------------------------------------------


def _chosen(
    project: Project, keypoint_names: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Return labels ``(I, A, K, 2)`` with names of the A and of the K axis."""
    names = project.bodyparts if keypoint_names is None else tuple(keypoint_names)
    check_names(names)
    if all(name in project.unique_bodyparts for name in names):
        axis = [project.unique_bodyparts.index(name) for name in names]
        return project.unique_keypoints[:, None, axis], ("single",), names
    mixed = [name for name in names if name in project.unique_bodyparts]
    if mixed:
        raise DataError(
            f"keypoint_names: {mixed[0]!r} is a unique body part and belongs to no animal: "
            "name unique body parts alone, for a model of their own"
        )
    axis = [resolve_name(name, project.bodyparts, "keypoint_names") for name in names]
    return project.keypoints[:, :, axis], project.individuals, names


def _apart(
    project: Project, names: tuple[str, ...], wanted: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the names of the unique body parts that stand beside the animals."""
    if any(name in project.unique_bodyparts for name in names):  # they are the keypoints
        if wanted:
            raise DataError(
                "unique_keypoint_names: keypoint_names names unique body parts already, as the "
                "keypoints of one animal; give the one or the other"
            )
        return ()
    if wanted is None:
        return project.unique_bodyparts
    for name in wanted:
        if name not in project.unique_bodyparts:
            known = ", ".join(project.unique_bodyparts) or "none"
            raise DataError(
                f"unique_keypoint_names: there is no unique body part {name!r}. There are: {known}"
            )
    return tuple(wanted)


# -- records -----------------------------------------------------------------------------------


def _project_records(
    project: Project, keypoints: np.ndarray, unique: np.ndarray | None
) -> list[Record]:
    """Return the images with a label.

    Args:
        project: whose images.
        keypoints: float ``(I, A, K, 2)``, NaN where not labelled.
        unique: unique body parts beside them, float ``(I, U, 2)``; None for none.
    """
    if unique is None:
        unique = np.empty((len(keypoints), 0, 2))
    records = []
    for image_id, (name, points) in enumerate(zip(project.images, keypoints, strict=True)):
        labelled = np.isfinite(points).all(axis=-1)  # (A, K)
        animals = np.flatnonzero(labelled.any(axis=1))
        seen = np.isfinite(unique[image_id]).all(axis=-1)  # (U,)
        if not len(animals) and not seen.any():
            continue  # nothing to learn from, and nothing to compare with
        labelled = labelled[animals]
        records.append(
            Record(
                name=name,
                path=project.path(name),
                image_id=image_id,
                keypoints=np.where(labelled[..., None], points[animals], 0).astype(np.float32),
                visibility=np.where(labelled, 2, 0).astype(np.uint8),
                ids=animals.astype(np.int64),
                unique_keypoints=np.where(seen[:, None], unique[image_id], 0).astype(np.float32),
                unique_visibility=np.where(seen, 2, 0).astype(np.uint8),
            )
        )
    if not records:
        raise DataError(f"{project.root} has no labelled keypoint")
    return records


def _split(given: SplitLike, draw: Any, seed: int) -> Split:
    if isinstance(given, Split):
        return given
    if isinstance(given, (str, Path)):
        return Split.load(given)
    if given is not None and not isinstance(given, Mapping):
        raise DataError(
            f"split must be a Split, the path of one, or a dict that says how to draw one, "
            f"not {given!r}"
        )
    options: dict[str, Any] = {"seed": seed, **(given or {})}
    unknown = sorted(set(options) - set(Draw.__annotations__))
    if unknown:
        raise DataError(
            f"split takes no {unknown[0]!r}; it takes train_fraction, val_fraction, seed and by, "
            "or the path of a file"
        )
    if options.get("by", "image") not in ("image", "video"):
        raise DataError(f"by must be 'image' or 'video', not {options['by']!r}")
    return draw(**options)


def _of_part(
    records: list[Record], split: Split, mode: Mode, known: Sequence[str], project: str
) -> list[Record]:
    wanted = split.part(mode)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise DataError(
            f"the split{f' of {split.project}' if split.project else ''} names images that "
            f"{project} has no labels for: {len(unknown)} of {len(wanted)} in {mode}, "
            f"such as {unknown[0]}"
        )
    by_name = {record.name: record for record in records}
    part = [by_name[name] for name in wanted if name in by_name]
    if not part and mode != "val":  # no validation part is the usual case; a loader says so
        what = "images" if not wanted else "labelled images"
        raise DataError(
            f"the {mode} part of the split has no {what}: change train_fraction, or the split"
        )
    return part


def _existing(records: list[Record], missing_images: str) -> list[Record]:
    if missing_images not in ("error", "skip"):
        raise DataError(f"missing_images must be 'error' or 'skip', not {missing_images!r}")
    if missing_images == "error":
        return records
    found = [record for record in records if record.path.is_file()]
    if len(found) < len(records):
        logger.warning("%d labelled images are missing and left out", len(records) - len(found))
    if records and not found:
        raise DataError(f"none of the {len(records)} labelled images exists")
    return found
