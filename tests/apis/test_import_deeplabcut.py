"""Models of DeepLabCut 3 become checkpoints that predict the same."""

from __future__ import annotations

import warnings

import deeplabcut_files as files
import numpy as np
import pytest
import torch
import yaml

from dlcreg.apis.deeplabcut import import_deeplabcut
from dlcreg.apis.deeplabcut.places import chosen, model_folder, snapshots
from dlcreg.apis.train import start_from
from dlcreg.builder import build_model
from dlcreg.cli import main
from dlcreg.config import load_config
from dlcreg.errors import CheckpointError, ConfigError
from dlcreg.inference import Predictor, load_trained
from dlcreg.solvers import checkpoint as checkpoints

TWELVE = tuple(f"part{i}" for i in range(12))
HRNET = {"type": "HRNet", "model_name": "hrnet_w18", "freeze_bn_stats": True}
CSPNEXT = {"type": "CSPNeXt", "model_name": "s", "deepen_factor": 0.33, "widen_factor": 0.5}
DLCRNET = {"type": "DLCRNet", "model_name": "resnet50", "output_stride": 16}
ENCODER = {"type": "StackedKeypointEncoder", "num_joints": 12, "kernel_size": [15, 15]}
PRENET = {"type": "CondPreNet", "backbone": HRNET, "kpt_encoder": ENCODER}
COAM = {"type": "HRNetCoAM", "base_model_name": "hrnet_w32", "kpt_encoder": ENCODER}
ANIMALS = ("first", "second", "third")
GOLDEN = {
    "dlc_resnet_50_bu_single": (files.resnet("resnet50_gn"), files.deconv(2048, 12), None),
    "dlc_hrnet_w18_td": (HRNET, files.flat(18, 12), 128),
    "dlc_rtmpose_s": (CSPNEXT, files.bins(12), 256),
    "dlc_resnet_50_bu_multi_paf": (
        files.resnet("resnet50_gn"), files.limbs(2048, 12, 3), None
    ),
    "dlc_dlcrnet_stride16_ms5": (DLCRNET, files.limbs(2304, 12, 3), None),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of one animal with three snapshots, the best of which is not the last."""
    names = ("snapshot-025", "snapshot-best-030", "snapshot-100")
    home = tmp_path_factory.mktemp("models") / "miceJan1-trainset95shuffle2"
    return files.write(home, files.config(), *names, state=files.random_state())


@pytest.fixture(scope="module")
def imported(folder, tmp_path_factory):
    return import_deeplabcut(folder, tmp_path_factory.mktemp("imported") / "mice.pth")


def test_the_best_snapshot_is_imported_with_its_names(imported):
    assert imported.scorer == "DLC_Resnet50_miceJan1shuffle2_snapshot_best-30"
    assert imported.epoch == 30
    assert imported.measured == {"test.mAP": 71.5}
    assert imported.info.keypoint_names == files.PARTS
    state = checkpoints.load(imported.checkpoint)
    assert state["meta"]["scorer"] == imported.scorer
    assert load_trained(imported.checkpoint).scorer == imported.scorer


def test_the_config_beside_the_checkpoint_is_the_one_inside(imported):
    beside = load_config(imported.checkpoint.with_suffix(".py")).data
    inside = load_config(checkpoints.load(imported.checkpoint)["config"]).data
    assert _lists(beside) == _lists(inside)
    assert beside["solver"]["schedule"][0]["milestones"] == [90]


def test_an_imported_model_predicts_in_images_of_any_size(imported):
    predictor = Predictor(imported.checkpoint, device="cpu")
    image = np.random.default_rng(0).integers(0, 255, (61, 87, 3), np.uint8)
    poses = predictor(image)
    assert poses.keypoints.shape == (1, 1, 4, 2)
    maps = predictor.model(torch.zeros(1, 3, 61, 87), mode="tensor")["heatmap"]
    assert maps.shape[-2:] == (2 * 4 + 1, 2 * 6 + 1)  # of n cells of stride 16, rounded up


@pytest.mark.parametrize(
    "name",
    [
        *list(GOLDEN)[:1],
        *(pytest.param(name, marks=pytest.mark.exhaustive) for name in list(GOLDEN)[1:]),
    ],
)
def test_outputs_are_deeplabcut_s(golden, tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        file = golden(name)
    backbone, head, crop = GOLDEN[name]
    several = ANIMALS if "multi" in name or "ms5" in name else ANIMALS[:1]
    content = files.config(
        backbone, {"bodypart": head}, parts=TWELVE, individuals=several, crop=crop
    )
    state = {key: torch.as_tensor(value) for key, value in file.state.items()}
    files.write(tmp_path / "model", content, "snapshot-001", state=state)
    done = import_deeplabcut(tmp_path / "model", tmp_path / "model.pth")
    model = load_trained(done.checkpoint).model
    with torch.inference_mode():
        outputs = model(torch.tensor(file.inputs["0"]), mode="tensor")
    assert {f"bodypart/{name}" for name in outputs} == set(file.outputs)
    for name, ours in outputs.items():
        theirs = file.outputs[f"bodypart/{name}"]
        assert tuple(ours.shape) == theirs.shape
        assert np.abs(ours.numpy() - theirs).max() < 1e-4, name


def test_who_is_who_and_unique_body_parts_come_along(tmp_path):
    heads = {
        "bodypart": files.deconv(512, 4),
        "identity": files.who(512, 3),
        "unique_bodypart": files.deconv(512, 2),
    }
    content = files.config(heads=heads, individuals=ANIMALS)
    content["metadata"] |= {"with_identity": True, "unique_bodyparts": ["corner", "lamp"]}
    state = files.random_state({"identity": 3, "unique_bodypart": 2})
    layer = torch.nn.ConvTranspose2d(512, 4, 3, stride=2).state_dict()
    prefix = "heads.unique_bodypart.locref_head.deconv_layers.0"
    state |= {f"{prefix}.{key}": value for key, value in layer.items()}
    files.write(tmp_path / "model", content, "snapshot-001", state=state)
    done = import_deeplabcut(tmp_path / "model", tmp_path / "model.pth")
    assert done.heads == list(heads)
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    poses = Predictor(done.checkpoint, device="cpu")(image)
    assert poses.identity_scores.shape == (1, 1, 4, 3)
    assert poses.unique.keypoints.shape == (1, 1, 2, 2)


def test_heads_of_superanimal_are_a_convolution_whose_highest_cell_is_read(tmp_path):
    head = files.deconv(512, 4)
    del head["criterion"]["locref"], head["locref_config"]
    head["predictor"]["location_refinement"] = False
    head["heatmap_config"] = {"channels": [512, 4], "kernel_size": [1], "strides": [1]}
    layer = torch.nn.ConvTranspose2d(512, 4, 1)
    state = {k: v for k, v in files.random_state().items() if not k.startswith("heads.")}
    prefix = "heads.bodypart.heatmap_head.deconv_layers.0"
    state |= {f"{prefix}.{key}": value for key, value in layer.state_dict().items()}
    files.write(tmp_path / "m", files.config(heads={"bodypart": head}), "snapshot-1", state=state)
    model = load_trained(import_deeplabcut(tmp_path / "m", tmp_path / "m.pth").checkpoint).model
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        maps = layer(model.backbone(image)[-1])
        assert torch.allclose(model(image)["heatmap"], maps, atol=1e-5)
        found = model(image, mode="predict").keypoints[0, 0]
    highest = maps[0].flatten(1).argmax(dim=1)
    cells = torch.stack([highest % 6, highest // 6], dim=-1)
    assert torch.equal(found, cells * 16.0 + 8)


def test_twins_that_a_config_states_are_those_of_the_data(tmp_path):
    content = files.config()
    content["data"]["train"]["hflip"] = {"p": 0.5, "symmetries": [[0, 3]]}
    files.write(tmp_path / "m", content, "snapshot-1", state=files.random_state())
    done = import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")
    assert done.info.flip_pairs == ((0, 3),)
    Predictor(done.checkpoint, device="cpu")(np.zeros((64, 64, 3), np.uint8))
    content["data"]["train"]["hflip"]["symmetries"] = [[0, 4]]
    files.write(tmp_path / "n", content, "snapshot-1", state=files.random_state())
    done = import_deeplabcut(tmp_path / "n", tmp_path / "n.pth")
    assert done.info.flip_pairs == ((1, 2),)
    assert "data.train.hflip.symmetries is left out" in done.notes[0]


def test_edges_that_deeplabcut_chose_are_kept(tmp_path):
    head = files.limbs(512, 4, 2, kept=[5, 0, 3])
    content = files.config(heads={"bodypart": head}, individuals=ANIMALS[:2])
    (tmp_path / "model").mkdir()
    config = tmp_path / "model" / "pytorch_config.yaml"
    config.write_text(yaml.safe_dump(content))
    state = _limb_state(4)
    torch.save({"model": state, "metadata": {"epoch": 7}}, tmp_path / "model" / "snapshot-007.pt")
    done = import_deeplabcut(tmp_path / "model", tmp_path / "model.pth")
    codec = load_trained(done.checkpoint).model.head.codec
    assert codec.kept_edges.tolist() == [True, False, False, True, False, True]


def test_snapshots_are_counted_as_deeplabcut_counts(folder):
    train = folder / "train"
    assert [one.uid for one in snapshots(train)] == ["25", "100", "best-30"]
    assert (
        chosen(train, None).uid == chosen(train, -1).uid == chosen(train, "best").uid == "best-30"
    )
    assert chosen(train, 0).uid == chosen(train, "25").uid == "25"
    assert chosen(train, "snapshot-100.pt").uid == "100"
    with pytest.raises(CheckpointError, match=r"no snapshot 'best-31'\. It has: snapshot-025\.pt"):
        chosen(train, "best-31")


def test_detectors_are_no_snapshots_of_poses(tmp_path):
    train = tmp_path
    for name in ("snapshot-025", "snapshot-100", "snapshot-best-030"):
        (train / f"{name}.pt").write_bytes(b"")
    (train / "snapshot-detector-200.pt").write_bytes(b"")
    (train / "snapshot-detector-best-050.pt").write_bytes(b"")
    assert [one.uid for one in snapshots(train)] == ["25", "100", "best-30"]
    assert [one.uid for one in snapshots(train, "snapshot-detector")] == ["200", "best-50"]


@pytest.mark.parametrize(("fraction", "percent"), [(0.95, 95), (0.29, 28), (0.57, 56), (0.58, 57)])
def test_a_project_s_folders_have_the_numbers_of_deeplabcut(tmp_path, fraction, percent):
    settings = {
        "Task": "mice", "date": "Jan1", "scorer": "me", "bodyparts": ["nose"], "iteration": 3,
        "TrainingFraction": [0.5, fraction],
    }  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    models = tmp_path / "pre" / "dlc-models-pytorch" / "iteration-3"
    folder = models / f"miceJan1-trainset{percent}shuffle4"
    folder.mkdir(parents=True)
    assert model_folder(tmp_path, 4, 1, "pre") == folder
    with pytest.raises(CheckpointError, match=rf"There: {folder.name}"):
        model_folder(tmp_path, 5, 1, "pre")


def test_exported_models_are_imported(folder, tmp_path):
    content = yaml.safe_load((folder / "train" / "pytorch_config.yaml").read_text())
    name = "DLC_mice_resnet_50_iteration-0_shuffle-2_snapshot-best-90.pt"
    torch.save({"config": content, "pose": files.random_state()}, tmp_path / name)
    done = import_deeplabcut(tmp_path / name, tmp_path / "exported.pth")
    assert done.scorer == "DLC_Resnet50_miceshuffle2_snapshot_best-90"
    assert tuple(load_trained(done.checkpoint).info.keypoint_names) == files.PARTS


def test_unknown_keys_are_told_together_with_their_places(tmp_path):
    content = files.config()
    content["model"]["backbone"]["output_strid"] = 8
    content["data"]["inference"]["resise"] = {"width": 3}
    content["model"]["heads"]["bodypart"]["predictor"]["clip_score"] = True
    files.write(tmp_path / "m", content, "snapshot-001", state=files.random_state())
    with pytest.raises(ConfigError) as caught:
        import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")
    text = str(caught.value)
    assert "3 problems in the config" in text
    place = rf"{tmp_path / 'm' / 'train' / 'pytorch_config.yaml'}:"
    assert text.count(place) == 3
    assert "model.backbone.output_strid: DeepLabCut 3 has no such key here. Did you mean" in text
    assert not (tmp_path / "m.pth").exists()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("model.backbone.type", "EfficientNet", "'EfficientNet' is not known. Known: ResNet"),
        ("model.backbone.model_name", "resnet50d", "'resnet50d' is not known here"),
        ("data.inference.auto_padding", {"position": "left"}, "'left' is not known"),
        ("data.inference.affine", {"rotation": 3}, "is random, and inference is not"),
        ("method", "bottom", "'bottom' is not known. Known: bu, td, ctd"),
        ("data.colormode", "BGR", "'BGR': images are read as RGB"),
        (
            "data.train.hflip",
            {"symmetries": [[0, 1, 2]]},
            r"pairs of numbers of keypoints, not \[\[0",
        ),
        ("data.gen_sampling", {"keypoints_symmetry": 3}, "pairs of numbers of keypoints, not 3"),
    ],
)
def test_what_is_not_known_is_told(tmp_path, path, value, said):
    content = files.config()
    *above, last = path.split(".")
    place = content
    for key in above:
        place = place[key]
    place[last] = value
    files.write(tmp_path / "m", content, "snapshot-001", state=files.random_state())
    with pytest.raises(ConfigError, match=said):
        import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")


def test_crops_of_another_size_than_the_model_s_are_refused(tmp_path):
    content = files.config(CSPNEXT, {"bodypart": files.bins(4, side=384)}, crop=256)
    files.write(tmp_path / "m", content, "snapshot-001", state=files.random_state())
    with pytest.raises(ConfigError, match="256 x 256 pixels, and the model is made for 384 x 384"):
        import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")


def test_a_snapshot_of_other_shapes_is_refused(tmp_path):
    files.write(tmp_path / "m", files.config(), "snapshot-001", state=files.random_state(parts=5))
    with pytest.raises(CheckpointError, match=r"snapshot-001.pt does not fit PoseModel"):
        import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")
    assert not (tmp_path / "m.pth").exists()


def test_a_snapshot_of_other_heads_is_refused(tmp_path):
    state = files.random_state({"identity": 2})
    files.write(tmp_path / "m", files.config(), "snapshot-001", state=state)
    with pytest.raises(CheckpointError, match="has the heads bodypart, identity, and its config"):
        import_deeplabcut(tmp_path / "m", tmp_path / "m.pth")


@pytest.mark.parametrize(("name", "said"), [("nothing", "is no model"), ("x.pt", "is no file")])
def test_a_place_without_a_model_is_told(tmp_path, name, said):
    with pytest.raises(CheckpointError, match=said):
        import_deeplabcut(tmp_path / name, tmp_path / "m.pth")


def test_the_command_says_what_it_imported_and_what_comes_next(folder, tmp_path, capsys):
    out = tmp_path / "mice.pth"
    assert main(["import-deeplabcut", str(folder), "--out", str(out), "--snapshot", "25"]) == 0
    said = capsys.readouterr().out
    assert "4: nose, leftear, rightear, tail" in said
    assert "test.mAP 71.5" in said
    assert "DLC_Resnet50_miceJan1shuffle2_snapshot_25" in said
    assert f"dlcreg predict {out} IMAGES" in said
    assert f"--weights {out}" in said


def test_a_training_starts_from_the_weights_of_a_checkpoint(imported, caplog):
    state = checkpoints.load(imported.checkpoint)
    config = load_config(state["config"]).data["model"]
    same, more = (build_model(config, num_keypoints=count) for count in (4, 6))
    start_from(same, imported.checkpoint)
    assert all(
        torch.equal(value, state["model"][name]) for name, value in same.state_dict().items()
    )
    start_from(more, imported.checkpoint)
    assert "4 tensors have another shape here, and start afresh" in caplog.text
    assert torch.equal(more.backbone.conv1.weight, state["model"]["backbone.conv1.weight"])
    with pytest.raises(CheckpointError, match="does not fit Linear"):
        start_from(torch.nn.Linear(2, 2), imported.checkpoint)


def _lists(value):
    """Return a value with lists in place of tuples."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _limb_state(parts: int) -> dict[str, torch.Tensor]:
    edges = parts * (parts - 1) // 2
    state = {k: v for k, v in files.random_state().items() if not k.startswith("heads.")}
    seen = 128 + parts + 2 * edges
    guesses = (("convt1", parts), ("convt2", 2 * parts), ("convt3", 2 * edges), ("convt4", 128))
    layers = {name: torch.nn.ConvTranspose2d(512, maps, 3) for name, maps in guesses}
    for stage in range(5):
        layers[f"hm_ref_layers.{stage}"] = torch.nn.Conv2d(seen, parts, 3)
        layers[f"paf_ref_layers.{stage}"] = torch.nn.Conv2d(seen, 2 * edges, 3)
    for name, source, maps in (
        ("heatmap_head", seen, parts),
        ("locref_head", 2 * parts, 2 * parts),
        ("paf_head", seen, 2 * edges),
    ):
        layers[f"{name}.deconv_layers.0"] = torch.nn.ConvTranspose2d(source, maps, 3)
    for name, layer in layers.items():
        state |= {f"heads.bodypart.{name}.{k}": v for k, v in layer.state_dict().items()}
    return state
