"""`dlcreg import-deeplabcut`: a model of DeepLabCut 3 as a checkpoint that predicts the same."""

from __future__ import annotations

import argparse
from typing import Any

_EXAMPLES = """\
examples:
  dlcreg import-deeplabcut dlc-models-pytorch/iteration-0/mouseJan1-trainset95shuffle1
  dlcreg import-deeplabcut --project mouse-me-2026-01-01 --shuffle 2 --out mouse.pth
  dlcreg import-deeplabcut exported-models-pytorch/DLC_mouse_.../DLC_mouse_..._snapshot-best-190.pt
"""


def add_parser(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "import-deeplabcut",
        help="a model of DeepLabCut 3 as a checkpoint",
        description="Turn a model that DeepLabCut 3 (PyTorch) has trained into a checkpoint that "
        "predicts the same, and write its config beside it. Nothing is changed in its folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="MODEL", nargs="?",
        help="a model folder, a snapshot in it, or a file of exported-models-pytorch",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE.pth", help="checkpoint to write; DeepLabCut's scorer by default"
    )
    parser.add_argument("--project", metavar="DIR", help="DeepLabCut project, in place of MODEL")
    parser.add_argument(
        "--shuffle", metavar="N", type=int, default=1, help="with --project: which shuffle; 1"
    )
    parser.add_argument(
        "--trainingset-index", metavar="I", type=int, default=0,
        help="with --project: which of its TrainingFraction; 0",
    )  # fmt: skip
    parser.add_argument(
        "--modelprefix", metavar="NAME", default="", help="with --project: folder of its models"
    )
    parser.add_argument(
        "--snapshot", metavar="S",
        help="name, epochs (190, best-190), best, or index as DeepLabCut counts; by default the "
        "best one, or the last where none is the best",
    )  # fmt: skip
    parser.add_argument("--detector-snapshot", metavar="S", help="likewise, of the detector")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import, and print what it was and what can be done with it."""
    from dlcreg.apis.deeplabcut import import_deeplabcut

    found = import_deeplabcut(
        args.model,
        args.out,
        project=args.project,
        shuffle=args.shuffle,
        trainingset_index=args.trainingset_index,
        modelprefix=args.modelprefix,
        snapshot=args.snapshot,
        detector_snapshot=args.detector_snapshot,
    )
    _print(found)
    return 0


_METHODS = {"bu": "whole images", "td": "one animal at a time", "ctd": "poses that are known"}


def _print(found: Any) -> None:
    info = found.info
    measured = [f"{name} {value:g}" for name, value in found.measured.items() if value == value]
    rows = {
        "network": f"{found.net_type}, which sees {_METHODS[found.method]}",
        "keypoints": f"{info.num_keypoints}: {', '.join(info.keypoint_names)}",
        "animals": f"{len(info.individuals)}: {', '.join(info.individuals)}",
        "unique parts": ", ".join(info.unique.keypoint_names) if info.unique else "",
        "heads": ", ".join(found.heads),
        "snapshot": found.source,
        "epoch": "" if found.epoch is None else str(found.epoch),
        "measured": ", ".join(measured),
        "scorer": found.scorer,
    }
    width = max(map(len, rows)) + 1
    for name, value in rows.items():
        if value:
            print(f"{name + ':':{width}} {value}")
    for note in found.notes:
        print(f"note: {note}")
    print(f"\ncheckpoint: {found.checkpoint}")
    print(f"config:     {found.checkpoint.with_suffix('.py')}")
    if found.detector is not None:
        print(f"detector:   {found.detector}")
    print("\nnext:")
    for line in _next(found):
        print(f"  {line}")


def _next(found: Any) -> list[str]:
    """Return what can be done with what was imported."""
    checkpoint, more = found.checkpoint, ""
    lines = []
    if found.method != "bu":
        boxes = found.detector or ("CONDITIONS.pth" if found.method == "ctd" else "DETECTOR.pth")
        more = f" --proposals {boxes}"
    if found.method == "ctd":
        whose = f" ({found.conditions})" if found.conditions else ""
        lines.append(f"dlcreg import-deeplabcut ... --out CONDITIONS.pth   # its conditions{whose}")
    project = f" --project {found.project}" if found.project is not None else " --project DIR"
    config = checkpoint.with_suffix(".py")
    return [
        *lines,
        f"dlcreg predict {checkpoint} IMAGES{more}",
        f"dlcreg analyze {checkpoint} VIDEOS{more}",
        f"dlcreg test {checkpoint}{project}{more}",
        f"dlcreg train {config}{project} --weights {checkpoint}   # learn on from here",
    ]
