"""Which image is in which part, and how that is kept."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcreg.data.split import Split, random_split
from dlcreg.errors import DataError

NAMES = [f"labeled-data/v{i % 3}/img{i:03d}.png" for i in range(50)]


@given(
    count=st.integers(3, 60),
    fraction=st.floats(0.05, 1.0),
    val=st.floats(0, 0.9),
    seed=st.integers(0, 2**40),
)
def test_every_image_is_in_exactly_one_part_and_no_wanted_part_is_empty(count, fraction, val, seed):
    names = [f"img{i}" for i in range(count)]
    split = random_split(names, fraction, seed, val)
    assert sorted(split.train + split.val + split.test) == sorted(names)
    assert split.train
    assert bool(split.val) == (val > 0)
    assert bool(split.test) == (fraction < 1)
    assert split == random_split(names, fraction, seed, val)


def test_validation_images_come_out_of_the_training_part_alone():
    plain, with_val = (random_split(NAMES, 0.8, seed=3, val_fraction=v) for v in (0.0, 0.25))
    assert plain.test == with_val.test
    assert len(plain.train) == 40
    assert set(with_val.train) | set(with_val.val) == set(plain.train)
    assert len(with_val.val) == 10


def test_another_seed_gives_another_split():
    assert random_split(NAMES, 0.8, seed=1) != random_split(NAMES, 0.8, seed=2)


def test_a_split_by_video_keeps_videos_together(demo):
    split = demo.train_test_split(0.5, by="video")
    assert {name.split("/")[1] for name in split.train} == {"arena1"} or {
        name.split("/")[1] for name in split.train
    } == {"arena2"}
    assert len({name.split("/")[1] for name in split.test}) == 1
    with pytest.raises(DataError, match="2 videos cannot be divided into 3 parts"):
        demo.train_test_split(0.5, val_fraction=0.5, by="video")


def test_the_default_fraction_is_the_projects_own(openfield):
    split = openfield.train_test_split()
    assert (len(split.train), len(split.val), len(split.test)) == (110, 0, 6)
    assert split == openfield.train_test_split()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_fraction": 0}, "train_fraction must be above 0 and at most 1, not 0"),
        ({"train_fraction": 1.5}, "train_fraction must be above 0 and at most 1, not 1.5"),
        ({"val_fraction": 1}, "val_fraction must be at least 0 and below 1, not 1"),
        ({"by": "mouse"}, "by must be 'image' or 'video', not 'mouse'"),
    ],
)
def test_impossible_fractions_are_refused(demo, options, message):
    with pytest.raises(DataError) as caught:
        demo.train_test_split(**options)
    assert str(caught.value) == message


def test_the_shared_split_fits_the_project(shared, openfield):
    split = Split.load(shared / "data" / "splits" / "openfield_80.json")
    assert (len(split.train), len(split.val), len(split.test)) == (92, 0, 24)
    assert set(split.train) | set(split.test) == set(openfield.images)


def test_a_saved_split_is_loaded_as_it_was(tmp_path):
    split = random_split(NAMES, 0.8, val_fraction=0.1, project="p")
    split.save(tmp_path / "deep" / "split.json")
    assert Split.load(tmp_path / "deep" / "split.json") == split


def test_a_split_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "split.json"
    old = Split(("a",), (), ("b",))
    old.save(path)

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(Exception, match="No space left on device"):
        Split(("c",)).save(path)
    assert Split.load(path) == old
    assert [file.name for file in tmp_path.iterdir()] == ["split.json"]


def test_names_written_on_windows_are_the_same_names():
    assert Split(("labeled-data\\v\\a.png",)).train == ("labeled-data/v/a.png",)


def test_an_image_in_two_parts_is_refused():
    with pytest.raises(DataError, match="the split has a in train and in test"):
        Split(("a", "b"), (), ("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is no split: it needs a list of image names under 'train'"),
        ('{"train": ["a"], "tset": ["b"]}', "a split has no 'tset'. Did you mean 'test'?"),
        ('{"train": [1]}', "'train' must be a list of image names"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, text, message):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        Split.load(path)
    assert message in str(caught.value)


def test_a_missing_split_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no split file .*none\.json"):
        Split.load(tmp_path / "none.json")


# -- DeepLabCut's own files --------------------------------------------------------------------


def deeplabcut_split(folder, names, train, test, protocol=4):
    folder.mkdir(exist_ok=True)
    rows = pd.MultiIndex.from_tuples([tuple(name.split("/")) for name in names])
    columns = pd.MultiIndex.from_product(
        [["s"], ["nose"], ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    frame = pd.DataFrame(np.ones((len(names), 2)), index=rows, columns=columns)
    frame.to_hdf(folder / "CollectedData_s.h5", key="df_with_missing", mode="w")
    data = [
        {"image": tuple(names[i].split("/")), "size": (3, 4, 5), "joints": np.ones((1, 3), int)}
        for i in train
    ]
    path = folder / "Documentation_data-x_80shuffle1.pickle"
    content = [data, np.array([*train, -1]), np.array(test), 0.8]
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [4, 5])
def test_deeplabcuts_split_is_read_by_name_without_its_padding(tmp_path, protocol):
    path = deeplabcut_split(tmp_path / "Unaugmented", NAMES[:6], [5, 0, 2], [1, 3, 4], protocol)
    split = Split.load(path)
    assert split.train == (NAMES[5], NAMES[0], NAMES[2])
    assert split.test == (NAMES[1], NAMES[3], NAMES[4])


def test_a_split_whose_table_was_rewritten_is_refused(tmp_path):
    folder = tmp_path / "Unaugmented"
    path = deeplabcut_split(folder, NAMES[:6], [0, 1], [2])
    kept = path.read_bytes()
    deeplabcut_split(folder, ["labeled-data/a/new.png", *NAMES[:6]], [0], [1])
    path.write_bytes(kept)
    with pytest.raises(DataError, match="The table was rewritten after the split was made"):
        Split.load(path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "Documentation_data-evil.pickle"
    path.write_bytes(pickle.dumps([[Evil()], [0], [1], 0.5]))
    with pytest.raises(DataError, match=r"it asks for posix\.system, which no split needs"):
        Split.load(path)
    assert not (tmp_path / "ran").exists()
