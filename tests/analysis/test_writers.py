"""The other formats: what the tools that they are made for read in them."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from recordings import assert_same, recording, single

from dlcreg.analysis.formats import build_writer, format_names
from dlcreg.analysis.paths import result_path
from dlcreg.analysis.reading import read_recording
from dlcreg.data.proposals import Proposals
from dlcreg.errors import DataError, DlcregError


def _write(name, values, folder, **options):
    writer = build_writer({"type": name, **options})
    path = folder / f"clip{writer.suffix}"
    writer.write(values, path)
    return path


def _unpickled(path):
    with path.open("rb") as file:
        return pickle.load(file)


def test_names_are_as_deeplabcut_looks_for_them():
    where = ("out", "clip", "DLC_X")
    assert str(result_path(*where, ".h5")) == "out/clipDLC_X.h5"
    assert str(result_path(*where, ".h5", "box", True)) == "out/clipDLC_X_bx_filtered.h5"
    assert str(result_path(*where, ".csv", "el")) == "out/clipDLC_X_el.csv"
    assert str(result_path(*where, "_meta.pickle", "ellipse")) == "out/clipDLC_X_meta.pickle"


def test_meta_says_how_the_video_was_analysed(tmp_path):
    values = recording()
    data = _unpickled(_write("meta", values, tmp_path))["data"]
    assert data["Scorer"] == values.scorer
    assert data["nframes"] == 7
    assert data["fps"] == 30
    assert data["frame_dimensions"] == (640, 480)
    assert data["cropping"] is False
    assert data["cropping_parameters"] == [0, 640, 0, 480]
    assert data["individuals"] == ["anna", "bob"]
    assert data["unique_bodyparts"] == ["corner0", "corner1"]
    assert data["dlcreg"]["provenance"]["checkpoint"] == "best.pth"


def test_assemblies_are_the_animals_of_each_frame(tmp_path):
    values = recording()
    found = _unpickled(_write("assemblies", values, tmp_path))
    assert set(found) == {*range(7), "single"}
    assert found[3].shape == (0, 3, 4)  # the frame that could not be read
    for frame in range(7):
        rows = values.valid[frame]
        np.testing.assert_array_equal(found[frame][..., :2], values.keypoints[frame, rows])
        np.testing.assert_array_equal(found[frame][..., 2], values.scores[frame, rows])
        who = values.identity_scores[frame, rows].argmax(-1)
        np.testing.assert_array_equal(found[frame][..., 3], who)
    assert set(found["single"]) == {0, 1, 2, 4, 5, 6}
    np.testing.assert_array_equal(found["single"][6], values.unique[6])
    assert not build_writer("assemblies").can_write(single())


def test_full_has_the_detections_of_each_body_part(tmp_path):
    values = recording(frames=11)
    found = _unpickled(_write("full", values, tmp_path))
    assert found["metadata"]["all_joints_names"][-2:] == ["corner0", "corner1"]
    assert found["metadata"]["nframes"] == 11
    assert found["metadata"]["key_str_width"] == 2
    assert list(found)[1:3] == ["frame00", "frame01"]
    frame = found["frame07"]
    rows = values.valid[7]
    assert len(frame["coordinates"][0]) == len(frame["confidence"]) == len(frame["identity"]) == 5
    np.testing.assert_array_equal(frame["coordinates"][0][1], values.keypoints[7, rows, 1])
    np.testing.assert_array_equal(frame["confidence"][1][:, 0], values.scores[7, rows, 1])
    np.testing.assert_array_equal(frame["coordinates"][0][4], values.unique[7, 1:, :2])
    np.testing.assert_array_equal(frame["bboxes"], values.boxes[7, rows])
    np.testing.assert_array_equal(frame["bbox_scores"], values.instance_scores[7, rows])


def test_coco_results_are_proposals(tmp_path):
    values = recording()
    path = _write("coco", values, tmp_path)
    found = Proposals.read(path)
    assert len(found) == values.valid.sum()
    one = found.of(1)
    keypoints = values.keypoints[1, values.valid[1]]
    lost = np.isnan(keypoints).any(-1)
    np.testing.assert_allclose(one.keypoints[~lost, :2], keypoints[~lost], atol=1e-3)
    assert not one.keypoints[lost].any()
    again = read_recording(path)
    assert again.info.keypoint_names == values.info.keypoint_names
    assert len(again) == len(values)
    for frame in range(7):  # animals have moved up to the first rows
        known = values.keypoints[frame, values.valid[frame]]
        np.testing.assert_allclose(again.keypoints[frame, : len(known)], known, atol=1e-3)
    beside = json.loads((tmp_path / "clip.json-metadata.json").read_text())
    assert beside["dlcreg"]["provenance"]["checkpoint"] == "best.pth"


def test_coco_results_of_images_are_no_recording(tmp_path):
    path = tmp_path / "a.json"
    row = {"image_id": "a.png", "score": 0.5, "keypoints": [1, 2, 0.5], "category_id": 1}
    path.write_text(json.dumps([row]))
    with pytest.raises(DataError, match="not numbers of frames"):
        read_recording(path)
    path.write_text(json.dumps([{**row, "image_id": 2}]))
    found = read_recording(path)
    assert found.keypoints.shape == (3, 1, 1, 2)
    assert found.valid.ravel().tolist() == [False, False, True]
    path.write_text(json.dumps([{"image_id": 2, "score": 0.5, "bbox": [0, 0, 3, 3]}]))
    with pytest.raises(DataError, match="has boxes and no poses"):
        read_recording(path)


@pytest.mark.parametrize(
    "values", [recording(), recording(tracked=True), single(), recording(frames=0)]
)
def test_parquet_gives_poses_back_to_the_last_bit(values, tmp_path):
    pytest.importorskip("pyarrow")
    found = read_recording(_write("parquet", values, tmp_path))
    but = ["boxes", "identity_scores", "readable"]
    if values.tracked or not len(values):
        but.append("identities")
    assert_same(found, values, *but)


def test_parquet_is_tidy(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    values = recording(tracked=True)
    frame = parquet.read_table(_write("parquet", values, tmp_path)).to_pandas()
    assert len(frame) == 7 * (2 * 3 + 2)
    bob = frame[(frame["individual"] == "bob") & (frame["keypoint"] == "part 2")]
    np.testing.assert_array_equal(bob["x"], values.keypoints[:, 1, 2, 0])
    np.testing.assert_allclose(bob["time"], values.times)
    corner = frame[frame["keypoint"] == "corner1"]
    assert corner["individual"].isna().all()
    assert corner["row"].isna().all()
    with pytest.raises(DlcregError, match="compression must be one of"):
        build_writer({"type": "parquet", "compression": "lzma"})


def test_a_parquet_table_of_others_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"x": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="was not written by dlcreg"):
        read_recording(tmp_path / "a.parquet")


@pytest.mark.filterwarnings("ignore")
def test_nwb_holds_a_series_for_each_keypoint(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    pytest.importorskip("ndx_pose")
    values = recording(tracked=True)
    path = _write("nwb", values, tmp_path, session_start_time="2026-05-01T09:30:00+02:00")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        assert json.loads(file.notes)["provenance"]["checkpoint"] == "best.pth"
        assert file.session_start_time.isoformat() == "2026-05-01T09:30:00+02:00"
        poses = file.processing["behavior"]["PoseEstimation_bob"]
        assert poses.scorer == values.scorer
        series = poses["part 1"]
        np.testing.assert_array_equal(series.data[:], values.keypoints[:, 1, 1])
        np.testing.assert_allclose(series.timestamps[:], values.times)
        assert list(poses.skeleton.nodes[:]) == list(values.info.keypoint_names)
        corner = file.processing["behavior"]["PoseEstimation_single"]["corner1"]
        np.testing.assert_array_equal(corner.data[:], values.unique[:, 1, :2])
    (tmp_path / "single").mkdir()
    with pynwb.NWBHDF5IO(str(_write("nwb", single(), tmp_path / "single")), "r") as io:
        assert "PoseEstimation" in io.read().processing["behavior"].data_interfaces
    with pytest.raises(DlcregError, match="has no time zone"):
        build_writer({"type": "nwb", "session_start_time": "2026-05-01"})


@pytest.mark.filterwarnings("ignore")
def test_slp_holds_tracks(tmp_path):
    sio = pytest.importorskip("sleap_io")
    values = recording(tracked=True, unique=0)
    labels = sio.load_slp(str(_write("slp", values, tmp_path)), open_videos=False)
    assert [track.name for track in labels.tracks] == ["anna", "bob"]
    assert labels.skeleton.node_names == list(values.info.keypoint_names)
    frame = next(f for f in labels if f.frame_idx == 1)
    for animal in frame:
        row = values.individuals.index(animal.track.name)
        np.testing.assert_array_equal(animal.numpy(), values.keypoints[1, row].astype(float))
    assert json.loads(labels.provenance["dlcreg"])["provenance"]["checkpoint"] == "best.pth"


@pytest.mark.parametrize("name", ["parquet", "nwb", "slp"])
def test_a_library_that_is_missing_is_named_with_the_way_to_install_it(name, tmp_path, monkeypatch):
    for module in ("pyarrow", "pynwb", "sleap_io"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DlcregError, match=rf"pip install 'dlcreg\[{name}\]'"):
        _write(name, recording(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_format_imports_its_library_before_it_is_used():
    code = (
        "import sys; from dlcreg.analysis.formats import build_writer, format_names\n"
        "for name in format_names(): build_writer(name)\n"
        "sys.exit(any(m in sys.modules for m in ('pyarrow', 'pynwb', 'sleap_io', 'tables')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"h5", "csv", "meta", "full", "assemblies", "coco", "parquet", "nwb", "slp"} <= set(
        format_names()
    )
