"""`dlcreg convert` writes results in other formats."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dlcreg.analysis.reading import read_recording
from dlcreg.cli import main


def _tracks(path):
    columns = pd.MultiIndex.from_product(
        [["X"], ["a", "b"], ["nose", "tail"], ["x", "y", "likelihood"]],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    values = np.random.default_rng(0).uniform(0, 9, (5, 12)).astype(np.float32)
    pd.DataFrame(values, columns=columns).to_hdf(path, key="tracks", format="table")
    return path


def test_a_result_is_written_in_other_formats(tmp_path, capsys):
    source = _tracks(tmp_path / "clipX_el.h5")
    out = tmp_path / "out"
    assert main(["convert", str(source), "--format", "csv", "coco", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert str(out / "clipX_el.csv") in told
    assert str(out / "clipX_el.json") in told
    found, wanted = read_recording(out / "clipX_el.csv"), read_recording(source)
    np.testing.assert_array_equal(found.keypoints, wanted.keypoints)
    assert found.tracked
    assert main(["convert", str(source), "--format", "csv", "--scorer", "Y", "--no-tracked"]) == 0
    found = read_recording(tmp_path / "clipX_el.csv")
    assert found.scorer == "Y"
    assert not found.tracked


def test_a_result_is_not_written_over_itself(tmp_path, capsys):
    source = _tracks(tmp_path / "clipX_el.h5")
    before = source.read_bytes()
    assert main(["convert", str(source), "--format", "h5"]) == 2
    assert "would be written over itself" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_what_cannot_be_converted_is_said(tmp_path, capsys):
    assert main(["convert", str(tmp_path / "a.h5"), "--format", "csv"]) == 2
    assert "there is no file" in capsys.readouterr().err
    source = _tracks(tmp_path / "clipX_el.h5")
    assert main(["convert", str(source), "--format", "cvs"]) == 2
    assert "cvs" in capsys.readouterr().err


def test_a_format_that_is_not_made_for_the_poses_is_left_out(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("scorer,X,X,X\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.5\n")
    assert main(["convert", str(path), "--format", "assemblies"]) == 0
    assert "nothing: none of the formats" in capsys.readouterr().out
