"""Poses of frames become the rows of a recording."""

from __future__ import annotations

import numpy as np
import torch

from dlcreg.analysis.rows import Rows, errors_of, recording_of
from dlcreg.structures import DatasetInfo, Poses

INFO = DatasetInfo(("a", "b"), num_individuals=2, unique=DatasetInfo(("light",)))


def poses(*animals, unique=None):
    """Animals as (x, score); the second key point of each is not found."""
    count = len(animals)
    points = torch.full((1, count, 2, 2), torch.nan)
    scores = torch.zeros(1, count, 2)
    for row, (x, score) in enumerate(animals):
        points[0, row, 0], scores[0, row, 0] = x, score
    found = None
    if unique is not None:
        at = torch.full((1, 1, 1, 2), float(unique))
        one = torch.ones(1, 1)
        found = Poses(at, torch.ones(1, 1, 1), one, one > 0)
    return Poses(
        *(points, scores, scores.mean(dim=-1), torch.ones(1, count, dtype=torch.bool)),
        identities=torch.arange(count)[None],
        unique=found,
    )


def nobody(rows=0):
    empty = poses(*[(0, 0)] * rows)
    empty.valid[:] = False
    empty.identities = None
    return empty


def test_frames_keep_their_place_their_animals_and_what_was_wrong():
    rows, chunks = Rows(INFO, (100, 10)), []
    rows.add(poses((1, 0.5), (2, 0.7), (3, 0.9), unique=4), 0.0)
    rows.add(nobody(2), 0.1, "it is damaged")
    chunks.append(rows.take())
    assert len(rows) == 0
    rows.add(nobody(), 0.2)
    chunks.append(rows.take())
    rows.add(poses((5, 0.25)), 0.3)
    chunks.append(rows.take())

    found = recording_of(chunks, 4, INFO, scorer="me")
    assert found.keypoints.shape == (4, 3, 2, 2)  # more animals than the data had
    assert found.keypoints[0, :, 0, 0].tolist() == [101, 102, 103]
    assert found.keypoints[3, 0, 0].tolist() == [105, 15]
    assert found.valid.sum(axis=1).tolist() == [3, 0, 0, 1]
    assert found.scores[3].tolist() == [[0.25, 0], [0, 0], [0, 0]]
    assert np.isnan(found.keypoints[1:3]).all()
    assert found.identities.tolist() == [[0, 1, 2], [-1] * 3, [-1] * 3, [0, -1, -1]]
    assert found.readable.tolist() == [True, False, True, True]
    assert found.times.tolist() == [0.0, 0.1, 0.2, 0.3]
    assert found.unique[0].tolist() == [[104, 14, 1]]
    assert np.isnan(found.unique[1:, :, :2]).all()
    assert [e for chunk in chunks for e in errors_of(chunk)] == ["", "it is damaged", "", ""]


def test_a_video_without_a_single_animal_is_a_recording_too():
    rows = Rows(DatasetInfo(("a", "b")))
    rows.add(nobody(), 0.0)
    found = recording_of([rows.take()], 1, rows.info)
    assert found.keypoints.shape == (1, 1, 2, 2)
    assert np.isnan(found.keypoints).all()
