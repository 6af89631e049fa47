"""Models and predictions of DeepLabCut itself, for an interpreter that has it.

    python deeplabcut_side.py IMAGES.npz OUT

Each line of its input is a job, such as ``{"name": "td", "net_type": "resnet_50", "top_down":
true}``, which becomes a folder of OUT with what DeepLabCut writes (``pytorch_config.yaml``,
``snapshot-010.pt``) and ``predictions.npz``, what its own inference finds in the images. Each is
answered by a line that begins with ``@@`` and holds JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import deeplabcut_networks as networks
import numpy as np
import torch
import yaml
from deeplabcut.core.weight_init import WeightInitialization
from deeplabcut.pose_estimation_pytorch import available_detectors, available_models
from deeplabcut.pose_estimation_pytorch.apis import export_model
from deeplabcut.pose_estimation_pytorch.apis.utils import (
    get_inference_runners,
    get_pose_inference_runner,
)
from deeplabcut.pose_estimation_pytorch.config.pose import PoseConfig

_PARTS = ["nose", "left_ear", "right_ear", "tail", "back"]
_SNAPSHOT, _DETECTOR = "snapshot-010.pt", "snapshot-detector-010.pt"


def project(folder: Path, job: dict) -> Path:
    """Write a project's config.yaml, without labels or videos."""
    multi = job.get("multi", False)
    parts = [f"part{i}" for i in range(job["parts"])] if "parts" in job else _PARTS
    config = {
        "Task": "mice",
        "scorer": "someone",
        "date": "Jan1",
        "multianimalproject": multi,
        "identity": job.get("identity", False),
        "project_path": str(folder),
        "engine": "pytorch",
        "video_sets": {},
        "bodyparts": "MULTI!" if multi else parts,
        "individuals": ["first", "second", "third"] if multi else ["individual_1"],
        "uniquebodyparts": job.get("unique", []),
        "multianimalbodyparts": parts if multi else [],
        "TrainingFraction": [0.95],
        "iteration": 0,
        "default_net_type": "resnet_50",
        "skeleton": [["nose", "tail"]],
        "snapshotindex": -1,
        "detector_snapshotindex": -1,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def pose_config(job: dict, root: Path, path: Path) -> PoseConfig:
    """Let DeepLabCut write the config of a net type."""
    where = project(root, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    if "superanimal" in job:
        config = PoseConfig.build_for_superanimal_finetune(
            where,
            model_name=job["superanimal"],
            detector_name=job.get("detector"),
            pose_config_path=path,
            weight_init=WeightInitialization(
                dataset="superanimal_topviewmouse",
                with_decoder=True,
                conversion_array=list(range(job["parts"])),
            ),
        )
    else:
        options = {"detector_type": job["detector"]} if "detector" in job else {}
        if job["net_type"].startswith("ctd_"):
            options["ctd_conditions"] = 1
        config = PoseConfig.build(
            where,
            path,
            net_type=job["net_type"],
            top_down=job.get("top_down", False),
            multi_animal=job.get("multi", False),
            **options,
        )
    config.to_yaml(path, overwrite=True)
    content = yaml.safe_load(path.read_text())
    padding = content["data"]["inference"].get("auto_padding")
    if padding:
        padding["position"] = "top_left"  # at random by default
    for key, value in job.get("changes", {}).items():
        *above, last = key.split(".")
        place = content
        for name in above:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return PoseConfig.from_yaml(path)


def save(path: Path, network: torch.nn.Module) -> Path:
    """Write a snapshot as DeepLabCut does."""
    metadata = {"epoch": 10, "metrics": {"metrics/test.mAP": 50.0}, "losses": {}}
    torch.save({"model": network.state_dict(), "metadata": metadata, "scheduler": {}}, path)
    return path


def conditioned(config, snapshot: Path, images: list[np.ndarray], found: dict) -> list:
    """Return the poses of a conditioned model, for conditions that are drawn."""
    draw = np.random.default_rng(0)
    conditions = []
    for image in images:
        high, wide = image.shape[:2]
        points = draw.uniform(0.2, 0.7, (2, len(config["metadata"]["bodyparts"]), 2))
        score = draw.uniform(0.3, 1.0, (*points.shape[:2], 1))
        pose = np.concatenate([points * [wide, high], score], axis=-1)
        pose[1, 0] = 0
        conditions.append(pose.astype(np.float32))
    found["conditions"] = np.stack(conditions)
    runner = get_pose_inference_runner(config, snapshot, device="cpu", batch_size=1)
    given = [(image, {"cond_kpts": c.copy()}) for image, c in zip(images, conditions)]
    return runner.inference(given)


def cut_out(config, folder: Path, job: dict, images: list[np.ndarray], found: dict) -> list:
    """Return the poses of a top-down model, in boxes that are given or found."""
    detector = None
    if "detector" in job:
        network = networks.detector_network(config, images)
        detector = save(folder / _DETECTOR, network)
    runner, detects = get_inference_runners(
        config, folder / _SNAPSHOT, device="cpu", detector_path=detector
    )
    if detects is None:
        boxes = [
            {"bboxes": np.array(b, np.float32), "bbox_scores": np.ones(len(b), np.float32)}
            for b in job["boxes"]
        ]
    else:
        boxes = detects.inference(images)
    found["boxes"] = np.stack([b["bboxes"] for b in boxes])
    found["box_scores"] = np.stack([b["bbox_scores"] for b in boxes])
    return runner.inference(list(zip(images, boxes)))


def run(job: dict, images: list[np.ndarray], out: Path) -> Path:
    """Make one folder, and return what is to be imported."""
    root = out / job["name"]
    folder = root
    if "export" in job:
        name = "miceJan1-trainset95shuffle1"
        folder = root / "dlc-models-pytorch" / "iteration-0" / name / "train"
    config = pose_config(job, root, folder / "pytorch_config.yaml")
    network = networks.pose_network(config, images, job.get("steps", 0))
    snapshot = save(folder / _SNAPSHOT, network)
    found: dict[str, np.ndarray] = {}
    if config["method"] == "ctd":
        poses = conditioned(config, snapshot, images, found)
    elif config["method"] == "td":
        poses = cut_out(config, folder, job, images, found)
    else:
        identified = bool(config["metadata"]["with_identity"])
        runner, _ = get_inference_runners(config, snapshot, device="cpu", with_identity=identified)
        poses = runner.inference(images)
    for key in ("bodyparts", "unique_bodyparts", "identity_scores"):
        if key in poses[0]:
            found[key] = np.stack([np.asarray(pose[key]) for pose in poses])
    np.savez(root / "predictions.npz", **found)
    if "export" not in job:
        return folder
    export_model(root / "config.yaml", shuffle=1)
    (exported,) = (root / "exported-models-pytorch").glob("*/*.pt")
    return exported


def answer(job: dict, images: list[np.ndarray], out: Path) -> dict:
    """Return what is to be said of a job."""
    if "ask" in job:
        return {"net_types": available_models(), "detectors": available_detectors()}
    try:
        return {"made": str(run(job, images, out))}
    except Exception:
        return {"failed": traceback.format_exc()}


def main(images: str, out: str) -> None:
    """Do one job after the other."""
    torch.set_num_threads(1)
    stored = np.load(images)
    kept = [stored[name] for name in sorted(stored.files)]
    for line in sys.stdin:
        said = json.dumps(answer(json.loads(line), kept, Path(out)))
        print(f"@@{said}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
