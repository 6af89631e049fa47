"""How results are named after the model that made them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dlcreg.inference.checkpoint import Trained

_SNAPSHOT = re.compile(r"epoch_(\d+)(?:_iter_(\d+))?")


def scorer_of(trained: Trained) -> str:
    """Return the name of a model in files of results, after the manner of DeepLabCut.

    A checkpoint that was imported keeps the name that it had. Others are called after backbone,
    project, run and epoch, such as ``DLC_HrnetW18_openfieldMyRun_snapshot_60``.
    """
    own = getattr(trained, "scorer", "")
    if own:
        return str(own)
    source = Path(trained.source)
    project = str(trained.config.get(f"data.{trained.part}.project.root") or "")
    task = Path(project).name.partition("-")[0]
    run = source.resolve().parent.name
    backbone = trained.config.get("model.backbone") or {}
    match = _SNAPSHOT.fullmatch(source.stem)
    epoch = "_".join(filter(None, match.groups())) if match else _plain(source.stem)
    return f"DLC_{_backbone(backbone)}_{_plain(task)}{_camel(run)}_snapshot_{epoch}"


def _backbone(options: Any) -> str:
    """Return a backbone's name with its size, such as ``Resnet50`` or ``HrnetW32``."""
    name = re.split(r"[/:.]", str(options.get("type", "model")))[-1].capitalize()
    width = f"W{options['width']}" if "width" in options else ""
    size = width or options.get("depth") or options.get("variant") or ""
    return _plain(f"{name}{size}")


def _camel(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", text))


def _plain(text: str) -> str:
    """Return a text without what file names and DeepLabCut's headers do not bear."""
    return re.sub(r"[\W_]+", "", text)
