"""A DeepLabCut project's ``config.yaml``: read, and its faults in words."""

from __future__ import annotations

import difflib
import math
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from dlcreg.errors import ProjectError
from dlcreg.files import write_text


def read_config(root: Path) -> dict[str, Any]:
    """Return the contents of a project's config.yaml.

    Raises:
        ProjectError: it is missing, damaged, or lacks what every project has.
    """
    path = root / "config.yaml"
    if not root.is_dir():
        raise ProjectError(f"there is no project folder {root}")
    if not path.is_file():
        raise ProjectError(f"{root} is no DeepLabCut project: it has no config.yaml")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark
        where = f":{place.line + 1}:{place.column + 1}" if place else ""
        raise ProjectError(f"{path}{where}: {error.problem or error.context}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProjectError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ProjectError(f"{path} holds no settings: a project's config.yaml has scorer: ...")
    for key in ("scorer", "bodyparts"):
        if config.get(key) is None:
            close = difflib.get_close_matches(key, [str(k) for k in config], n=1)
            hint = f" Did you misspell it as {close[0]!r}?" if close and close[0] != key else ""
            raise ProjectError(f"{path} has no {key!r}.{hint}")
    return config


def names_of(config: dict[str, Any], key: str, root: Path, empty: bool = False) -> tuple[str, ...]:
    """Return a list of names, each once.

    Raises:
        ProjectError: it is no such list, or has no name unless `empty` allows it.
    """
    value = config.get(key)
    if value is None and empty:
        return ()
    if not isinstance(value, list) or (not value and not empty):
        raise ProjectError(f"{root / 'config.yaml'}: {key} must be a list of names, not {value!r}")
    names = tuple(str(name) for name in value)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProjectError(f"{root / 'config.yaml'}: {key} names {twice[0]!r} twice")
    return names


def skeleton_of(
    config: dict[str, Any], bodyparts: tuple[str, ...], root: Path
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of the skeleton whose body parts exist.

    Raises:
        ProjectError: it is no list.
    """
    pairs = config.get("skeleton") or []
    if not isinstance(pairs, list):
        raise ProjectError(
            f"{root / 'config.yaml'}: skeleton must be a list of pairs of names, not {pairs!r}"
        )
    pairs = [tuple(map(str, p)) for p in pairs if isinstance(p, (list, tuple)) and len(p) == 2]
    return tuple((a, b) for a, b in pairs if a in bodyparts and b in bodyparts)


def listed_videos(config: dict[str, Any], root: Path) -> set[str]:
    """Return the names of the videos in ``video_sets``, without folder and suffix.

    Raises:
        ProjectError: it holds no videos.
    """
    videos = config.get("video_sets") or {}
    if not isinstance(videos, (dict, list)):
        raise ProjectError(
            f"{root / 'config.yaml'}: video_sets must map the paths of videos to their settings, "
            f"not be {videos!r}"
        )
    return {PureWindowsPath(str(video)).stem for video in videos}


def list_video(root: Path, video: Path, size: tuple[int, int]) -> None:
    """Add a video to ``video_sets`` in config.yaml, unless one of its name is there.

    The rest of the file, its comments among it, stays as it is.

    Args:
        root: folder of the project.
        video: its file.
        size: height and width of its frames.

    Raises:
        ProjectError: the section is written in a way that nothing can be added to.
        DlcregError: the file cannot be written.
    """
    if video.stem in listed_videos(read_config(root), root):
        return
    path = root / "config.yaml"
    text = path.read_text(encoding="utf-8-sig")
    height, width = size
    key = yaml.safe_dump(str(video.resolve()), width=math.inf).splitlines()[0]
    lines = text.splitlines(keepends=True)
    at = next((i for i, line in enumerate(lines) if line.startswith("video_sets:")), None)
    following = "" if at is None else "".join(lines[at + 1 : at + 2])
    indent = following[: len(following) - len(following.lstrip())] or "  "
    entry = f"{indent}{key}:\n{indent}  crop: 0, {width}, 0, {height}\n"
    if at is None:
        new = f"{text.rstrip()}\nvideo_sets:\n{entry}"
    elif lines[at].partition(":")[2].partition("#")[0].strip() in ("", "{}"):
        lines[at] = f"video_sets:\n{entry}"
        new = "".join(lines)
    else:
        new = ""
    if not new or video.stem not in _listed_in(new, root):
        raise ProjectError(
            f"{path}: the video could not be added to video_sets: write it there as "
            f"{key}: {{crop: '0, {width}, 0, {height}'}}"
        )
    write_text(path, new)


def _listed_in(text: str, root: Path) -> set[str]:
    try:
        return listed_videos(yaml.safe_load(text), root)
    except yaml.YAMLError:
        return set()
