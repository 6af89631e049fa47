"""Whether this installation is sound: what is there, what is wrong with it, how to mend it."""

from dlcreg.doctor.examine import Report, examine
from dlcreg.doctor.findings import Finding

__all__ = ["Finding", "Report", "examine"]
