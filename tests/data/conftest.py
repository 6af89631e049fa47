"""Projects made for a test: small, and broken on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from dlcreg.data.demo import generate
from dlcreg.data.project import Project

PARTS = ("nose", "leftear", "rightear")


@dataclass
class Maker:
    """Writes a DeepLabCut project piece by piece."""

    root: Path
    scorer: str = "ann"
    config: dict[str, Any] = field(default_factory=dict)

    def write_config(self, **changes: Any) -> Maker:
        content = {
            "Task": "made",
            "scorer": self.scorer,
            "date": "Jan01",
            "multianimalproject": False,
            "project_path": "/somewhere/else",
            "video_sets": {r"C:\videos\vid.avi": {"crop": "0, 64, 0, 48"}},
            "bodyparts": list(PARTS),
            "TrainingFraction": [0.8],
            **changes,
        }
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return self

    def frame(self, rows: Any, values: np.ndarray, individuals: tuple[str, ...] = ()) -> Any:
        parts = [PARTS[: values.shape[1] // 2 // max(1, len(individuals))]]
        levels = [[self.scorer], *([individuals] if individuals else []), *parts, ["x", "y"]]
        names = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
        columns = pd.MultiIndex.from_product(levels, names=names)
        return pd.DataFrame(values, index=rows, columns=columns)

    def labels(
        self,
        count: int = 5,
        video: str = "vid",
        style: str = "new",
        suffix: str = "both",
        size: tuple[int, int] = (48, 64),
        values: np.ndarray | None = None,
        images: bool = True,
        individuals: tuple[str, ...] = (),
        prefix: str = "",
    ) -> np.ndarray:
        """Write a table and its frames; return the values."""
        folder = self.root / "labeled-data" / video
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(len(video))
        if values is None:
            shape = (count, 2 * len(PARTS) * max(1, len(individuals)))
            values = rng.uniform(8, 40, shape).round(3)
        names = [f"img{i:02d}.png" for i in range(len(values))]
        slash = "\\" if style == "windows" else "/"
        rows: Any = [prefix + slash.join(("labeled-data", video, name)) for name in names]
        if style == "new":
            rows = pd.MultiIndex.from_tuples([("labeled-data", video, name) for name in names])
        frame = self.frame(rows, values, individuals)
        path = folder / f"CollectedData_{self.scorer}.h5"
        if suffix in ("both", "h5"):
            frame.to_hdf(path, key="df_with_missing", mode="w")
        if suffix in ("both", "csv"):
            frame.to_csv(path.with_suffix(".csv"))
        for name in names if images else ():
            image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / name), image)
        return values


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """A project without labels yet, config.yaml written."""
    return Maker(tmp_path / "made-ann-2024-01-01").write_config()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A generated single-animal project of 20 frames."""
    root = tmp_path_factory.mktemp("demo") / "demo-dlcreg-2024-01-01"
    return Project(generate(root, frames=20, size=(96, 128), video=False))


@pytest.fixture(scope="session")
def herd(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A generated project of 8 frames with 3 animals each."""
    root = tmp_path_factory.mktemp("herd") / "herd-dlcreg-2024-01-01"
    return Project(generate(root, frames=8, animals=3, size=(128, 160), video=False))


@pytest.fixture(scope="session")
def openfield(shared: Path) -> Project:
    """Real single-animal project, rows in the old style."""
    return Project(shared / "data" / "openfield-Pranav-2018-10-30")


@pytest.fixture(scope="session")
def flies(shared: Path) -> Project:
    """Real multi-animal project."""
    return Project(shared / "data" / "flies-sleap-2020-01-01")


@pytest.fixture
def digest() -> Callable[[Path], dict[str, tuple[str, int]]]:
    """Contents and times of all files below a folder."""

    def of(root: Path) -> dict[str, tuple[str, int]]:
        return {
            str(path.relative_to(root)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    return of
