"""The registries: each a root of its own, filled by decorators and by entry points.

```python
from dlcreg import HEADS
from dlcreg.contracts import Head

@HEADS.register_module()
class MyHead(Head): ...
```

`Registry.get` takes what a config may write as ``type=``: a bare name, ``'package/Name'``,
``'module.path:Name'`` or a class.
"""

from dlcreg.registry.listing import Listed
from dlcreg.registry.part import Part, target_of
from dlcreg.registry.registry import REGISTRIES, Registry


def _contract(name: str, cls: str, kind: str) -> Registry:
    return Registry(name, f"dlcreg.contracts:{cls}", kind)


MODELS = Registry("models", "torch.nn:Module", "model")
BACKBONES = _contract("backbones", "Backbone", "backbone")
NECKS = _contract("necks", "Neck", "neck")
HEADS = _contract("heads", "Head", "head")
CONDITION_ENCODERS = _contract("condition_encoders", "ConditionEncoder", "condition encoder")
CODECS = _contract("codecs", "Codec", "codec")
LOSSES = _contract("losses", "Loss", "loss")
OPTIMIZERS = Registry("optimizers", "torch.optim:Optimizer", "optimizer", library="torch.optim")
SCHEDULERS = Registry(
    "schedulers",
    "mmengine.optim:_ParamScheduler",
    "scheduler",
    library="mmengine.optim.scheduler",
    foreign="mmengine.registry:PARAM_SCHEDULERS",
)
HOOKS = Registry(
    "hooks",
    "mmengine.hooks:Hook",
    "hook",
    library="mmengine.hooks",
    foreign="mmengine.registry:HOOKS",
)
TRANSFORMS = _contract("transforms", "Transform", "transform")
DATASETS = _contract("datasets", "Dataset", "data set")
METRICS = _contract("metrics", "Metric", "metric")
DETECTORS = _contract("detectors", "Detector", "detector")
READERS = _contract("readers", "Reader", "reader")
TRACKERS = _contract("trackers", "Tracker", "tracker")
WRITERS = _contract("writers", "Writer", "writer")

REGISTRIES.update(
    (registry.name, registry)
    for registry in (
        MODELS,
        BACKBONES,
        CONDITION_ENCODERS,
        NECKS,
        HEADS,
        CODECS,
        LOSSES,
        OPTIMIZERS,
        SCHEDULERS,
        HOOKS,
        TRANSFORMS,
        DATASETS,
        METRICS,
        DETECTORS,
        READERS,
        TRACKERS,
        WRITERS,
    )
)

__all__ = [
    "BACKBONES",
    "CODECS",
    "CONDITION_ENCODERS",
    "DATASETS",
    "DETECTORS",
    "HEADS",
    "HOOKS",
    "LOSSES",
    "METRICS",
    "MODELS",
    "NECKS",
    "OPTIMIZERS",
    "READERS",
    "REGISTRIES",
    "SCHEDULERS",
    "TRACKERS",
    "TRANSFORMS",
    "WRITERS",
    "Listed",
    "Part",
    "Registry",
    "target_of",
]
