"""Configs checked as a whole, and built."""

from dlcreg.builder.build import (
    Graph,
    build,
    build_data,
    build_dataset,
    build_evaluation,
    build_model,
    build_solver,
    check,
    examine,
)
from dlcreg.builder.filled import filled

__all__ = [
    "Graph",
    "build",
    "build_data",
    "build_dataset",
    "build_evaluation",
    "build_model",
    "build_solver",
    "check",
    "examine",
    "filled",
]
