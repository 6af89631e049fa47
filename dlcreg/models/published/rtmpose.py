"""RTMPose (Jiang et al., 2023) for persons and animals, and as DeepLabCut has it."""

from __future__ import annotations

from typing import Any

from dlcreg.models.published.entry import Published, State

_FACTORS = {
    "t": (0.167, 0.375),
    "s": (0.33, 0.5),
    "m": (0.67, 0.75),
    "l": (1.0, 1.0),
    "x": (1.33, 1.25),
}
_SIGMA = {192: 4.9, 256: 5.66, 288: 6.0, 384: 6.93}
"""In bins, by the pixels along an axis."""

_AP10K_PAIRS = ((0, 1), (5, 8), (6, 9), (7, 10), (11, 14), (12, 15), (13, 16))


def _model(letter: str, size: tuple[int, int], score: str) -> dict[str, Any]:
    deepen, widen = _FACTORS[letter]
    height, width = size
    codec = {
        "type": "SimCC",
        "sigma": (_SIGMA[width], _SIGMA[height]),
        "labels": "rounded",
        "decoding": "highest",
        "score": score,
    }
    loss = {"type": "KLDiscreteLoss", "beta": 10.0, "reduction": "original"}
    return {
        "type": "PoseModel",
        "backbone": {"type": "CSPNeXt", "deepen_factor": deepen, "widen_factor": widen},
        "neck": {"type": "IdentityNeck"},
        "head": {"type": "RTMCCHead", "codec": codec, "losses": {"x": loss, "y": dict(loss)}},
    }


def _rtmpose(letter: str, size: tuple[int, int], **known: Any) -> Published:
    return Published(size, _model(letter, size, "raw"), {}, **known)


def _with_our_norms(state: State) -> State:
    """Return a state dict of DeepLabCut, where a convolution's ``bn`` is called ``norm``."""
    return {name.replace(".norm.", ".bn."): value for name, value in state.items()}


def deeplabcut(letter: str, size: tuple[int, int]) -> Published:
    """Return RTMPose as DeepLabCut has it, of a letter and for crops of a size."""
    return Published(
        size,
        _model(letter, size, "softmax"),
        {"heads.bodypart.": "head."},
        convert=_with_our_norms,
        num_keypoints=12,
        flip_pairs=(),
    )


MODELS = {
    **{f"rtmpose_{letter}_256x192": _rtmpose(letter, (256, 192)) for letter in "tsml"},
    **{f"rtmpose_{letter}_384x288": _rtmpose(letter, (384, 288)) for letter in "ml"},
    "rtmpose_m_ap10k_256x256": _rtmpose("m", (256, 256), flip_pairs=_AP10K_PAIRS),
    **{f"dlc_rtmpose_{letter}": deeplabcut(letter, (256, 256)) for letter in "sm"},
    "dlc_rtmpose_x": deeplabcut("x", (384, 384)),
}
"""By name."""
