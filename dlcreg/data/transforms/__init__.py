"""Steps of the data pipeline."""

from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.data.transforms.warp import GeometricTransform, Warp

__all__ = ["GeometricTransform", "Pipeline", "Warp"]
