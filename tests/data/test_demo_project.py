"""The generated project: deterministic, readable by others, and what it says it is."""

from __future__ import annotations

import av
import numpy as np
import pandas as pd
import pytest
import tables

from dlcreg.data.demo import BODYPARTS, generate
from dlcreg.data.project import Project
from dlcreg.errors import DataError


def test_the_same_seed_gives_the_same_files(tmp_path):
    first, second, other = (
        generate(tmp_path / name, frames=4, size=(64, 80), seed=seed, video=False)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    def pictures(root):
        return [path.read_bytes() for path in sorted(root.rglob("*.png"))]

    assert len(pictures(first)) == 4
    assert pictures(first) == pictures(second) != pictures(other)
    np.testing.assert_array_equal(Project(first).keypoints, Project(second).keypoints)


def test_it_is_a_project_with_two_arenas(demo):
    assert demo.bodyparts == BODYPARTS
    assert demo.videos == ("arena1", "arena2")
    assert len(demo.labelled) == len(demo.images) == 20
    assert not demo.multianimal
    assert demo.scorer == "dlcreg"


def test_some_points_of_many_animals_are_hidden_and_most_are_not(herd):
    assert herd.individuals == ("animal1", "animal2", "animal3")
    labelled = np.isfinite(herd.keypoints).all(-1)
    assert 0.7 < labelled.mean() < 1


def test_labels_lie_on_the_animal(demo):
    from dlcreg.data.images import read_image

    bodies = []
    for name, points in zip(demo.images, demo.keypoints[:, 0], strict=True):
        x, y = np.rint(points[BODYPARTS.index("spine")]).astype(int)
        image = read_image(demo.path(name)).mean(axis=2)
        bodies.append(image[y, x] - np.median(image))
    assert max(bodies) < -40  # the animal is darker than the ground


def test_the_video_can_be_decoded(tmp_path):
    root = generate(tmp_path / "p", frames=2, size=(64, 80))
    with av.open(str(root / "videos" / "arena1.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 60
    assert frames[0].shape == (64, 80, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 40


def test_tables_are_marked_for_older_versions_of_pandas(demo):
    path = demo.root / "labeled-data" / "arena1" / "CollectedData_dlcreg.h5"
    with tables.open_file(path) as file:
        assert file.root.df_with_missing._v_attrs.pandas_version == "0.15.2"
    frame = pd.read_hdf(path)
    assert frame.columns.names == ["scorer", "bodyparts", "coords"]
    assert frame.index[0] == ("labeled-data", "arena1", "img0000.png")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty; generate the demo project somewhere else"):
        generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("options", [{"frames": 1}, {"animals": 0}, {"size": (32, 200)}])
def test_impossible_arguments_are_refused(tmp_path, options):
    with pytest.raises(DataError, match="needs frames >= 2, animals >= 1 and size"):
        generate(tmp_path / "p", **options)
