"""DeepLabCut's h5 and csv tables: what others read in them, and what we read back."""

import json
import os

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import assert_same, plain, recording, single

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.errors import DataError, DlcregError
from dlcreg.structures import DatasetInfo

NOT_IN_CSV = ("instance_scores", "boxes", "identities", "identity_scores", "times", "readable")
KINDS = {
    "several": recording,
    "tracked": lambda: recording(tracked=True),
    "single": single,
    "no frame": lambda: recording(frames=0),
    "one frame": lambda: recording(frames=1),
    "no animal": lambda: recording(rows=0, unique=0),
}


def _written(values, path):
    build_writer(path.suffix[1:]).write(values, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_h5_gives_everything_back_to_the_last_bit(kind, tmp_path):
    values = KINDS[kind]()
    assert_same(read_recording(_written(values, tmp_path / "a.h5")), values)


@pytest.mark.parametrize("kind", KINDS)
def test_csv_gives_poses_and_names_back_to_the_last_bit(kind, tmp_path):
    values = KINDS[kind]()
    assert_same(read_recording(_written(values, tmp_path / "a.csv")), values, *NOT_IN_CSV)


@settings(max_examples=15)
@given(
    arrays.arrays(
        np.float32,
        (8, 1, 6, 2),
        elements=st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=True),
    )
)
def test_any_float_survives_csv(tmp_path_factory, keypoints):
    values = plain(single(frames=8, parts=6))
    values.keypoints, values.scores = keypoints, np.abs(keypoints[..., 0])
    path = _written(values, tmp_path_factory.mktemp("floats") / "a.csv")
    found = read_recording(path)
    np.testing.assert_array_equal(found.keypoints, values.keypoints)
    np.testing.assert_array_equal(found.scores, values.scores)


def test_csv_has_no_digits_without_meaning(tmp_path):
    values = plain(single(frames=1, parts=1))
    values.keypoints[:] = np.float32(0.1)
    values.scores[:] = np.float32(0.9)
    last = _written(values, tmp_path / "a.csv").read_text().splitlines()[-1]
    assert last == "0,0.1,0.1,0.9"


def test_a_single_animal_has_three_levels_and_no_name(tmp_path):
    values = single()
    for suffix in ("h5", "csv"):
        _written(values, tmp_path / f"a.{suffix}")
    h5 = pd.read_hdf(tmp_path / "a.h5")
    csv = pd.read_csv(tmp_path / "a.csv", header=[0, 1, 2], index_col=0)
    for frame in (h5, csv):
        assert list(frame.columns.names) == ["scorer", "bodyparts", "coords"]
        assert list(frame.index) == list(range(len(values)))
    pd.testing.assert_frame_equal(
        csv.astype(np.float32), h5, check_column_type=False, check_index_type=False
    )
    expected = np.concatenate([values.keypoints, values.scores[..., None]], -1)
    expected[~values.valid] = np.nan
    np.testing.assert_array_equal(h5.to_numpy(), expected.reshape(len(values), -1))


