"""Models and predictions of DeepLabCut itself, for an interpreter that has it.

    python deeplabcut_side.py JOBS.json IMAGES.npz OUT

Each job, such as ``{"name": "td", "net_type": "resnet_50", "top_down": true}``, becomes a folder of
OUT with what DeepLabCut writes (``pytorch_config.yaml``, ``snapshot-010.pt``, with random weights)
and ``predictions.npz``, what its own inference finds in the images.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision

_create = timm.create_model
timm.create_model = lambda *args, **kwargs: _create(*args, **{**kwargs, "pretrained": False})
torch.hub.load_state_dict_from_url = lambda *args, **kwargs: {}

from deeplabcut.pose_estimation_pytorch.apis.utils import (  # noqa: E402
    get_inference_runners,
    get_pose_inference_runner,
)
from deeplabcut.pose_estimation_pytorch.config.pose import PoseConfig  # noqa: E402
from deeplabcut.pose_estimation_pytorch.models import DETECTORS, PoseModel  # noqa: E402

_PARTS = ["nose", "left_ear", "right_ear", "tail", "back"]


def _without_download(function):
    def make(*args, **kwargs):
        return function(*args, **{**kwargs, "weights_backbone": None})

    return make


for _name in (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
):
    _function = getattr(torchvision.models.detection, _name)
    setattr(torchvision.models.detection, _name, _without_download(_function))


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
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def scatter(model: torch.nn.Module) -> None:
    """Give weights that tell images apart: nothing is 0, no map is level, and none is full."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.1)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                tensor.normal_(0, 0.05)
            elif name.startswith("heads.") and tensor.is_floating_point() and tensor.dim() > 1:
                tensor.normal_(0, 0.5 / tensor[0].numel() ** 0.5)


def level(model: PoseModel, image: np.ndarray, parts: int) -> None:
    """Scale the first layers of the heads, so that what backbones give them is about 1."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 128 - 1
    high, wide = (32 * (side // 32) for side in pixels.shape[-2:])
    conditioned = hasattr(model.backbone, "cond_enc")
    size = model.backbone.cond_enc.img_size if conditioned else (high, wide)
    pixels = torch.nn.functional.interpolate(pixels, tuple(size))
    more = {"cond_kpts": np.full((1, 1, parts, 3), 50.0)} if conditioned else {}
    with torch.no_grad():
        features = model.eval().backbone(pixels, **more)
        factor = float(features.std())
        for layer in [*model.heads.modules(), *(model.neck.modules() if model.neck else ())]:
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                if layer.in_channels == features.shape[1]:
                    layer.weight.div_(factor)
            elif layer is getattr(model.neck, "patch_to_embedding", None):
                layer.weight.div_(factor)


def pose_config(job: dict, folder: Path) -> tuple[PoseConfig, Path]:
    """Let DeepLabCut write the config of a net type."""
    path = folder / "pytorch_config.yaml"
    options = {"detector_type": job["detector"]} if "detector" in job else {}
    if job["net_type"].startswith("ctd_"):
        options["ctd_conditions"] = 1
    config = PoseConfig.build(
        project(folder, job),
        path,
        net_type=job["net_type"],
        top_down=job.get("top_down", False),
        multi_animal=job.get("multi", False),
        **options,
    )
    config.to_yaml(path, overwrite=True)
    if job.get("changes"):
        import yaml

        content = yaml.safe_load(path.read_text())
        for key, value in job["changes"].items():
            *above, last = key.split(".")
            place = content
            for name in above:
                place = place[int(name)] if isinstance(place, list) else place[name]
            place[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        config = PoseConfig.from_yaml(path)
    return config, path


def save(path: Path, model: torch.nn.Module) -> Path:
    """Write a snapshot as DeepLabCut does."""
    metadata = {"epoch": 10, "metrics": {"metrics/test.mAP": 50.0}, "losses": {}}
    torch.save({"model": model.state_dict(), "metadata": metadata, "scheduler": {}}, path)
    return path


def run(job: dict, images: list[np.ndarray], out: Path) -> None:
    """Make one folder."""
    folder = out / job["name"]
    folder.mkdir(parents=True, exist_ok=True)
    if "snapshot" in job:  # of a training of DeepLabCut
        snapshot = Path(job["snapshot"])
        config = PoseConfig.from_yaml(snapshot.with_name("pytorch_config.yaml"))
    else:
        config, path = pose_config(job, folder)
        model = PoseModel.build(PoseConfig.from_yaml(path)["model"])
        scatter(model)
        level(model, images[0], len(config["metadata"]["bodyparts"]))
        snapshot = save(folder / "snapshot-010.pt", model)
    found: dict[str, np.ndarray] = {}
    if config["method"] == "ctd":
        generator = np.random.default_rng(0)
        conditions = []
        for image in images:
            high, wide = image.shape[:2]
            points = generator.uniform(0.2, 0.7, (2, len(config["metadata"]["bodyparts"]), 2))
            score = generator.uniform(0.3, 1.0, (*points.shape[:2], 1))
            pose = np.concatenate([points * [wide, high], score], axis=-1)
            pose[1, 0] = 0
            conditions.append(pose.astype(np.float32))
        runner = get_pose_inference_runner(config, snapshot, device="cpu", batch_size=1)
        given = [(im, {"cond_kpts": c.copy()}) for im, c in zip(images, conditions)]
        poses = runner.inference(given)
        found["conditions"] = np.stack(conditions)
    elif config["method"] == "td":
        detector = None
        if "detector" in job:
            torch.manual_seed(1)
            network = DETECTORS.build(dict(config["detector"]["model"]))
            detector = save(folder / "snapshot-detector-010.pt", network)
        runner, detects = get_inference_runners(
            config, snapshot, device="cpu", detector_path=detector
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
        poses = runner.inference(list(zip(images, boxes)))
    else:
        runner, _ = get_inference_runners(
            config, snapshot, device="cpu", with_identity=bool(config["metadata"]["with_identity"])
        )
        poses = runner.inference(images)
    for key in ("bodyparts", "unique_bodyparts", "identity_scores"):
        if key in poses[0]:
            found[key] = np.stack([np.asarray(pose[key]) for pose in poses])
    np.savez(folder / "predictions.npz", **found)


def main(jobs: str, images: str, out: str) -> None:
    """Make all folders."""
    torch.set_num_threads(1)
    stored = np.load(images)
    for job in json.loads(Path(jobs).read_text()):
        kept = [stored[name] for name in job.get("images", ["a", "b", "c"])]
        try:
            run(job, kept, Path(out))
            print("made", job["name"], flush=True)
        except Exception:
            traceback.print_exc()
            print("failed", job["name"], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
