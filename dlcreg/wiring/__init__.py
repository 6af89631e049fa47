"""Building by parameter name: what a config leaves out comes from the parts around."""

from dlcreg.wiring.construct import construct
from dlcreg.wiring.provenance import parts_of

__all__ = ["construct", "parts_of"]