def test_several_animals_have_their_names_and_unique_parts_are_single(tmp_path):
    values = recording()
    frame = pd.read_hdf(_written(values, tmp_path / "a.h5"), "df_with_missing")
    assert list(frame.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    bob = frame[values.scorer]["bob"]["part 1"]
    np.testing.assert_array_equal(bob[["x", "y"]].to_numpy(), values.keypoints[:, 1, 1])
    corner = frame[values.scorer]["single"]["corner1"].to_numpy()
    np.testing.assert_array_equal(corner[values.readable], values.unique[values.readable, 1])
    assert frame.loc[3].isna().all()  # the frame that could not be read


def test_tracks_have_the_key_of_tracks(tmp_path):
    path = _written(recording(tracked=True), tmp_path / "a_el.h5")
    assert len(pd.read_hdf(path, "tracks")) == 7
    with pytest.raises(KeyError):
        pd.read_hdf(path, "df_with_missing")


def test_every_animal_of_the_project_has_columns_and_further_rows_get_names(tmp_path):
    few = recording(rows=1, unique=0, identities=None, identity_scores=None)
    few.individuals = ("anna", "bob")
    frame = pd.read_hdf(_written(few, tmp_path / "few.h5"))
    assert list(frame.columns.unique("individuals")) == ["anna", "bob"]
    assert frame[few.scorer]["bob"].isna().all(axis=None)
    assert_same(read_recording(tmp_path / "few.h5"), few)
    many = recording(rows=4)
    frame = pd.read_hdf(_written(many, tmp_path / "many.h5"))
    names = [*many.individuals, "individual3", "individual4", "single"]
    assert list(frame.columns.unique("individuals")) == names
    assert_same(read_recording(tmp_path / "many.h5"), many)


def test_files_say_what_made_them(tmp_path):
    values = recording()
    _written(values, tmp_path / "a.csv")
    beside = json.loads((tmp_path / "a.csv-metadata.json").read_text())
    assert beside["url"] == "a.csv"
    assert beside["dlcreg"]["provenance"] == values.provenance
    assert read_recording(_written(values, tmp_path / "a.h5")).provenance == values.provenance


def test_a_csv_that_was_edited_is_read_without_what_was_said_of_the_old_one(tmp_path):
    path = _written(recording(), tmp_path / "a.csv")
    path.write_text(path.read_text().replace("part 0", "nose"))
    found = read_recording(path)
    assert found.info.keypoint_names == ("nose", "part 1", "part 2")
    assert not found.provenance


@pytest.mark.parametrize("suffix", ["h5", "csv"])
def test_the_same_recording_gives_the_same_bytes(suffix, tmp_path):
    one = _written(recording(), tmp_path / f"a.{suffix}").read_bytes()
    os.utime(tmp_path / f"a.{suffix}", (0, 0))
    assert _written(recording(), tmp_path / f"a.{suffix}").read_bytes() == one


def test_h5_is_laid_out_as_pandas_2_does(tmp_path):
    import tables

    frame = pd.DataFrame(
        np.zeros((3, 6), np.float32),
        columns=pd.MultiIndex.from_product(
            [["S"], ["part 0", "part 1"], ["x", "y", "likelihood"]],
            names=["scorer", "bodyparts", "coords"],
        ),
    )
    frame.to_hdf(tmp_path / "pandas.h5", key="df_with_missing", format="table")
    _written(single(frames=3, parts=2, scorer="S"), tmp_path / "ours.h5")
    changed = {"pandas_version", "nan_rep", "data_col_nan_rep", "mi_level_nan_rep"}  # since 3.1
    with (
        tables.open_file(tmp_path / "pandas.h5") as theirs,
        tables.open_file(tmp_path / "ours.h5") as ours,
    ):
        assert ours.root.df_with_missing._v_attrs.pandas_version == "0.15.2"
        for node in ("/df_with_missing", "/df_with_missing/table"):
            one, two = theirs.get_node(node)._v_attrs, ours.get_node(node)._v_attrs
            for name in set(one._f_list("all")) - changed:
                assert repr(one[name]) == repr(two[name]), f"{node} {name}"
        table = "/df_with_missing/table"
        assert theirs.get_node(table).dtype == ours.get_node(table).dtype


def test_too_many_columns_are_refused_and_nothing_is_written(tmp_path):
    values = recording(frames=1, rows=40, parts=40, unique=0, identity_scores=None)
    with pytest.raises(DlcregError, match="cannot hold 4800 columns"):
        _written(values, tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_an_animal_called_single_is_refused(tmp_path):
    values = recording()
    values.individuals = ("anna", "single")
    for suffix in ("h5", "csv"):
        with pytest.raises(DlcregError, match="no individual can be called 'single'"):
            _written(values, tmp_path / f"a.{suffix}")
    assert not list(tmp_path.iterdir())


# -- files of others ---------------------------------------------------------------------------


def _frame(values, scorer="DLC_X", individuals=("i0", "i1"), coords=("x", "y", "likelihood")):
    columns = pd.MultiIndex.from_product(
        [[scorer], list(individuals), ["nose", "tail"], list(coords)],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    return pd.DataFrame(values, columns=columns)


def test_minus_one_is_missing(tmp_path):
    values = np.full((2, 12), -1, np.float32)
    values[0, :6] = [-0.5, 2, 0.9, 3, -4, 0.8]
    _frame(values).to_hdf(tmp_path / "a.h5", key="df_with_missing", format="table")
    found = read_recording(tmp_path / "a.h5")
    np.testing.assert_array_equal(found.keypoints[0, 0], [[-0.5, 2], [3, -4]])
    assert np.isnan(found.keypoints[0, 1]).all()
    assert np.isnan(found.keypoints[1]).all()
    assert not found.scores[1].any()
    assert found.instance_scores[0, 0] == pytest.approx(0.85)
    assert not found.tracked


@pytest.mark.parametrize(
    ("name", "key", "tracked"),
    [
        ("clipDLC_X_el", "tracks", True),
        ("anything", "tracks", True),
        ("clipDLC_X_el_filtered", "df_with_missing", True),
        ("clipDLC_X", "df_with_missing", False),
    ],
)
def test_tracks_are_known_by_their_key_or_name(name, key, tracked, tmp_path):
    frame = _frame(np.ones((3, 12)))
    frame.to_hdf(tmp_path / f"{name}.h5", key=key, format="table")
    assert read_recording(tmp_path / f"{name}.h5").tracked == tracked
    assert read_recording(tmp_path / f"{name}.h5", tracked=not tracked).tracked != tracked


def test_frames_that_the_index_leaves_out_were_not_readable(tmp_path):
    frame = _frame(np.ones((2, 12)))
    frame.index = [1, 3]
    frame.to_csv(tmp_path / "a.csv")
    found = read_recording(tmp_path / "a.csv")
    assert found.readable.tolist() == [False, True, False, True]
    assert found.valid[:, 0].tolist() == [False, True, False, True]


def test_labels_of_a_project_are_read(shared, tmp_path):
    folder = shared / "data/openfield-Pranav-2018-10-30/labeled-data/m4s1"
    for suffix in ("h5", "csv"):
        found = read_recording(next(folder.glob(f"CollectedData_*.{suffix}")))
        assert found.keypoints.shape[1:] == (1, 4, 2)
        assert len(found.provenance["images"]) == len(found) > 100
        assert found.provenance["images"][0].startswith("labeled-data/m4s1/img")
        assert set(np.unique(found.scores)) <= {0, 1}


def test_the_tracks_of_the_flies_are_read(shared):
    path = shared / "data/flies-sleap-2020-01-01/tracks/clip_tracks.h5"
    found = read_recording(path)
    frame = pd.read_hdf(path)
    assert found.tracked
    assert found.individuals == ("female", "male")
    assert found.keypoints.shape == (1500, 2, 13, 2)
    head = frame["sleap"]["male"]["head"][["x", "y"]].to_numpy(np.float32)
    np.testing.assert_array_equal(found.keypoints[:, 1, 0], head)


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_recording(tmp_path / "a.h5")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"poses are read from \.h5"):
        read_recording(tmp_path / "a.txt")
    (tmp_path / "a.h5").write_bytes(b"not hdf")
    with pytest.raises(DataError, match="cannot be read as a table of poses"):
        read_recording(tmp_path / "a.h5")
    for text in ("", "a,b\n1,2\n", "\xff\n"):
        (tmp_path / "a.csv").write_text(text, encoding="latin-1")
        with pytest.raises(DataError, match=r"a\.csv"):
            read_recording(tmp_path / "a.csv")
    pd.DataFrame({"a": [1]}).to_hdf(tmp_path / "b.h5", key="df_with_missing")
    with pytest.raises(DataError, match="no table of poses: the header rows are scorer"):
        read_recording(tmp_path / "b.h5")
    head = "scorer,S,S\nbodyparts,a,a\ncoords,x,y\n"
    (tmp_path / "a.csv").write_text(head + "0,1,what\n")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_recording(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(head + "0,1,2\n0,1,2\n")
    with pytest.raises(DataError, match="the row of a frame twice"):
        read_recording(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(head.replace("a,a", "a,a").replace("x,y", "x,x") + "0,1,2\n")
    with pytest.raises(DataError, match="a column twice"):
        read_recording(tmp_path / "a.csv")


def test_two_scorers_in_one_table_are_refused(tmp_path):
    two = pd.concat([_frame(np.ones((1, 12)), "A"), _frame(np.ones((1, 12)), "B")], axis=1)
    two.to_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="several scorers"):
        read_recording(tmp_path / "a.csv")


def test_names_with_commas_and_quotes_survive_csv(tmp_path):
    values = plain(single(parts=2, info=DatasetInfo(('left, "ear"', "tail"))))
    values.individuals = ()
    assert_same(read_recording(_written(values, tmp_path / "a.csv")), values, "instance_scores")
