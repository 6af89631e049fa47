"""`dlcreg filter` writes files as DeepLabCut names them beside the results."""

from __future__ import annotations

import numpy as np
import pytest

from dlcreg.analysis.formats import build_writer
from dlcreg.analysis.reading import read_recording
from dlcreg.cli import main
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo


@pytest.fixture
def result(tmp_path):
    points = np.zeros((9, 1, 1, 2), np.float32)
    points[4] = 100
    scores = np.full((9, 1, 1), 0.9, np.float32)
    path = tmp_path / "clipDLC_X.h5"
    build_writer("h5").write(Recording(points, scores, scores[..., 0], DatasetInfo(("a",))), path)
    return path


def test_h5_and_csv_are_written_beside_the_result(result, capsys):
    assert main(["filter", str(result), "--window", "3"]) == 0
    written = [result.with_name(f"clipDLC_X_filtered{suffix}") for suffix in (".h5", ".csv")]
    assert capsys.readouterr().out.split() == list(map(str, written))
    for path in written:
        assert (read_recording(path).keypoints == 0).all()
    assert read_recording(result).keypoints.max() == 100
    assert read_recording(written[0]).provenance["filter"]["window"] == 3


def test_what_cannot_be_filtered_is_one_line_and_the_others_are_done(result, tmp_path, capsys):
    argv = ["filter", str(tmp_path / "no.h5"), str(result), "--format", "h5", "--out"]
    assert main([*argv, str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err == f"dlcreg filter: there is no file {tmp_path / 'no.h5'}\n"
    assert said.out == f"{tmp_path / 'out/clipDLC_X_filtered.h5'}\n"
    assert main(["filter", said.out.strip()]) == 2
    assert "is filtered already" in capsys.readouterr().err


def test_an_even_window_is_one_line(result, capsys):
    assert main(["filter", str(result), "--window", "4"]) == 2
    said = capsys.readouterr().err
    assert said == "dlcreg filter: window=4: give an odd number of frames from 3 on\n"
    assert sorted(path.name for path in result.parent.iterdir()) == [result.name]
