"""A generated DeepLabCut project: animals seen from above on textured ground."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import yaml

from dlcreg.data.demo_scene import BODYPARTS, CORNERS, Arena, herd_of
from dlcreg.data.labels import write_table
from dlcreg.errors import DataError

SKELETON = (
    ("snout", "leftear"),
    ("snout", "rightear"),
    ("leftear", "spine"),
    ("rightear", "spine"),
    ("spine", "tailbase"),
    ("tailbase", "tailtip"),
)
_SCORER = "dlcreg"
_VIDEOS = ("arena1", "arena2")


def generate(
    root: str | Path,
    *,
    frames: int = 100,
    animals: int = 1,
    size: tuple[int, int] = (192, 256),
    seed: int = 0,
    video: bool = True,
    corners: bool = False,
    identity: bool = False,
) -> Path:
    """Make a DeepLabCut project with labels, frames and two short videos.

    The same arguments give the same labels and images. Keypoints under a stone or under another
    animal are not labelled.

    Args:
        root: folder of the project; must not exist, or be empty.
        frames: labelled frames, at least 2, divided among two arenas.
        animals: in each frame; more than one makes a multi-animal project.
        size: height and width of the frames, at least 64.
        seed: of everything random.
        video: write ``videos/arena1.mp4`` and ``arena2.mp4``, 60 frames each.
        corners: walls, with the four corners of the arena labelled as unique body parts; they make
            a multi-animal project, too.
        identity: say in config.yaml that the animals, which differ in colour, are known apart.

    Returns:
        `root` as a path.

    Raises:
        DataError: the folder is not empty, or an argument is out of range.
    """
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root} is not empty; generate the demo project somewhere else")
    if frames < 2 or animals < 1 or min(size) < 64:
        raise DataError("the demo project needs frames >= 2, animals >= 1 and size >= (64, 64)")
    for number, name in enumerate(_VIDEOS):
        rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
        arena = Arena.made(size, rng, walls=corners)
        count = frames // 2 + (number < frames % 2)
        _write_labelled(root / "labeled-data" / name, arena, count, animals, rng)
        if video:
            _write_video(root / "videos" / f"{name}.mp4", arena, animals, rng)
    _write_config(root, animals, size, corners, identity)
    return root


# -- files -------------------------------------------------------------------------------------


def _write_labelled(
    folder: Path, arena: Arena, count: int, animals: int, rng: np.random.Generator
) -> None:
    folder.mkdir(parents=True)
    names, labels = [], []
    for number in range(count):
        herd = herd_of(animals, arena.size, rng)  # frames far apart: poses have nothing in common
        for _ in range(12):
            for animal in herd:
                animal.walk(arena.size, 1.0, rng)
        image, keypoints, corners = arena.picture(herd, rng)
        names.append(f"labeled-data/{folder.name}/img{number:04d}.png")
        labels.append(np.concatenate([keypoints.reshape(-1, 2), corners]))
        file = folder / f"img{number:04d}.png"
        if not cv2.imwrite(str(file), image[:, :, ::-1]):  # which is all that it says
            raise DataError(f"{file} cannot be written: is the disk full?")
    walls = arena.corners is not None
    who = _individuals(animals) if animals > 1 or walls else ("",)
    points = [(name, part) for name in who for part in BODYPARTS]
    points += [("single", part) for part in CORNERS if walls]
    columns = [(*point, axis) for point in points for axis in "xy"]
    write_table(folder, _SCORER, names, columns, np.stack(labels).reshape(count, -1).round(3))


def _write_video(
    path: Path, arena: Arena, animals: int, rng: np.random.Generator, frames: int = 60
) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    herd = herd_of(animals, arena.size, rng)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "18"})
        stream.height, stream.width = arena.size[0] // 2 * 2, arena.size[1] // 2 * 2
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            for animal in herd:
                animal.walk(arena.size, 0.5, rng)
            image = arena.picture(herd, rng)[0][: stream.height, : stream.width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _individuals(animals: int) -> tuple[str, ...]:
    return tuple(f"animal{i}" for i in range(1, animals + 1))


def _write_config(
    root: Path, animals: int, size: tuple[int, int], corners: bool, identity: bool
) -> None:
    crop, several = f"0, {size[1]}, 0, {size[0]}", animals > 1 or corners
    config: dict[str, object] = {
        "Task": "demo",
        "scorer": _SCORER,
        "date": "Jan01",
        "multianimalproject": several,
        "identity": identity,
        "project_path": str(root.resolve()),
        "engine": "pytorch",
        "video_sets": {f"videos/{name}.mp4": {"crop": crop} for name in _VIDEOS},
    }
    if several:
        config |= {
            "individuals": list(_individuals(animals)),
            "uniquebodyparts": list(CORNERS) if corners else [],
            "multianimalbodyparts": list(BODYPARTS),
            "bodyparts": "MULTI!",
        }
    else:
        config["bodyparts"] = list(BODYPARTS)
    config |= {
        "start": 0,
        "stop": 1,
        "numframes2pick": 20,
        "skeleton": [list(pair) for pair in SKELETON],
        "skeleton_color": "black",
        "pcutoff": 0.6,
        "dotsize": 6,
        "alphavalue": 0.7,
        "colormap": "rainbow",
        "TrainingFraction": [0.8],
        "iteration": 0,
        "default_net_type": "resnet_50",
        "default_augmenter": "imgaug",
        "snapshotindex": -1,
        "batch_size": 8,
    }
    text = yaml.safe_dump(config, sort_keys=False)
    (root / "config.yaml").write_text(text, encoding="utf-8")
