"""The checks of data sets."""

from __future__ import annotations

import copy
import pickle

import numpy as np

from dlcreg.contracts import Dataset, Transform
from dlcreg.data import collate
from dlcreg.structures import DatasetInfo, Instances, Sample
from dlcreg.testing.results import fail
from dlcreg.testing.subject import Subject

_DTYPES = {
    "keypoints": np.float32,
    "visibility": np.uint8,
    "boxes": np.float32,
    "areas": np.float32,
    "valid": np.bool_,
    "ids": np.int64,
}


class Stamp(Transform):
    """Writes a number drawn from `rng` into the matrix, so that one sees what was drawn."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the stamp in its matrix."""
        stamped = copy.copy(sample)
        stamped.matrix = np.full((2, 3), rng.random())
        return stamped


def _samples(data: Dataset) -> list[Sample]:
    return [data[index] for index in range(min(len(data), 4))]


def sample_structure(subject: Subject) -> str:
    """It has samples, and they are as samples are: shapes and dtypes."""
    data: Dataset = subject.built
    if len(data) < 1:
        fail("is empty", "at least one sample", "Give arguments=dict(...) of data that has some")
    for index, sample in enumerate(_samples(data)):
        if not isinstance(sample, Sample):
            fail(f"gives {type(sample).__name__}", "a Sample", "See dlcreg.structures.Sample")
        image = sample.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.float32):
            fail(
                f"gives an image of {image.dtype} {image.shape}",
                "uint8 (H, W, 3) RGB",
                "Convert it in __getitem__",
            )
        if sample.matrix.shape != (2, 3) or sample.matrix.dtype != np.float64:
            fail(
                f"gives a matrix of {sample.matrix.dtype} {sample.matrix.shape}",
                "float64 (2, 3)",
                "np.eye(2, 3) before the transforms",
            )
        if sample.meta.index != index:
            fail(f"says index {sample.meta.index} at {index}", "its position", "Set Meta.index")
        _check_labels(sample.instances, data.info.num_keypoints, "gives")
        _check_unique(sample.instances, data.info, "gives")
        if sample.neighbours is not None:
            _check_labels(sample.neighbours, data.info.num_keypoints, "gives neighbours with")
    return f"{len(data)} samples"


def _check_labels(labels: Instances, count: int, what: str) -> None:
    n = len(labels.valid)
    shapes = {"keypoints": (n, count, 2), "visibility": (n, count), "boxes": (n, 4)}
    for name, dtype in _DTYPES.items():
        value = getattr(labels, name)
        wanted = shapes.get(name, (n,))
        if value.dtype != dtype or value.shape != wanted:
            fail(
                f"{what} {name} of {value.dtype} {value.shape}",
                f"{np.dtype(dtype)} {wanted}",
                f"Convert with astype(np.{np.dtype(dtype)})",
            )
    if labels.visibility.size and (
        labels.visibility.max() > 2 or labels.keypoints[labels.visibility == 0].any()
    ):
        fail(
            f"{what} coordinates other than 0 where visibility is 0, or a visibility above 2",
            "0 not labelled, 1 occluded, 2 visible; coordinates 0 where it is 0",
            "keypoints[visibility == 0] = 0",
        )
    if not np.isfinite(labels.keypoints).all():
        fail(f"{what} coordinates that are not finite", "0 and visibility 0", "Replace NaN")


def _check_unique(labels: Instances, info: DatasetInfo, what: str) -> None:
    if info.unique is None and labels.unique is None:
        return
    if info.unique is None or labels.unique is None or len(labels.unique) != 1:
        fail(
            f"{what} unique body parts as {labels.unique}, where info.unique is {info.unique}",
            "Instances with N = 1 in each sample if info.unique names them, else None",
            "See Instances.unique",
        )
    _check_labels(labels.unique, info.unique.num_keypoints, f"{what} unique")


def info_fits(subject: Subject) -> str:
    """`info` tells the truth of its samples."""
    data: Dataset = subject.built
    info = data.info
    if not isinstance(info, DatasetInfo):
        fail(f"has an info of {type(info).__name__}", "a DatasetInfo", "Set it in __init__")
    for sample in _samples(data):
        count = sample.instances.keypoints.shape[1]
        if count != info.num_keypoints:
            fail(
                f"names {info.num_keypoints} keypoints, but its samples have {count}",
                "a name for each, in the order of the K axis",
                "Set info.keypoint_names",
            )
        if sample.instances.ids.max(initial=-1) >= len(info.individuals) and info.identified:
            fail(
                f"gives an animal the id {sample.instances.ids.max()}, but names "
                f"{len(info.individuals)} individuals and says that they are known",
                "an id that is an index of info.individuals, or -1",
                "Name all individuals, or set identified=False",
            )
        if len(sample.instances) > info.num_individuals:
            fail(
                f"says num_individuals={info.num_individuals}, but a sample has "
                f"{len(sample.instances)} animals",
                "the largest number of animals in a sample",
                "Set info.num_individuals",
            )
    for name in ("skeleton", "flip_pairs"):
        if any(not 0 <= i < info.num_keypoints for pair in getattr(info, name) for i in pair):
            fail(f"names keypoints in {name} that it does not have", "indices below K", "See info")
    if info.sigmas and len(info.sigmas) != info.num_keypoints:
        fail(f"has {len(info.sigmas)} sigmas", f"{info.num_keypoints} or none", "See info")
    return f"{info.num_keypoints} keypoints, up to {info.num_individuals} animals"


