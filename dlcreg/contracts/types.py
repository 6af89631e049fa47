"""Types that several contracts speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from dlcreg.structures import Instances

Size = tuple[int, int]
"""Height and width, in pixels or in cells of a map."""

Targets = dict[str, tuple[Tensor, Tensor]]
"""Target and weight by output name; each weight broadcasts to its target."""

Outcomes = Iterable[tuple[Mapping[str, Tensor], Instances]]
"""For each batch, the outputs of a head and the labels, both as its codec takes them."""
