"""Animals are followed by their last poses, and keep their rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dots import crossing, drawn, saved

from dlcreg import Predictor
from dlcreg.errors import DataError
from dlcreg.inference.tracking import Tracks, as_proposals
from dlcreg.structures import DatasetInfo


@pytest.fixture(scope="module")
def follower(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("follower") / "model.pth", "NearestDots", "instance")


class Finder:
    """Knows where the animals are, tells it in another order every time, and counts the looks."""

    def __init__(self, animals):
        self.animals, self.looks = animals, []

    def __call__(self, image, meta):
        self.looks.append(meta.index)
        found = self.animals(meta.index)
        poses = np.array(found, np.float32).reshape(-1, 2, 2) + 1.5
        if meta.index % 2:
            poses = poses[::-1]
        scores = np.ones((len(poses), 2, 1), np.float32)
        return as_proposals(np.concatenate([poses, scores], axis=-1))


def tracked(follower, animals, frames, shown=None, **settings):
    finder = Finder(animals)
    predictor = Predictor(follower, finder, device="cpu", batch_size=2)
    images = (drawn((shown or animals)(frame)) for frame in range(frames))
    found = [poses for _, poses in predictor.track(images, 2, **settings)]
    return found, finder.looks


def test_animals_that_cross_stay_who_they_are(follower):
    found, looks = tracked(follower, crossing, 40)
    assert looks == [0]  # the other model was asked but once
    for frame, poses in enumerate(found):
        assert poses.valid.all()
        assert poses.identities.tolist() == [[0, 1]]
        expected = torch.tensor(crossing(frame), dtype=torch.float32)
        assert (poses.keypoints[0] - expected).norm(dim=-1).max() < 0.5


def test_an_animal_that_comes_back_has_its_row_again(follower):
    def hidden(frame):  # the first one is hidden for a while
        return crossing(frame)[1:] if 5 <= frame < 12 else crossing(frame)

    found, looks = tracked(follower, hidden, 20, every=4)
    assert [poses.valid[0].tolist() for poses in found[5:12]] == [[False, True]] * 7
    assert found[6].keypoints[0, 0].isnan().all()
    assert found[6].identities.tolist() == [[-1, 1]]
    # in the first frame, in the one after the loss, and in every fourth from then on
    assert looks == [0, 6, 10, 14]
    assert found[14].valid.all()
    head = torch.tensor(crossing(14)[0][0], dtype=torch.float32)
    assert (found[14].keypoints[0, 0, 0] - head).norm() < 0.5


def test_of_two_tracks_on_one_animal_the_older_one_stays():
    tracks = Tracks(2, DatasetInfo(("head", "tail")))

    def at(x):
        return np.array([[x, 10, 1], [x + 20, 10, 1]], np.float32)

    tracks.update([-1], np.stack([at(10)]))
    tracks.update([0, -1], np.stack([at(10), at(70)]))
    assert tracks.rows.tolist() == [0, 1]
    tracks.update([0, 1], np.stack([at(40), at(40.5)]))
    assert tracks.rows.tolist() == [0]
    assert tracks.has_free_row


def test_an_image_that_cannot_be_read_interrupts_no_track(follower, tmp_path):
    predictor = Predictor(follower, Finder(crossing), device="cpu")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    images = [drawn(crossing(0)), tmp_path / "torn.png", drawn(crossing(1))]
    with pytest.raises(DataError):
        list(predictor.track(images, 2))
    found = [poses for _, poses in predictor.track(images, 2, on_error="nan")]
    assert [poses.valid[0].tolist() for poses in found] == [[True] * 2, [False] * 2, [True] * 2]


def test_what_cannot_be_followed_is_refused(follower, single, top_down):
    predictor = Predictor(follower, Finder(crossing))
    with pytest.raises(ValueError, match="give max_animals"):
        predictor.track([])
    with pytest.raises(ValueError, match="max_animals=0"):
        predictor.track([], 0)
    with pytest.raises(ValueError, match=r"new=1\.5"):
        predictor.track([], 2, new=1.5)
    with pytest.raises(DataError, match="looks at no condition"):
        Predictor(top_down, Finder(crossing)).track([], 2)


def test_a_model_that_looks_at_poses_takes_no_boxes_alone(follower):
    predictor = Predictor(follower, lambda image, meta: [[10, 10, 30, 30]])
    with pytest.raises(DataError, match=r"poses of 2 keypoints, and the proposals .* none"):
        predictor(drawn(crossing(0)))
    with pytest.raises(DataError, match="sees the pose of an animal"):
        Predictor(follower)
