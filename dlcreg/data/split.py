"""Which images train, which validate, which test: by name, so that it survives new labels."""

from __future__ import annotations

import difflib
import json
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from dlcreg.data.labels import forward_slashes, read_table
from dlcreg.errors import DataError
from dlcreg.files import write_text

Mode = Literal["train", "val", "test"]
"""A part of a split."""

_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """Names of images by part, relative to the data set's root, with forward slashes.

    Args:
        train: images that the weights are fitted to.
        val: images that choose among checkpoints; may be empty.
        test: images that are looked at once, at the end.
        project: name of the data set that the split was made for.

    Raises:
        DataError: an image is named twice, in one part or in two.
    """

    train: tuple[str, ...]
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    project: str = ""

    def __post_init__(self) -> None:
        part_of: dict[str, str] = {}
        for part in _PARTS:
            names = tuple(forward_slashes(name) for name in getattr(self, part))
            object.__setattr__(self, part, names)
            for name in names:
                if name in part_of:
                    raise DataError(
                        f"the split has {name} in {part_of[name]} and in {part}: "
                        "an image belongs to one part"
                    )
                part_of[name] = part

    @property
    def names(self) -> frozenset[str]:
        """All images, of whatever part."""
        return frozenset((*self.train, *self.val, *self.test))

    def part(self, mode: Mode) -> tuple[str, ...]:
        """Return the names of one part.

        Raises:
            DataError: there is no such part.
        """
        if mode not in _PARTS:
            raise DataError(f"mode must be 'train', 'val' or 'test', not {mode!r}")
        return getattr(self, mode)

    def save(self, path: str | Path) -> None:
        """Write the split as JSON; the file appears whole or not at all."""
        content = {"project": self.project} | {p: list(getattr(self, p)) for p in _PARTS}
        write_text(Path(path), json.dumps(content, indent=0) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Return the split of a JSON file, or of DeepLabCut's ``Documentation_data`` pickle.

        Raises:
            DataError: the file is missing, damaged or no split.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"there is no split file {path}")
        if path.suffix in (".pickle", ".pkl"):
            return _from_deeplabcut(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"the split file {path} cannot be read: {error}") from error
        return cls._from_json(content, path)

    @classmethod
    def _from_json(cls, content: Any, path: Path) -> Split:
        if not isinstance(content, dict) or "train" not in content:
            raise DataError(f"{path} is no split: it needs a list of image names under 'train'")
        unknown = sorted(set(content) - {*_PARTS, "project"})
        if unknown:
            close = difflib.get_close_matches(unknown[0], _PARTS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise DataError(f"{path}: a split has no {unknown[0]!r}.{hint}")
        for part in _PARTS:
            names = content.get(part, [])
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise DataError(f"{path}: {part!r} must be a list of image names")
        parts = {part: tuple(content.get(part, ())) for part in _PARTS}
        return cls(**parts, project=str(content.get("project", "")))


class Draw(TypedDict, total=False):
    """How a split is drawn, see `dlcreg.data.project.Project.train_test_split`."""

    train_fraction: float
    val_fraction: float
    seed: int
    by: Literal["image", "video"]


SplitLike = Split | str | Path | Draw | None
"""A split, the file of one, how to draw one, or None."""


def random_split(
    names: Sequence[str],
    train_fraction: float,
    seed: int = 42,
    val_fraction: float = 0.0,
    groups: Sequence[str] | None = None,
    project: str = "",
) -> Split:
    """Return a split drawn at random; the same seed and names give the same split.

    The test part does not depend on `val_fraction`: validation images are taken out of the
    training part.

    Args:
        names: all images.
        train_fraction: share of the images that is not for testing, 0 < f <= 1.
        seed: of the draw.
        val_fraction: share of those that is set aside for validation, 0 <= f < 1.
        groups: one for each image, such as its video; a group is never divided.
        project: name kept in the split.

    Raises:
        DataError: a fraction or the seed is out of range or no number, or there are too few images
            or groups.
    """
    check_seed(seed)
    for name, value in (("train_fraction", train_fraction), ("val_fraction", val_fraction)):
        if not isinstance(value, Real):
            raise DataError(f"{name} must be a number, not {value!r}")
    if not 0 < train_fraction <= 1:
        raise DataError(f"train_fraction must be above 0 and at most 1, not {train_fraction}")
    if not 0 <= val_fraction < 1:
        raise DataError(f"val_fraction must be at least 0 and below 1, not {val_fraction}")
    if not names:
        raise DataError("there are no labelled images to split")
    members: dict[str, list[str]] = {}
    for name, group in zip(names, groups or names, strict=True):
        members.setdefault(group, []).append(name)
    what = "images" if groups is None else "videos"
    wanted = 1 + (train_fraction < 1) + (val_fraction > 0)
    if len(members) < wanted:
        raise DataError(
            f"{len(members)} {what} cannot be divided into {wanted} parts: label more, "
            "or set train_fraction=1 and val_fraction=0"
        )
    order = [
        list(members.values())[i] for i in np.random.default_rng(seed).permutation(len(members))
    ]
    fit, test = _divide(order, train_fraction, 1 + (val_fraction > 0), train_fraction < 1)
    train, val = _divide(fit, 1 - val_fraction, 1, val_fraction > 0)
    rank = {name: number for number, name in enumerate(names)}

    def named(part: list[list[str]]) -> tuple[str, ...]:
        return tuple(sorted((n for group in part for n in group), key=rank.__getitem__))

    return Split(named(train), named(val), named(test), project=project)


def check_seed(seed: int) -> None:
    """Refuse a seed that numpy would refuse later.

    Raises:
        DataError: it is negative, or no whole number.
    """
    if not isinstance(seed, Integral):
        raise DataError(f"seed must be a whole number, not {seed!r}")
    if seed < 0:
        raise DataError(f"seed must not be negative: {seed}")


def _divide(
    groups: list[list[str]], fraction: float, least: int, rest: bool
) -> tuple[list[list[str]], list[list[str]]]:
    """Return groups with about `fraction` of the images, `least` of them or more, and the rest.

    The rest is never empty if `rest`, and always if not.
    """
    if not rest:
        return groups, []
    sizes = np.cumsum([len(group) for group in groups])
    cut = int(np.searchsorted(sizes, int(sizes[-1] * fraction + 1e-9), side="right"))
    cut = min(max(cut, least), len(groups) - 1)
    return groups[:cut], groups[cut:]


# -- DeepLabCut's own file ---------------------------------------------------------------------

_ALLOWED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    *(
        (f"{package}.multiarray", name)
        for package in ("numpy.core", "numpy._core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"{package}.numeric", "_frombuffer") for package in ("numpy.core", "numpy._core")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _Unpickler(pickle.Unpickler):
    """Reads containers, numbers and arrays; a pickle file can otherwise run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no split needs")
        return super().find_class(module, name)


def _from_deeplabcut(path: Path) -> Split:
    try:
        with path.open("rb") as file:
            data, train, test, _ = _Unpickler(file).load()
        positions = [
            [int(i) for i in np.asarray(part).ravel() if int(i) >= 0] for part in (train, test)
        ]  # -1 only pads
    except Exception as error:  # a damaged pickle raises errors of every kind
        raise DataError(f"{path} is no split file of DeepLabCut: {error}") from error
    names = _merged_names(path)
    beyond = [i for part in positions for i in part if i >= len(names)]
    if beyond:
        raise DataError(
            f"{path} has row {beyond[0]}, but the label table beside it has {len(names)} rows: "
            "the two were not made together"
        )
    train_names, test_names = (tuple(names[i] for i in part) for part in positions)
    # DeepLabCut stores positions; the names of the training images tell whether they still hold
    stray = sorted(set(_data_names(data)) - set(train_names))
    if stray:
        raise DataError(
            f"{path} no longer fits the label table beside it: {stray[0]} was a training image "
            "and is none by its position. The table was rewritten after the split was made"
        )
    return Split(train_names, (), test_names, project=path.parent.name)


def _merged_names(path: Path) -> list[str]:
    tables = sorted(path.parent.glob("CollectedData_*.h5")) or sorted(
        path.parent.glob("CollectedData_*.csv")
    )
    if not tables:
        raise DataError(
            f"{path} counts the rows of the CollectedData table of its folder, and there is none"
        )
    return ["/".join(row.split("/")[-3:]) for row in read_table(tables[0]).rows]


def _data_names(data: Iterable[Any]) -> Iterable[str]:
    for item in data:
        image = item["image"]
        name = image if isinstance(image, str) else "/".join(map(str, image))
        yield "/".join(forward_slashes(name).split("/")[-3:])
