"""Signatures as schema: what a component takes, and what is wrong with a config of it."""

from dlcreg.schema.annotations import shape_of
from dlcreg.schema.check import WIRED, Checker
from dlcreg.schema.marks import Deferred, Foreign
from dlcreg.schema.shapes import Shape
from dlcreg.schema.signature import REQUIRED, Parameter, Signature, signature_of

__all__ = [
    "REQUIRED",
    "WIRED",
    "Checker",
    "Deferred",
    "Foreign",
    "Parameter",
    "Shape",
    "Signature",
    "shape_of",
    "signature_of",
]
