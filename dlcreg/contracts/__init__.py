"""The contracts: one small base class for each kind of part. Built-ins and plug-ins use the same.

A part is a class that derives from one of these, is registered under its class name and is named
in a config. Its signature is its schema; the parameters ``in_channels``, ``in_strides``,
``input_size``, ``num_keypoints``, ``num_individuals``, ``skeleton``, ``flip_pairs``,
``keypoint_names``, ``individuals`` (names of animals that are the same in all images; empty where
nobody knows who is who), ``num_unique_keypoints``, ``unique_keypoint_names`` and
``unique_flip_pairs`` are wired, that is filled in from the part before it or from the data set when
the config says nothing.
"""

from dlcreg.contracts.abilities import (
    BringsHooks,
    HasBranches,
    HasLayers,
    HasProposedPoses,
    MirrorsCondition,
    ShowsAttention,
    WiresInside,
)
from dlcreg.contracts.analysis import Tracker, Writer
from dlcreg.contracts.codec import Codec, CompletingCodec
from dlcreg.contracts.condition import ConditionEncoder
from dlcreg.contracts.data import Dataset, Transform
from dlcreg.contracts.detector import Detector
from dlcreg.contracts.features import Backbone, Neck
from dlcreg.contracts.head import Head
from dlcreg.contracts.loss import Loss
from dlcreg.contracts.metric import Metric
from dlcreg.contracts.types import Outcomes, Size, Targets
from dlcreg.contracts.video import Reader, VideoFrame

__all__ = [
    "Backbone",
    "BringsHooks",
    "Codec",
    "CompletingCodec",
    "ConditionEncoder",
    "Dataset",
    "Detector",
    "HasBranches",
    "HasLayers",
    "HasProposedPoses",
    "Head",
    "Loss",
    "Metric",
    "MirrorsCondition",
    "Neck",
    "Outcomes",
    "Reader",
    "ShowsAttention",
    "Size",
    "Targets",
    "Tracker",
    "Transform",
    "VideoFrame",
    "WiresInside",
    "Writer",
]
