"""Image files of every kind, and the cache of decoded frames."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcreg.data import cache as cache_module
from dlcreg.data.cache import FrameCache
from dlcreg.data.images import image_size, read_image
from dlcreg.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)


def test_colours_come_in_the_order_red_green_blue(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), PIXELS[:, :, ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PIXELS)


def test_grey_deep_and_transparent_images_become_three_channels_of_8_bits(tmp_path):
    grey = PIXELS[:, :, 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 256 + 99)
    cv2.imwrite(str(tmp_path / "deep.tif"), grey.astype(np.uint16) * 256 + 99)
    Image.fromarray(np.dstack([PIXELS, grey]), "RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(PIXELS).quantize(256).save(tmp_path / "palette.png")
    for name in ("grey.png", "deep.png", "deep.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), np.dstack([grey] * 3))
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), PIXELS)
    assert read_image(tmp_path / "palette.png").shape == PIXELS.shape


def test_deep_colour_is_cut_to_its_upper_bits_as_opencv_does(tmp_path):
    deep = PIXELS.astype(np.uint16) * 256 + 200
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    expected = cv2.imread(str(tmp_path / "deep.png"))[:, :, ::-1]
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_camera_is_obeyed_as_opencv_does(tmp_path, orientation):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))).save(path, exif=exif, quality=95)
    image = read_image(path)
    expected = cv2.imread(str(path))[:, :, ::-1]
    assert image.shape == expected.shape
    assert image_size(path) == image.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("late", [False, True])
def test_the_orientation_of_a_png_file_is_obeyed_as_opencv_does(tmp_path, orientation, late):
    path = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(path, exif=exif)
    whole = path.read_bytes()
    if late:  # behind the pixels, where some programs add it
        start, end = whole.index(b"eXIf") - 4, whole.index(b"IDAT") - 4
        path.write_bytes(whole[:start] + whole[end:-12] + whole[start:end] + whole[-12:])
    image = read_image(path)
    np.testing.assert_array_equal(image, cv2.imread(str(path))[:, :, ::-1])
    assert image_size(path) == image.shape[:2]


def test_damaged_images_are_named(tmp_path):
    for name in ("a.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), np.kron(PIXELS, np.ones((9, 9, 1), np.uint8)))
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=rf"the image .*{name} is damaged"):
            read_image(tmp_path / name)
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(DataError, match=r"b\.png is not an image that can be read"):
        read_image(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"there is no image .*c\.png"):
        read_image(tmp_path / "c.png")
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match="8 or 16 bits per channel are read"):
        read_image(tmp_path / "f.tif")


def test_an_image_too_large_to_be_meant_is_told(tmp_path, monkeypatch):
    Image.new("L", (300, 300)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"a\.png .*exceeds limit"):
            read(tmp_path / "a.png")


# -- the cache ---------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((10, 10, 3), i, np.uint8))
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded, in order."""
    names = []

    def counting(path):
        names.append(os.path.basename(path))
        return read_image(path)

    monkeypatch.setattr(cache_module, "read_image", counting)
    return names


def test_a_frame_is_decoded_once_and_cannot_be_drawn_on(files, decoded):
    cache = FrameCache(files)
    for _ in range(3):
        assert [int(cache[i][0, 0, 0]) for i in range(4)] == [0, 1, 2, 3]
    assert len(decoded) == 4
    with pytest.raises(ValueError, match="read-only"):
        cache[0][:] = 1


def test_what_does_not_fit_into_memory_is_mapped_from_files(files, decoded, tmp_path):
    cache = FrameCache(files, budget=700, folder=tmp_path / "frames")
    for _ in range(3):
        assert [int(cache[i][0, 0, 0]) for i in range(4)] == [0, 1, 2, 3]
    assert len(decoded) == 4
    assert len(list((tmp_path / "frames").rglob("*.npy"))) == 2
    assert isinstance(cache[3], np.memmap)


def test_the_files_go_with_the_cache(files, tmp_path):
    cache = FrameCache(files, budget=1, folder=tmp_path / "frames")
    cache[0]
    assert cache.folder.is_dir()
    folder = cache.folder
    del cache
    assert not folder.exists()


def test_files_of_killed_runs_are_swept_away(files, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    left = tmp_path / "frames" / f"dlcreg-frames-{child.pid}-abc"
    alive = tmp_path / "frames" / f"dlcreg-frames-{os.getpid()}-abc"
    left.mkdir(parents=True)
    alive.mkdir()
    FrameCache(files, budget=1, folder=tmp_path / "frames")[0]
    assert not left.exists()
    assert alive.exists()


def test_no_budget_keeps_nothing(files, decoded, tmp_path):
    cache = FrameCache(files, budget=0, folder=tmp_path / "frames")
    cache[0], cache[0]
    assert len(decoded) == 2
    assert not (tmp_path / "frames").exists()


def test_a_disk_without_room_costs_speed_and_not_the_run(files, decoded, tmp_path):
    blocked = tmp_path / "frames"
    blocked.write_text("a file where the folder would be")
    cache = FrameCache(files, budget=1, folder=blocked)
    assert int(cache[2][0, 0, 0]) == 2
    assert int(cache[2][0, 0, 0]) == 2
    assert len(decoded) == 2
