"""Names of keypoints and what follows from them: twins, skeletons, boxes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from dlcreg.errors import DataError

Pairs = tuple[tuple[int, int], ...]


def _right(match: re.Match[str]) -> str:
    """Return the right-hand word in the case of the left-hand one."""
    left = match.group()
    if len(left) == 1:
        return "r" if left == "l" else "R"
    return "RIGHT" if left.isupper() else "Right" if left[0].isupper() else "right"


_SIDES = (
    re.compile(r"left", re.IGNORECASE),
    # a letter that stands alone: l_ear, ear.l, ear-L2
    re.compile(r"(?<![A-Za-z])[lL](?![A-Za-z])"),
    # a capital that starts or ends a word: earL, wingL4, LHip
    re.compile(r"(?<=[a-z0-9])L(?![a-z])|(?<![A-Za-z])L(?=[A-Z])"),
)


_WORD = re.compile(r"(?P<left>left)|(?P<right>right)", re.IGNORECASE)
# any capital, or the second letter of two: wingLtip, Lear, FL, hr
_LETTER = re.compile(
    r"(?P<left>L|(?<=(?<![A-Za-z])[a-z])l(?![A-Za-z]))|"
    r"(?P<right>R|(?<=(?<![A-Za-z])[a-z])r(?![A-Za-z]))"
)
_SIDED = re.compile(
    r"(?i:left|right)|(?<![A-Za-z])[lLrR](?![A-Za-z])|(?<=[a-z0-9])[LR](?![a-z])|"
    r"(?<![A-Za-z])[LR](?=[A-Z])|(?<=(?<![A-Za-z])[A-Z])[LR](?![A-Za-z])"
)


def find_flip_pairs(names: Sequence[str]) -> Pairs:
    """Return pairs of indices of left and right twins, as far as the names tell.

    Names whose side stands within a word (``FL``, ``wingLtip``), or that differ in how they are
    spelt, too (``lefteye``, ``right_eye``), are twins where no other name comes into question.

    >>> find_flip_pairs(["snout", "leftear", "rightear", "wingL", "wingR"])
    ((1, 2), (3, 4))
    """
    index = {name: i for i, name in enumerate(names)}
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for left, name in enumerate(names):
        twins = [index[t] for t in _twins(name) if t in index and t != name]
        right = next((i for i in twins if i not in taken), None)
        if right is not None and left not in taken:
            pairs.append((left, right))
            taken |= {left, right}
    rest = [i for i in range(len(names)) if i not in taken]
    return tuple(sorted([*pairs, *_only_twins(rest, names)]))


def sided_without_twin(names: Sequence[str], pairs: Pairs) -> list[str]:
    """Return the names that look like a left or a right one and are in no pair.

    >>> sided_without_twin(["leftear", "rightear", "pawL", "snout"], ((0, 1),))
    ['pawL']
    """
    paired = {i for pair in pairs for i in pair}
    return [name for i, name in enumerate(names) if i not in paired and _SIDED.search(name)]


def _twins(name: str) -> Iterable[str]:
    for pattern in _SIDES:
        for match in pattern.finditer(name):
            yield name[: match.start()] + _right(match) + name[match.end() :]
        yield pattern.sub(_right, name)


def _only_twins(rest: Sequence[int], names: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Return pairs of names that are alike but for one side, each being the other's only one."""
    left_of: dict[str, set[int]] = {}
    right_of: dict[str, set[int]] = {}
    for i in rest:
        for side, key in _without_side(names[i]):
            (left_of if side == "left" else right_of).setdefault(key, set()).add(i)
    found = {(a, b) for key in left_of for a in left_of[key] for b in right_of.get(key, ())}
    ends = [i for pair in found for i in pair]
    return [pair for pair in found if ends.count(pair[0]) == ends.count(pair[1]) == 1]


def _without_side(name: str) -> Iterable[tuple[str | None, str]]:
    for match in _WORD.finditer(name):
        bare = name[: match.start()] + "*" + name[match.end() :]
        yield match.lastgroup, re.sub(r"[^a-z0-9*]", "", bare.lower())
    for match in _LETTER.finditer(name):
        yield match.lastgroup, f"{name[: match.start()]}|{name[match.end() :]}"


def resolve_pairs(pairs: Iterable[Sequence[str | int]], names: Sequence[str], what: str) -> Pairs:
    """Return pairs of names or of indices as pairs of indices.

    Args:
        pairs: such as ``[["leftear", "rightear"]]`` or ``[[1, 2]]``.
        names: all keypoints.
        what: the name of the option, for messages.

    Raises:
        DataError: something else than pairs, or a keypoint that does not exist.
    """
    resolved = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise DataError(f"{what} must be pairs of keypoints, not {pair!r}")
        left, right = (resolve_name(value, names, what) for value in pair)
        resolved.append((left, right))
    return tuple(resolved)


def resolve_name(value: str | int, names: Sequence[str], what: str) -> int:
    """Return the index of a keypoint given by name or by index.

    Raises:
        DataError: there is no such keypoint.
    """
    if isinstance(value, str):
        if value in names:
            return list(names).index(value)
        close = difflib.get_close_matches(value, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(
            f"{what}: there is no keypoint {value!r}.{hint} There are: {', '.join(names)}"
        )
    if not 0 <= int(value) < len(names):
        raise DataError(f"{what}: there is no keypoint {value}; there are {len(names)}")
    return int(value)


def tight_boxes(keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return the extent of the labelled keypoints, float32 ``(N, 4)`` x, y, width, height.

    Args:
        keypoints: ``(N, K, 2)``.
        labelled: bool ``(N, K)``; animals without a label get a box of zeros.
    """
    if not len(keypoints):
        return np.zeros((0, 4), np.float32)
    low = np.where(labelled[..., None], keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(labelled[..., None], keypoints, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high - low], axis=1)
    return np.where(labelled.any(axis=1, keepdims=True), boxes, 0).astype(np.float32)


def grown_boxes(boxes: np.ndarray, margin: float, size: tuple[int, int]) -> np.ndarray:
    """Return boxes with `margin` pixels more on each side, cut at the border of the image."""
    low = np.maximum(boxes[:, :2] - margin, 0)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:] + margin, [size[1], size[0]])
    return np.concatenate([low, np.maximum(high - low, 0)], axis=1).astype(np.float32)
