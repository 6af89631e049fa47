"""What DeepLabCut learns of the two flies from random weights: its row in the README.

    python tools/benchmark/deeplabcut_flies.py ../shared/data/flies-sleap-2020-01-01 --out FOLDER

in an environment that has DeepLabCut 3.0.2, and dlcreg or not. It copies the project into FOLDER,
makes a training set of the frames that dlcreg's configs learn from (``coco/keypoints_train.json``),
trains its ResNet with part affinity fields at 18 layers and evaluates each snapshot by DeepLabCut's
own ``evaluate_network``: images of 512 pixels, crops of 224, turned any way, batches of 4, the
learning rate falling at epochs 22 and 27. The last line is the CPU seconds of the training.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

SIZE, CROP = 512, 224
WIDTH = 512  # channels of the last stage of 18 layers


def main() -> None:
    """Prepare, train, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    import deeplabcut

    without_weights()
    config = copied(args.project, args.out.resolve())
    train, test = parts(args.project)
    deeplabcut.create_multianimaltraining_dataset(
        str(config), num_shuffles=1, net_type="resnet_50", trainIndices=[train], testIndices=[test]
    )
    smaller(next(args.out.glob("dlc-models-pytorch/*/*/train/pytorch_config.yaml")), args.epochs)
    start = time.process_time()
    deeplabcut.train_network(str(config), shuffle=1, device="cpu")
    seconds = time.process_time() - start
    deeplabcut.evaluate_network(str(config), Shuffles=[1], device="cpu", snapshotindex="all")
    print(f"CPU seconds of the training: {seconds:.0f}")


def without_weights() -> None:
    """Let timm build every network from random weights: DeepLabCut asks for those of ImageNet."""
    import timm

    create = timm.create_model

    def bare(*args: Any, **kwargs: Any) -> Any:
        return create(*args, **{**kwargs, "pretrained": False})

    timm.create_model = bare


def copied(project: Path, folder: Path) -> Path:
    """Return the config of a copy of a project, which DeepLabCut may write into."""
    shutil.copytree(project, folder)
    for path in (folder, *folder.rglob("*")):
        os.chmod(path, path.stat().st_mode | 0o200)
    config = folder / "config.yaml"
    text = re.sub(r"project_path:.*", f"project_path: {folder}", config.read_text("utf-8"))
    config.write_text(text, "utf-8")
    return config


def parts(project: Path) -> tuple[list[int], list[int]]:
    """Return the rows of the labels that are learnt from, and the others."""
    import pandas as pd

    labels = pd.read_hdf(next(project.glob("labeled-data/*/CollectedData_*.h5")))
    images = json.loads((project / "coco" / "keypoints_train.json").read_text("utf-8"))["images"]
    known = {Path(image["file_name"]).name for image in images}
    learnt = [index[-1] in known for index in labels.index]
    rows = range(len(learnt))
    return [row for row in rows if learnt[row]], [row for row in rows if not learnt[row]]


def smaller(path: Path, epochs: int) -> None:
    """Write the settings of the row into DeepLabCut's own of a ResNet-50."""
    import yaml

    config = yaml.safe_load(path.read_text("utf-8"))
    config["model"]["backbone"]["model_name"] = "resnet18"
    config["model"]["backbone_output_channels"] = WIDTH
    for head in config["model"]["heads"].values():
        for name in {"heatmap_config", "locref_config", "paf_config"} & set(head):
            head[name]["channels"][0] = WIDTH
    resize = {"width": SIZE, "height": SIZE, "keep_ratio": True}
    affine = {"p": 0.9, "rotation": 180, "scaling": [0.8, 1.2], "translation": 0}
    config["data"]["train"].update(resize=resize, affine=affine)
    config["data"]["inference"]["resize"] = dict(resize)
    config["data"]["train"]["crop_sampling"].update(width=CROP, height=CROP)
    config["train_settings"].update(batch_size=4, epochs=epochs, display_iters=100)
    config["runner"].update(eval_interval=epochs, device="cpu")
    config["runner"]["snapshots"].update(save_epochs=10, max_snapshots=5)
    steps = {"lr_list": [[1e-4], [2e-5]], "milestones": [22, 27]}
    config["runner"]["scheduler"]["params"] = steps
    config["device"] = "cpu"
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")


if __name__ == "__main__":
    main()
