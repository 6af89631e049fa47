"""Every array of the golden files of codecs is compared by a test, or has a reason why not."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
import pytest

GOLDEN = "models/test_codecs_golden.py"
DEKR = "models/test_dekr_golden.py"
PAF = "models/test_paf_golden.py"
SIMCC = "models/test_simcc.py"
LOSSES = "solvers/losses/test_losses.py"
NMS = "solvers/test_oks_nms_golden.py"
WARPS = "data/test_transforms.py"

BOXES = f"{WARPS}::test_a_box_is_widened_to_the_aspect_as_in_the_original_transpose"
OKS = f"{NMS}::test_the_poses_that_remain_are_those_of_the_original"
JOINT_LOSSES = f"{LOSSES}::test_hrnet_s_losses_have_the_original_s_values"

COMPARED = {
    "codec_dekr": {
        "out/heatmap": f"{DEKR}::test_targets_are_dekr_s",
        "out/mask": f"{DEKR}::test_targets_are_dekr_s",
        "out/offset": f"{DEKR}::test_targets_are_dekr_s",
        "out/offset_weight": f"{DEKR}::test_targets_are_dekr_s",
        "out/loss_*": f"{DEKR}::test_losses_are_dekr_s",
        "out/flip_heatmap": f"{DEKR}::test_the_flip_test_is_dekr_s",
        "out/flip_posemap": f"{DEKR}::test_the_flip_test_is_dekr_s",
        "out/flip_image_last8cols": f"{DEKR}::test_mirrored_images_are_moved_as_dekr_moves_them",
        "out/heatmap_upsampled": f"{DEKR}::test_heatmaps_are_read_between_cells_as_dekr_upsamples"
        "_them",
        "out/poses_before_nms": f"{DEKR}::test_centres_are_found_as_dekr_finds_them",
        "out/poses_after_nms": f"{DEKR}::test_poses_are_dekr_s",
        "out/scores": f"{DEKR}::test_poses_are_dekr_s",
        "out/poses_matched_to_heatmap": f"{DEKR}::test_keypoints_are_snapped_to_heatmaps_as_dekr"
        "_does",
        "out/rescore_feature": f"{DEKR}::test_the_rescoring_network_sees_what_dekr_s_does",
    },
    "codec_dlc_bottomup": {
        "out/plateau_*": f"{PAF}::test_targets_are_deeplabcut_s",
        "out/gaussian_heatmap*": f"{PAF}::test_targets_are_deeplabcut_s",
        "out/gaussian_locref*": f"{PAF}::test_targets_are_deeplabcut_s",
        "out/topdown_*": f"{GOLDEN}::test_top_down_targets_are_deeplabcut_s",
        "out/paf": f"{PAF}::test_targets_are_deeplabcut_s",
        "out/loss_*": f"{PAF}::test_losses_are_deeplabcut_s",
        "out/single_poses": f"{GOLDEN}::test_decoding_is_deeplabcut_s",
        "out/single_poses_nolocref_clip": f"{GOLDEN}::test_decoding_without_refinement_is"
        "_deeplabcut_s",
        "out/paf_poses": f"{PAF}::test_animals_are_deeplabcut_s",
        "out/paf_poses_chain": f"{PAF}::test_animals_are_deeplabcut_s",
        "out/detections_*": f"{PAF}::test_detections_and_affinities_are_deeplabcut_s",
        "out/affinity_*": f"{PAF}::test_detections_and_affinities_are_deeplabcut_s",
        "out/distance_*": f"{PAF}::test_detections_and_affinities_are_deeplabcut_s",
        "out/gaussian_kernel_11_sigma1": f"{PAF}::test_maps_are_smoothed_by_deeplabcut_s_kernel",
    },
    "codec_dlc_dekr": {
        "out/heatmap*": f"{DEKR}::test_targets_are_deeplabcut_s",
        "out/offset*": f"{DEKR}::test_targets_are_deeplabcut_s",
        "out/loss_*": f"{DEKR}::test_losses_are_deeplabcut_s",
        "out/poses_*": f"{DEKR}::test_poses_are_deeplabcut_s",
    },
    "codec_dlc_simcc": {
        "out/[xy]": f"{SIMCC}::test_targets_are_deeplabcut_s",
        "out/weights": f"{SIMCC}::test_targets_are_deeplabcut_s",
        "out/kl_[xy]": f"{SIMCC}::test_the_losses_are_deeplabcut_s",
        "out/poses_*": f"{SIMCC}::test_decoding_is_deeplabcut_s",
    },
    "codec_hrnet": {
        "out/target_*": f"{GOLDEN}::test_msra_targets_are_hrnet_s",
        "out/argmax": f"{GOLDEN}::test_highest_cells_and_mirrored_maps_are_hrnet_s",
        "out/flip_back": f"{GOLDEN}::test_highest_cells_and_mirrored_maps_are_hrnet_s",
        "out/maxvals": f"{GOLDEN}::test_msra_decodes_as_hrnet_does",
        "out/final_preds_image": f"{GOLDEN}::test_msra_decodes_as_hrnet_does",
        "out/flip_back_shifted": f"{GOLDEN}::test_msra_flips_with_hrnet_s_shift",
        "out/affine_cases": f"{WARPS}::test_the_instance_crop_agrees_with_the_original_hrnet",
        "out/box_*": f"{WARPS}::test_a_box_is_widened_to_the_aspect_as_in_the_original_hrnet",
        "out/joints_*": JOINT_LOSSES,
        "out/oks_nms_keep_*": OKS,
    },
    "codec_simcc": {
        "out/[xy]_*": f"{SIMCC}::test_targets_are_rtmpose_s",
        "out/weights_*": f"{SIMCC}::test_targets_are_rtmpose_s",
        "out/keypoints_*": f"{SIMCC}::test_decoding_is_rtmpose_s",
        "out/scores_*": f"{SIMCC}::test_decoding_is_rtmpose_s",
        "out/kl_loss_256x192": f"{SIMCC}::test_the_loss_is_rtmpose_s",
    },
    "codec_transpose_dark": {
        "out/target_*": f"{GOLDEN}::test_dark_targets_are_transpose_s",
        "out/argmax": f"{GOLDEN}::test_dark_peaks_are_transpose_s_highest_cells",
        "out/maxvals": f"{GOLDEN}::test_dark_decodes_as_transpose_does",
        "out/final_preds_heatmap": f"{GOLDEN}::test_dark_decodes_as_transpose_does",
        "out/final_preds_image": f"{GOLDEN}::test_dark_comes_back_to_the_image_as_transpose_does",
        "out/flip_back": f"{GOLDEN}::test_dark_flips_without_a_shift",
        "out/affine_cases": f"{WARPS}::test_the_instance_crop_by_corners_agrees_with_the_original"
        "_transpose",
        "out/box_*": BOXES,
        "out/joints_*": JOINT_LOSSES,
        "out/oks_nms_keep_*": OKS,
    },
    "codec_vitpose_udp": {
        "out/target*": f"{GOLDEN}::test_udp_targets_are_vitpose_s",
        "out/preds_image": f"{GOLDEN}::test_udp_decodes_as_vitpose_does",
        "out/maxvals": f"{GOLDEN}::test_udp_decodes_as_vitpose_does",
        "out/warp_matrix_rot0": f"{WARPS}::test_the_instance_crop_of_udp_agrees_with_the_original"
        "_vitpose",
        "out/flip_back": f"{GOLDEN}::test_udp_flips_without_a_shift",
    },
}
"""By file and pattern of arrays, the test that compares them."""

WITHOUT = {
    ("codec_vitpose_udp", "out/warp_matrix_rot33"): "the original rotates before it scales the "
    "crop, by steps that differ a little along x and y; here the crop is rotated as it is"
}
"""Arrays that are not compared, and why."""

IN_PART = {
    ("codec_hrnet", "out/affine_cases"): "the first one: rotated crops are those of TransPose's "
    "file",
    ("codec_dlc_bottomup", "out/gaussian_heatmap_weights"): "a map with an undefined part is left "
    "out as a whole: labels here know no undefined parts",
    ("codec_dlc_bottomup", "out/gaussian_locref"): "inside the discs: outside, the original points "
    "at the animal that was drawn last",
    ("codec_dlc_bottomup", "out/plateau_heatmap_weights"): "likewise, undefined parts",
    ("codec_dlc_dekr", "out/heatmap_weights"): "likewise, undefined parts",
    ("codec_vitpose_udp", "out/preds_image"): "but for a map without a value above 0, of which the "
    "original reads cells of the map before it",
}
"""Arrays of which only a part is compared, and why."""


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "golden" / "out"


def test_there_is_no_other_file(folder):
    assert {path.stem for path in folder.glob("codec_*.npz")} == set(COMPARED)


@pytest.mark.parametrize("name", COMPARED)
def test_every_array_is_accounted_for_once(folder, name):
    results = [key for key in np.load(folder / f"{name}.npz").files if key.startswith("out/")]
    unused = set(COMPARED[name])
    for key in results:
        if (name, key) in WITHOUT:
            continue
        matching = [pattern for pattern in COMPARED[name] if fnmatchcase(key, pattern)]
        assert len(matching) == 1, (key, matching)
        unused.discard(matching[0])
    assert not unused
    assert all(key in results for file, key in [*IN_PART, *WITHOUT] if file == name)


@pytest.mark.parametrize("name", COMPARED)
def test_the_tests_that_compare_them_exist(repo, name):
    for test in set(COMPARED[name].values()):
        path, function = test.split("::")
        content = (repo / "tests" / path).read_text(encoding="utf-8")
        assert f"def {function}(" in content, test
        assert name in content, test
