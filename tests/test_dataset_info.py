"""What data tells of itself comes back from a checkpoint as it was."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from dlcreg.structures import DatasetInfo

ANIMALS = DatasetInfo(("nose", "tail"), skeleton=((0, 1),), num_individuals=2)
CORNERS = DatasetInfo(("left_corner", "right_corner"), flip_pairs=((0, 1),))


@pytest.mark.parametrize("unique", [None, CORNERS])
@pytest.mark.parametrize("kept", [dict, lambda values: json.loads(json.dumps(values))])
def test_what_data_tells_survives_being_a_dict_or_json(unique, kept):
    info = DatasetInfo(**{**asdict(ANIMALS), "unique": unique})
    again = DatasetInfo.from_dict(kept(asdict(info)))
    assert again == info
    assert again.wiring() == info.wiring()
