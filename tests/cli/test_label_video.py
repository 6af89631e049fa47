"""`dlcreg label-video` finds the poses of a video and stands beside them."""

from __future__ import annotations

import av
import numpy as np
import pytest

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.finding import result_of
from dlcreg.analysis.formats import build_writer
from dlcreg.cli import main
from dlcreg.errors import DataError
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo


@pytest.fixture
def video(tmp_path):
    frame = np.full((48, 64, 3), 120, np.uint8)
    write_video(tmp_path / "clip.mp4", [(encodable(frame), t / 10) for t in range(3)], 10)
    return tmp_path / "clip.mp4"


@pytest.fixture
def result(video):
    scores = np.full((3, 1, 1), 0.9, np.float32)
    points = np.full((3, 1, 1, 2), 20, np.float32)
    path = video.with_name("clipDLC_X.h5")
    build_writer("h5").write(Recording(points, scores, scores[..., 0], DatasetInfo(("a",))), path)
    return path


def test_the_poses_beside_a_video_are_drawn_into_it(video, result, capsys):
    assert main(["label-video", str(video), "--trail", "--skeleton", "--boxes"]) == 0
    out = result.with_name("clipDLC_X_p60_labeled.mp4")
    assert capsys.readouterr().out.startswith(f"{out}: 3 frames, ")
    with av.open(str(out)) as labelled:
        image = next(labelled.decode(video=0)).to_ndarray(format="rgb24")
    assert abs(image[20, 20].astype(int) - 120).max() > 60


def test_the_skeleton_is_that_of_a_project_where_the_poses_say_none(video, tmp_path, capsys):
    points = np.array([[10, 24], [54, 24]], np.float32) * np.ones((3, 1, 1, 1), np.float32)
    scores = np.full((3, 1, 2), 0.9, np.float32)
    poses = Recording(points, scores, scores[..., 0], DatasetInfo(("nose", "tail")))
    build_writer("h5").write(poses, tmp_path / "clipDLC_X.h5")
    project = tmp_path / "project"
    project.mkdir()
    config = project / "config.yaml"
    config.write_text("scorer: s\nbodyparts: [nose, tail]\nskeleton: [[nose, tail]]\n")

    def middle(*options):
        out = tmp_path / "made.mp4"
        assert main(["label-video", str(video), "--out", str(out), *options]) == 0
        with av.open(str(out)) as labelled:
            image = next(labelled.decode(video=0)).to_ndarray(format="rgb24")
        return image[24, 32].astype(int)

    assert abs(middle("--skeleton") - 120).max() < 10  # nothing to draw
    for given in (project, config):
        assert abs(middle("--project", str(given)) - 120).max() > 30
    config.write_text("scorer: s\nbodyparts: [a, b]\nskeleton: [[a, b]]\n")
    capsys.readouterr()
    assert main(["label-video", str(video), "--project", str(project)]) == 2
    assert "its skeleton joins none of the keypoints of the poses: nose, tail" in (
        capsys.readouterr().err
    )


def test_it_stands_where_it_is_asked_for(video, result, tmp_path, capsys):
    for out in ("folder", "own.mp4"):
        assert main(["label-video", str(video), "--out", str(tmp_path / out)]) == 0
    assert (tmp_path / "folder" / "clipDLC_X_p60_labeled.mp4").is_file()
    assert (tmp_path / "own.mp4").is_file()


def test_what_is_wrong_is_one_line_for_each_video(video, tmp_path, capsys):
    argv = ["label-video", str(video), str(tmp_path / "no.mp4")]
    assert main(argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"dlcreg label-video: there are no poses of clip.mp4 in {tmp_path}: analyse it first, or "
        "name the file of its poses (--result)",
        f"dlcreg label-video: there is no video {tmp_path / 'no.mp4'}",
    ]
    assert main([*argv, "--out", "x.mp4"]) == 2
    assert "--result and --out are for a single video" in capsys.readouterr().err
    assert main(["label-video", str(video), "--pcutoff", "3"]) == 2
    assert "pcutoff=3: a likelihood lies between 0 and 1" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_result_of_a_video_is_found_by_its_name(tmp_path):
    video = tmp_path / "clip.mp4"
    names = ("clipDLC_X.csv", "clipDLC_X.h5", "clipDLC_X_meta.pickle", "clip2DLC_X.h5", "clip2.mp4")
    for name in ("clip.mp4", *names, "clipDLC_X_skeleton.h5"):
        (tmp_path / name).touch()
    assert result_of(video).name == "clipDLC_X.h5"
    assert result_of(tmp_path / "clip2.mp4").name == "clip2DLC_X.h5"
    (tmp_path / "clipDLC_X_el.h5").touch()
    assert result_of(video).name == "clipDLC_X_el.h5"
    with pytest.raises(DataError, match="there are no filtered poses of clip"):
        result_of(video, filtered=True)
    (tmp_path / "clipDLC_X_el_filtered.csv").touch()
    assert result_of(video, filtered=True).name == "clipDLC_X_el_filtered.csv"
    (tmp_path / "clipDLC_Y_el.h5").touch()
    with pytest.raises(DataError, match=r"several models: clipDLC_X_el\.h5, clipDLC_Y_el\.h5"):
        result_of(video)