def annotations_fit(subject: Subject) -> str:
    """`image` and `annotations` give what the samples were made of."""
    data: Dataset = subject.built
    for sample in _samples(data):
        meta = sample.meta
        image, labels = data.image(meta.image_id), data.annotations(meta.image_id)
        if image.dtype != np.uint8 or image.shape != (*meta.size, 3):
            fail(
                f"gives an original image of {image.dtype} {image.shape} for a sample that says "
                f"{meta.size}",
                "uint8 (H, W, 3) of that size",
                "Set Meta.size to height and width of the original image",
            )
        _check_labels(labels, data.info.num_keypoints, "annotates")
        _check_unique(labels, data.info, "annotates")
        known = sample.instances.visibility > 0
        back = sample.instances.keypoints @ sample.matrix[:, :2].T + sample.matrix[:, 2]
        apart = np.linalg.norm(back[:, None] - labels.keypoints[None], axis=-1)  # (N, A, K)
        both = known[:, None] & (labels.visibility > 0)[None]
        apart = np.where(both, apart, np.where(known[:, None], np.inf, 0)).max(axis=-1)
        if len(back) and not (len(labels) and apart.min(axis=1).max() < 0.1):
            fail(
                f"has a sample of image {meta.image_id} whose keypoints, brought back by its "
                "matrix, are none of the image's annotations",
                "those within 0.1 px: evaluation compares with the annotations",
                "Give both from the same labels, in pixels of the original image",
            )
    return "images and annotations agree with the samples"


def follows_epoch(subject: Subject) -> str:
    """What is drawn for a sample depends on (seed, epoch, index) alone, and on each of them."""
    stamped = copy.copy(subject.build())
    stamped.pipeline = Stamp()

    def drawn(epoch: int, index: int) -> float:
        stamped.set_epoch(epoch)
        return float(stamped[index].matrix[0, 0])

    first = drawn(0, 0)
    others = {"epoch": drawn(1, 0)}
    if len(stamped) > 1:
        others["index"] = drawn(0, len(stamped) - 1)
    if drawn(0, 0) != first:
        fail(
            "draws something else for the same sample of the same epoch",
            "the same, whatever was drawn in between: a resumed run repeats it",
            "Make the rng in __getitem__: "
            "np.random.default_rng(np.random.SeedSequence([seed, epoch, index]))",
        )
    for name, value in others.items():
        if value == first:
            fail(
                f"draws the same for another {name}",
                "something else: augmentation would repeat itself",
                "Take it into the seed: SeedSequence([seed, epoch, index])",
            )
    return "the same again, another for another epoch and index"


def samples_apart(subject: Subject) -> str:
    """Writing into a sample changes no later one."""
    data: Dataset = subject.build()
    sample, kept = data[0], copy.deepcopy(data[0])
    for array in _arrays(sample).values():
        if array.flags.writeable:
            array[...] = 1
    _same(kept, data[0], "gives changed {} after a sample was written into",
          "Copy the labels in __getitem__; hand out frames that cannot be written to")  # fmt: skip
    return "the same after a sample was written into"


def same_in_worker(subject: Subject) -> str:
    """Pickled, as for a spawned worker, it gives the same samples."""
    data: Dataset = subject.build()
    copied = pickle.loads(pickle.dumps(data))
    for index in range(min(len(data), 2)):
        _same(data[index], copied[index], "gives other {} once pickled",
              "Keep all that __getitem__ needs in the state")  # fmt: skip
    return "the same samples"


def _same(first: Sample, second: Sample, what: str, mend: str) -> None:
    one, two = _arrays(first), _arrays(second)
    for name, array in one.items():
        if name not in two or not np.array_equal(array, two[name]):
            fail(what.format(name), "the same", mend)


def _arrays(sample: Sample) -> dict[str, np.ndarray]:
    """Return all arrays of a sample by name."""
    found = {"image": sample.image, "matrix": sample.matrix}
    unique, others = sample.instances.unique, sample.neighbours
    for group, labels in (("", sample.instances), ("unique ", unique), ("neighbours' ", others)):
        if labels is not None:
            found |= {f"{group}{name}": getattr(labels, name) for name in _DTYPES}
    if sample.condition is not None:
        found["condition"] = sample.condition
    return found


def ends(subject: Subject) -> str:
    """An index past the end raises an IndexError, so that loops over it end."""
    data: Dataset = subject.built
    try:
        data[len(data)]
    except IndexError:
        return f"ends after {len(data)}"
    fail(
        f"gives a sample at index {len(data)} of {len(data)}",
        "an IndexError: `for sample in data` would never end",
        "Look it up in a list, or raise IndexError",
    )


def batches(subject: Subject) -> str:
    """Its samples can be put into a batch."""
    batch = collate(_samples(subject.built))
    return f"images {tuple(batch.images.shape)}"


CHECKS = (
    sample_structure,
    info_fits,
    annotations_fit,
    follows_epoch,
    samples_apart,
    same_in_worker,
    ends,
    batches,
)
