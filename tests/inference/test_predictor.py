"""A trained model is given images, whatever they come in, and finds what evaluation found."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from alike import same

from dlcreg import Predictor
from dlcreg.data.images import read_image
from dlcreg.errors import CheckpointError, ConfigError, DataError
from dlcreg.inference.batch_size import BatchSize


@pytest.fixture(scope="module")
def predictor(single):
    return Predictor(single, batch_size=4)


@pytest.fixture(scope="module")
def files(demo_project):
    return sorted((demo_project / "labeled-data").glob("*/*.png"))


def test_poses_are_exactly_those_of_evaluation(single, predictor, measured, demo_project):
    found = measured(single)
    assert len(found) > 5
    again = predictor([demo_project / meta.path for meta, _ in found])
    for (_, expected), poses in zip(found, again, strict=True):
        same(poses, expected)


def test_the_flip_test_of_the_evaluation_is_done_and_can_be_left_out(
    single, measured, demo_project
):
    found = measured(single, flip_test=True)
    images = [demo_project / meta.path for meta, _ in found]
    asked = Predictor(single, batch_size=4, options=["evaluation.flip_test=true"])
    for (_, expected), poses in zip(found, asked(images), strict=True):
        same(poses, expected)
    without = Predictor(single, flip_test=False, options=["evaluation.flip_test=true"])
    assert not torch.equal(without(images[0]).keypoints, found[0][1].keypoints)


def test_the_size_of_the_batches_changes_nothing(single, files):
    one, many = (Predictor(single, batch_size=size)(files) for size in (1, 7))
    for a, b in zip(one, many, strict=True):
        same(a, b, atol=1e-4)


def test_images_of_different_sizes_do_not_disturb_one_another(predictor, files):
    whole = read_image(files[0])
    images = [whole, whole[:60], whole[:, :75], whole, whole[:60, :75], whole[:60]]
    together = predictor(images)
    for image, poses in zip(images, together, strict=True):
        same(poses, predictor(image), atol=1e-4)


def test_arrays_files_folders_and_iterators_are_alike(predictor, files):
    arrays = [read_image(path) for path in files]
    expected = predictor(arrays)
    for images in (files, list(map(str, files)), files[0].parents[1], iter(files), iter(arrays)):
        for poses, one in zip(predictor(images), expected, strict=True):
            same(poses, one)
    for poses, one in zip(predictor(np.stack(arrays)), expected, strict=True):
        same(poses, one)


def test_a_single_image_gives_its_poses(predictor, files):
    poses = predictor(files[0])
    assert poses.keypoints.shape == (1, 1, len(predictor.keypoint_names), 2)
    same(predictor(read_image(files[0])), poses)


def test_each_image_says_where_it_is_from(predictor, files):
    metas = [meta for meta, _ in predictor.stream(files)]
    assert [meta.path for meta in metas] == [path.as_posix() for path in files]
    assert [meta.index for meta in metas] == list(range(len(files)))
    assert {meta.size for meta in metas} == {(96, 128)}


def test_grey_deep_and_transparent_images_are_read_as_data_sets_read_them(
    predictor, files, tmp_path
):
    rgb = read_image(files[0])
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    deep, alpha = grey.astype(np.uint16) << 8 | 77, np.dstack([rgb, rgb[..., 0]])
    for name, image in (("grey", grey), ("deep", deep), ("alpha", alpha[..., [2, 1, 0, 3]])):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    as_grey = predictor(np.dstack([grey] * 3))
    for image in (grey, grey[..., None], deep, tmp_path / "grey.png", tmp_path / "deep.png"):
        same(predictor(image), as_grey)
    for image in (alpha, tmp_path / "alpha.png"):
        same(predictor(image), predictor(rgb))


def test_images_of_an_iterator_that_fills_one_array_again_and_again(predictor, files):
    arrays = [read_image(path) for path in files[:5]]

    def frames():
        buffer = np.empty_like(arrays[0])
        for array in arrays:
            buffer[:] = array
            yield buffer

    for poses, expected in zip(predictor(frames()), predictor(arrays), strict=True):
        same(poses, expected)


def test_an_iterator_is_drawn_from_as_its_images_are_needed(predictor):
    drawn = []

    def frames():
        for index in range(10_000):
            drawn.append(index)
            yield np.full((64, 64, 3), index % 255, np.uint8)

    stream = predictor.stream(frames())
    indices = [next(stream)[0].index for _ in range(30)]
    assert indices == list(range(30))
    stream.close()
    assert len(drawn) < 150


def test_memory_does_not_grow_with_the_number_of_images(predictor):
    image = np.zeros((64, 64, 3), np.uint8)
    stream = predictor.stream(image.copy() for _ in range(240))
    tracemalloc.start()
    for _ in range(40):
        next(stream)
    early = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    assert sum(1 for _ in stream) == 200
    late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert late < early + 10 * image.nbytes


def test_an_error_of_the_iterator_comes_after_the_images_before_it(predictor, files):
    def frames():
        yield read_image(files[0])
        yield read_image(files[1])
        raise OSError("the camera has gone")

    stream = predictor.stream(frames())
    assert [next(stream)[0].index for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match="the camera has gone"):
        next(stream)


@pytest.fixture
def damaged(tmp_path, files):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for index in range(3):
        (folder / f"img{index}.png").write_bytes(files[index].read_bytes())
    (folder / "img1.png").write_bytes(files[1].read_bytes()[:200])
    return folder


def test_an_image_that_cannot_be_read_is_named(predictor, damaged):
    with pytest.raises(DataError, match=r"img1\.png"):
        predictor(damaged)


def test_a_stream_goes_on_after_an_image_that_cannot_be_read(predictor, damaged, files, caplog):
    poses = predictor(damaged, on_error="nan")
    assert "img1.png" in caplog.text
    assert poses[1].keypoints.isnan().all()
    assert not poses[1].valid.any()
    assert poses[1].keypoints.shape == poses[0].keypoints.shape
    same(poses[2], predictor(files[2]))


def test_a_function_is_told_of_an_image_that_cannot_be_read(predictor, damaged):
    told = []
    predictor(damaged, on_error=lambda meta, error: told.append((meta.index, str(error))))
    ((index, text),) = told
    assert index == 1
    assert "damaged" in text


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("nowhere.png", r"there is no image nowhere\.png"),
        (["nowhere.png"], r"there is no image nowhere\.png"),
        (np.zeros((4, 4, 3)), "float64 pixels; 8 or 16 bits"),
        (np.zeros((4, 4, 7), np.uint8), r"shape \(4, 4, 7\).* 1, 3 or 4 channels"),
        (torch.zeros(3, 4, 4), "not Tensor"),
        (7, "images are arrays .* not int"),
    ],
)
def test_what_is_no_image_is_refused(predictor, images, message):
    with pytest.raises(DataError, match=message):
        predictor(images)


def test_an_empty_folder_is_refused(predictor, tmp_path):
    with pytest.raises(DataError, match="holds no image"):
        predictor(tmp_path)


def test_a_text_that_is_called_an_image_is_refused(predictor, tmp_path):
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(DataError, match=r"notes\.png is not an image"):
        predictor(tmp_path / "notes.png")


def test_images_of_a_folder_come_in_natural_order(predictor, files, tmp_path):
    for name in ("img10.png", "img9.png", "a/img2.png", "._img1.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(files[0].read_bytes())
    names = [meta.path for meta, _ in predictor.stream(tmp_path)]
    expected = [tmp_path / name for name in ("a/img2.png", "img9.png", "img10.png")]
    assert names == [path.as_posix() for path in expected]


def test_a_batch_that_does_not_fit_is_divided(single, files, caplog):
    predictor = Predictor(single, batch_size=8)
    expected, predict, sizes = predictor(files), predictor._predict, []

    def of_little_memory(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict(batch)

    predictor._predict = of_little_memory
    for poses, one in zip(predictor(files), expected, strict=True):
        same(poses, one, atol=1e-4)
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[3:]) <= 4
    assert predictor.batch_size == 2
    assert "do not fit" in caplog.text


def test_the_automatic_size_grows_as_long_as_it_pays():
    size = BatchSize("auto", torch.device("cpu"))
    seen = []
    while len(seen) < 40:
        count = size.of(1000)
        seen.append(count)
        size.measured(count, 0.1 * max(count, 8))  # nothing is gained beyond 8
    assert sorted(set(seen)) == [1, 2, 4, 8, 16]
    assert size.size == 8


def test_a_wrong_batch_size_is_refused(single):
    with pytest.raises(ValueError, match="give 'auto', or a number from 1 on"):
        Predictor(single, batch_size=0)


def test_options_replace_values_of_the_config(single, files):
    full = Predictor(single, options=["data.test.transform.0.scale=1.0"])
    assert not torch.equal(full(files[0]).keypoints, Predictor(single)(files[0]).keypoints)
    with pytest.raises(ConfigError, match="device"):
        Predictor(single, device="cuda:77")


def test_a_file_that_is_no_checkpoint_is_refused(files, tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        Predictor(tmp_path / "nowhere.pth")
    with pytest.raises(CheckpointError, match="damaged"):
        Predictor(files[0])
