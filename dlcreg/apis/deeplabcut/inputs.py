"""What happens to images before a model of DeepLabCut 3 sees them, as transforms of dlcreg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.apis.deeplabcut.section import Section

Steps = list[dict[str, Any]]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What DeepLabCut normalises by, for values of 0 to 1."""

_CONDITION_MARGIN = 20.0
_RANDOM = (
    "affine", "random_bbox_transform", "crop_sampling", "hist_eq", "motion_blur", "covering",
    "elastic_transform", "grayscale", "gaussian_noise", "hflip", "collate",
)  # fmt: skip


def of_tests(data: Section, method: str, size: tuple[int, int] | None) -> Steps:
    """Return what happens to images in inference, which has nothing random in it.

    Args:
        data: section ``data``.
        method: ``bu``, ``td`` or ``ctd``.
        size: height and width of the images that the model is made for, or None.
    """
    section = data.section("inference")
    for key in _RANDOM:
        if section.get(key):
            section.wrong(key, "is random, and inference is not")
    steps = [*_box(data, method, 0.0), *_sizes(section), *_crop(section, method, size)]
    steps += _padding(section)
    section.ignore("normalize_images", "scale_to_unit_range")
    section.close()
    return steps


def of_training(data: Section, method: str, size: tuple[int, int] | None) -> Steps:
    """Return the augmentation as dlcreg's, which draws other numbers from alike ranges."""
    section = data.section("train")
    steps = [*_box(data, method, 1.0), *_sizes(section), *_moves(section)]
    if method == "bu":
        steps += _window(section)
    else:
        section.ignore("crop_sampling")
    pixels = _pixels(section)
    steps += _crop(section, method, size) + _padding(section)
    if pixels:
        steps.append({"type": "Albumentations", "transform": pixels})
    if section.get("collate"):
        section.note("data.train.collate is left out: images keep their sizes")
    section.ignore("normalize_images", "scale_to_unit_range")
    section.close()
    return steps


def normalisation(data: Section) -> dict[str, Any]:
    """Return mean and standard deviation where they are not what backbones are made for."""
    section = data.section("inference")
    scaled = bool(section.get("scale_to_unit_range", False))
    if section.get("normalize_images", False):
        mean, std = MEAN, STD
        if not scaled:
            return {}
    else:
        mean, std = (0.0,) * 3, (1 / 255,) * 3
    return {"mean": mean, "std": tuple(value * 255 for value in std) if scaled else std}


def is_instance(method: str) -> bool:
    """Whether a model sees one animal at a time."""
    return method != "bu"


def _box(data: Section, method: str, p: float) -> Steps:
    """Return the condition, of which the box follows."""
    sampling = data.section("gen_sampling")
    if method != "ctd":
        sampling.ignore(*sampling.values)
        return []
    names = {"jitter_prob": 0.16, "miss_prob": 0.1, "inv_prob": 0.03, "swap_prob": 0.08}
    ours = {"jitter_prob": "jitter", "miss_prob": "miss", "inv_prob": "inversion",
            "swap_prob": "swap"}  # fmt: skip
    rates = {ours[name]: sampling.number(name, value) for name, value in names.items()}
    condition: dict[str, Any] = {"type": "GenerativeCondition", "p": p, "rates": rates}
    sigmas = sampling.get("keypoint_sigmas", 0.1)
    parts = data.root.section("metadata").get("bodyparts", [])
    if isinstance(sigmas, list) and len(sigmas) != len(parts):
        data.note("data.gen_sampling.keypoint_sigmas became 0.1: they are of other keypoints")
        sigmas = 0.1
    condition["sigmas"] = [float(s) for s in sigmas] if isinstance(sigmas, list) else float(sigmas)
    sampling.ignore("keypoints_symmetry")  # the data has it
    sampling.close()
    margin = data.number("bbox_margin", _CONDITION_MARGIN)
    return [condition, {"type": "ConditionBox", "margin": margin, "min_side": 0.0}]


def _sizes(section: Section) -> Steps:
    steps: Steps = []
    if "resize" in section:
        resize = section.section("resize")
        size = (int(resize.need("height", 0)), int(resize.need("width", 0)))
        step: dict[str, Any] = {"type": "DeepLabCutResize", "size": size}
        if not resize.get("keep_ratio", True):
            step["keep_ratio"] = False
        resize.close()
        steps.append(step)
    longest = section.get("longest_max_size")
    if isinstance(longest, Mapping):
        section.wrong("longest_max_size", "is to be a number of pixels")
    elif longest is not None:
        steps.append({"type": "DeepLabCutResize", "longest": int(longest)})
    return steps


