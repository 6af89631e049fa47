"""What importing the data room costs, and that its parts are found by a whole config."""

from __future__ import annotations

import subprocess
import sys

from dlcreg.builder import build_dataset

LIBRARIES = ("albumentations", "torchvision", "pandas", "tables", "av", "matplotlib")


def test_data_sets_import_no_library_before_it_is_needed():
    code = (
        "import sys, dlcreg.data.dataset, dlcreg.data.module, dlcreg.data.transforms.geometric;"
        f"print([m for m in {LIBRARIES} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_data_set_is_built_of_a_config(demo):
    dataset = build_dataset(
        {
            "type": "PoseDataset",
            "project": {"root": str(demo.root)},
            "mode": "test",
            "split": {"train_fraction": 0.5},
            "transform": [{"type": "Resize", "scale": 0.5}, {"type": "Flip", "p": 1.0}],
        }
    )
    assert len(dataset) == 10
    assert dataset[0].image.shape == (48, 64, 3)
    assert dataset.pipeline.transforms[1].flip_pairs == ((1, 2),)
