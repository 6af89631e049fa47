"""A file that was exported gives what the model gives."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from dlcreg import CheckpointError, DataError, DlcregError, Predictor
from dlcreg.apis.export import export
from dlcreg.data.transforms.geometric import Resize
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.data.transforms.warp import warp_image
from dlcreg.inference.exported.compare import deviation
from dlcreg.inference.exported.resample import Resample
from dlcreg.structures import Poses

HALF = ["data.test.transform.0.scale=0.5"]  # the mean of blocks, here as there

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def images(demo_project):
    return sorted((demo_project / "labeled-data").glob("*/*.png"))[:4]


@pytest.fixture(scope="module")
def mice_images(two_mice):
    return sorted((two_mice / "labeled-data").glob("*/*.png"))[:3]


@pytest.fixture(scope="module")
def exported(single, images, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    return export(single, out, images=images, options=[*HALF, "evaluation.flip_test=True"])


def test_onnx_gives_the_poses_of_the_model_with_its_preprocessing_and_flip_test(exported):
    assert exported.graph.about["preprocessing"] == "inside"
    assert exported.graph.about["gives"] == "poses"
    assert exported.graph.notes == ()
    far = exported.deviation
    assert far.images == 4
    assert far.unmatched == 0
    assert far.largest < 0.05
    assert far.score < 1e-3


def test_onnx_takes_frames_as_they_are_read_and_any_number_of_them(exported, images, single):
    import onnxruntime

    frames = np.stack([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in images])
    session = onnxruntime.InferenceSession(str(exported.out))
    every = session.run(["keypoints"], {"frames": frames})[0]
    alone = session.run(["keypoints"], {"frames": frames[:1]})[0]
    expected = Predictor(single, flip_test=True, options=HALF)(frames)
    assert np.allclose(every[:1], alone, atol=1e-3)
    assert np.allclose(every, torch.cat([one.keypoints for one in expected]), atol=0.05)


def test_the_file_says_what_made_it(exported):
    model = onnx.load(exported.out)
    about = json.loads({one.key: one.value for one in model.metadata_props}["dlcreg.json"])
    assert about["config"]["model"]["backbone"]["type"] == "ResNet"
    assert about["info"]["keypoint_names"]
    assert any(part["name"] == "ResNet" for part in about["provenance"])


def test_frames_of_another_size_and_another_flip_test_are_refused(exported, images):
    predictor = Predictor(exported.out)
    with pytest.raises(DataError, match=r"exported for images of .* --size 40 50"):
        predictor(np.zeros((40, 50, 3), np.uint8))
    with pytest.raises(DataError, match="with the flip test"):
        Predictor(exported.out, flip_test=False)(images[0])


@pytest.mark.exhaustive
def test_programs_of_torch_give_the_same(single, images, tmp_path):
    result = export(single, tmp_path / "model.pt2", images=images, options=HALF)
    assert result.deviation.largest < 0.05
    assert result.deviation.unmatched == 0


@pytest.mark.exhaustive
def test_half_precision_and_eight_bits_are_measured(single, images, tmp_path):
    half = export(single, tmp_path / "half.onnx", images=images, precision="fp16", options=HALF)
    eight = export(single, tmp_path / "eight.onnx", images=images, precision="int8", options=HALF)
    full = export(single, tmp_path / "full.onnx", images=images, options=HALF)
    sizes = [one.out.stat().st_size for one in (full, half, eight)]
    assert sizes[0] > 1.5 * sizes[1]  # config and graph are a part of each
    assert sizes[0] > 1.5 * sizes[2]
    assert half.deviation.score < 0.05
    assert 0 < eight.deviation.score < 0.5
    graph = onnx.load(eight.out).graph
    floats = {tensor.name for tensor in graph.initializer}
    layers = [node.input[1] for node in graph.node if node.op_type == "Conv"]
    heads = [name for name in layers if ".head." in name]
    assert heads
    assert {layers[0], *heads} == floats & {*layers}  # those at the ends, and no others
    decoding = [node for node in graph.node if node.op_type == "MatMul"]
    assert not {name for node in decoding for name in node.input if "DequantizeLinear" in name}


@pytest.mark.exhaustive
def test_several_animals_are_decoded_in_the_file_where_torch_can(bottom_up, mice_images, tmp_path):
    result = export(bottom_up, tmp_path / "dekr.onnx", images=mice_images)
    assert result.deviation.unmatched == 0
    assert result.deviation.largest < 0.05


def test_what_the_processor_assembles_dlcreg_assembles(part_affinity, mice_images, tmp_path):
    result = export(part_affinity, tmp_path / "paf.onnx", images=mice_images)
    assert result.graph.about["gives"] == "outputs"
    assert "the decoding" in result.graph.notes[0]
    assert result.deviation.unmatched == 0
    assert result.deviation.largest < 0.05


@pytest.mark.exhaustive
def test_crops_are_cut_by_dlcreg(top_down, bottom_up, mice_images, tmp_path):
    result = export(top_down, tmp_path / "crops.onnx", images=mice_images, proposals=bottom_up)
    assert result.graph.crops
    assert result.graph.about["size"] == [64, 64]
    assert result.deviation.largest < 0.05


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((48, 64), {"scale": 0.5}),
        ((47, 63), {"scale": 0.37}),
        ((48, 64), {"size": (60, 60), "keep_ratio": True, "fill": 114}),
        ((33, 20), {"longest": 80}),
    ],
)
def test_resampling_is_that_of_the_transforms(size, options):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = cv2.GaussianBlur(image, (5, 5), 1)
    from dlcreg.data.samples import unlabelled
    from dlcreg.structures import Meta

    warp = Pipeline([Resize(**options)]).single_warp(unlabelled(image, Meta(0, "", size), 1))
    given = Resample(warp, size)(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
    expected = warp_image(image, warp)
    assert given.shape[1:] == expected.shape[:2]
    difference = np.abs(given.permute(1, 2, 0).numpy().astype(int) - expected)
    assert difference.max() <= 4  # the transforms count in 32nds of a pixel
    assert difference.mean() < 0.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out": "model.tflite", "size": (8, 8)}, "ends with .onnx or .pt2"),
        ({"out": "model.onnx"}, "--size HEIGHT WIDTH"),
        ({"out": "model.onnx", "size": (96, 128), "precision": "int8"}, "need images"),
        ({"out": "model.pt2", "size": (96, 128), "precision": "int8"}, "are for ONNX"),
    ],
)
def test_what_cannot_be_exported_is_told_and_nothing_is_written(
    single, tmp_path, arguments, message
):
    arguments["out"] = tmp_path / arguments["out"]
    with pytest.raises(DlcregError, match=message):
        export(single, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_and_damaged_ones_are_refused(exported, tmp_path):
    model = onnx.load(exported.out)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match="was not written by dlcreg"):
        Predictor(tmp_path / "foreign.onnx")
    shutil.copy(exported.out, tmp_path / "cut.onnx")
    with open(tmp_path / "cut.onnx", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Predictor(tmp_path / "cut.onnx")
    with pytest.raises(DataError, match="exported already"):
        export(exported.out, tmp_path / "again.onnx", size=(96, 128))


def test_deviation_counts_what_one_of_two_missed():
    def poses(points):
        keypoints = torch.tensor(points, dtype=torch.float32)[None]
        return Poses(
            keypoints,
            torch.ones(keypoints.shape[:3]),
            torch.ones(keypoints.shape[:2]),
            torch.ones(keypoints.shape[:2], dtype=torch.bool),
        )

    nan = float("nan")
    one = poses([[[0, 0], [1, 1]], [[9, 9], [nan, nan]]])
    other = poses([[[9, 9], [10, 10]], [[0, 0], [1, 3]], [[50, 50], [50, 50]]])
    far = deviation([(one, other)])
    assert (far.images, far.largest, far.unmatched) == (1, 2.0, 2)
    assert far.mean == pytest.approx(2 / 3)