def _crop(section: Section, method: str, size: tuple[int, int] | None) -> Steps:
    """Return the crop of an animal."""
    crop = section.section("top_down_crop")
    if not is_instance(method):
        crop.ignore(*crop.values)
        return []
    step: dict[str, Any] = {
        "type": "DeepLabCutCrop",
        "size": (int(crop.number("height", 256)), int(crop.number("width", 256))),
    }
    if margin := crop.number("margin", 0):
        step["margin"] = float(margin)
    if not crop.get("crop_with_context", method == "td"):
        step["context"] = False
    if size is not None and step["size"] != size:
        (high, wide), (rows, columns) = step["size"], size
        crop.wrong(
            "", f"makes crops of {high} x {wide} pixels, and the model is made for {rows} x "
            f"{columns}: DeepLabCut cannot run it either"
        )  # fmt: skip
    crop.close()
    return [step]


def _padding(section: Section) -> Steps:
    if "auto_padding" not in section:
        return []
    padding = section.section("auto_padding")
    known = {"random": "top_left", "top_left": "top_left", "center": "center"}
    step: dict[str, Any] = {"type": "Pad"}
    divisors = [padding.get(f"pad_{side}_divisor") for side in ("height", "width")]
    least = [padding.get(f"min_{side}") for side in ("height", "width")]
    if all(value is not None for value in least):
        step["size"] = tuple(int(value) for value in least)
    elif divisors[0] == divisors[1] and divisors[0] is not None:
        step["divisor"] = int(divisors[0])
    else:
        padding.wrong("", "other divisors for height and width are not known here")
    position = known[padding.choice("position", known, "random")]
    if position != "top_left":
        step["position"] = position
    borders = {"reflect_101": "reflect", "constant": "constant"}
    step["border"] = borders[padding.choice("border_mode", borders, "reflect_101")]
    if step["border"] == "constant":
        step["fill"] = int(padding.number("border_value", 0))
    padding.ignore("border_value", "border_mask_value")
    padding.close()
    return [step]


def _moves(section: Section) -> Steps:
    steps: Steps = []
    if flips := section.get("hflip"):
        step: dict[str, Any] = {"type": "Flip"}
        if isinstance(flips, Mapping):
            flip = section.section("hflip")
            step["p"] = float(flip.number("p", 0.5))
            flip.ignore("symmetries")  # the data has it
            flip.close()
        elif not isinstance(flips, bool):
            step["p"] = float(flips)
        steps.append(step)
    if "affine" in section:
        affine = section.section("affine")
        step = {"type": "Affine", "p": float(affine.number("p", 0.9))}
        if rotation := affine.number("rotation", 0):
            step["rotation"] = float(rotation)
        scaling = affine.get("scaling")
        if scaling is not None and list(scaling) != [1, 1]:
            step["scale"] = tuple(float(value) for value in scaling)
        if affine.number("translation", 0):
            step["translate"] = 0.05
            affine.note("data.train.affine.translation, in pixels, became a share of 0.05")
        affine.close()
        steps.append(step)
    if "random_bbox_transform" in section:
        jitter = section.section("random_bbox_transform")
        p = jitter.number("p", 1.0)
        steps.append(
            {
                "type": "JitterBox",
                "shift": float(jitter.number("shift_factor", 0.1)),
                "scale": tuple(jitter.get("scale_factor", (0.75, 1.25))),
                "p_shift": jitter.number("shift_prob", 0.25) * p,
                "p_scale": jitter.number("scale_prob", 1.0) * p,
            }
        )
        jitter.close()
    return steps


def _window(section: Section) -> Steps:
    if "crop_sampling" not in section:
        return []
    crop = section.section("crop_sampling")
    size = (int(crop.number("height", 448)), int(crop.number("width", 448)))
    method = crop.get("method", "hybrid")
    shift = float(crop.number("max_shift", 0.4))
    crop.close()
    if method == "uniform":
        return [{"type": "Crop", "size": size}]
    return [{"type": "Crop", "size": size, "position": "keypoint", "max_shift": shift}]


def _pixels(section: Section) -> Steps:
    """Return what changes pixels and moves nothing, as transforms of albumentations."""
    steps: Steps = []
    if section.get("hist_eq", False):
        steps.append({"type": "Equalize", "p": 0.5})
    if section.get("motion_blur", False):
        steps.append({"type": "MotionBlur", "p": 0.5})
    if section.get("covering", False):
        sides = (0.01, 0.05)
        steps.append(
            {
                "type": "CoarseDropout",
                "num_holes_range": (1, 10),
                "hole_height_range": sides,
                "hole_width_range": sides,
                "p": 0.5,
            }
        )
    if section.get("elastic_transform", False):
        section.note("data.train.elastic_transform is left out")
    if section.get("grayscale", False):
        steps.append({"type": "ToGray", "p": 0.5})
    noise = section.get("gaussian_noise", False)
    if noise:
        share = noise / 255 if isinstance(noise, (int, float)) and noise is not True else 0.05
        steps.append({"type": "GaussNoise", "std_range": (0.0, float(share)), "p": 0.5})
    return steps
