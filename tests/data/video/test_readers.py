"""Every video gives its frames: all of them, the right way up, at the right time."""

from __future__ import annotations

import av
import numpy as np
import pytest
from videos import damage, make_video, packets_of

from dlcreg.data.video import open_video
from dlcreg.data.video.opencv import OpenCVReader
from dlcreg.data.video.pyav import PyAVReader

READERS = [PyAVReader, OpenCVReader]
GOPS = {"g": "6", "bf": "2"}


def read(path, reader=None, start=0):
    with open_video(path, reader) as video:
        return list(video.frames(start))


def same(a, b):
    if (a.index, a.time, a.error, a.image is None) != (b.index, b.time, b.error, b.image is None):
        return False
    return a.image is None or np.array_equal(a.image, b.image)


@pytest.mark.parametrize("reader", READERS)
def test_frames_come_in_order_with_their_times_and_pixels(reader, tmp_path):
    pictures = [np.full((48, 64, 3), 10 * i, np.uint8) for i in range(20)]
    path = make_video(tmp_path / "a.mp4", pictures, **GOPS)
    with open_video(path, reader) as video:
        assert video.info.path == path
        assert video.info.size == (48, 64)
        assert video.info.fps == 25
        assert video.info.num_frames == 20
        frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(20) / 25)
    for picture, frame in zip(pictures, frames, strict=True):
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert abs(int(frame.image.mean()) - int(picture.mean())) <= 3


@pytest.mark.parametrize(
    ("reader", "turn"),
    [
        *((r, {"degrees": d, "hflip": False}) for r in READERS for d in (90, 180, 270)),
        *((PyAVReader, {"degrees": d, "hflip": True}) for d in (0, 90, 180, 270)),
    ],
)
def test_a_rotated_video_is_seen_as_it_is_shown(reader, turn, tmp_path):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    path = make_video(tmp_path / "a.mp4", [picture] * 2, pix_fmt="yuv444p", rotated=turn)
    expected = np.rot90(picture, turn["degrees"] // 90)  # which also turns against the clock
    expected = expected[:, ::-1] if turn["hflip"] else expected
    with open_video(path, reader) as video:
        frame = next(iter(video.frames()))
        assert video.info.size == expected.shape[:2] == frame.image.shape[:2]
    corners = (slice(8, None, 16),) * 2
    assert np.abs(frame.image[corners].astype(int) - expected[corners]).max() < 20


def test_times_of_a_video_of_variable_rate_are_those_of_its_frames(tmp_path):
    times = [0, 10, 100, 130, 400, 410, 900, 1000]
    path = make_video(tmp_path / "a.mp4", 8, times=times, **GOPS)
    assert [frame.time for frame in read(path)] == pytest.approx([t / 1000 for t in times])


def exact(frame, red, blue, is_full):
    """Return the RGB of the planes of a 10-bit 4:2:0 frame, by the definitions of ITU-R BT.601.

    Colours are interpolated, sited at the left columns and between rows, as in H.264.
    """
    planes = [np.frombuffer(p, np.uint16).reshape(p.height, -1)[:, : p.width] for p in frame.planes]
    height, width = frame.height, frame.width

    def whole(plane):
        rows, columns = np.arange(plane.shape[0]), np.arange(plane.shape[1])
        plane = [np.interp(np.arange(width) / 2, columns, row) for row in plane]
        plane = [np.interp((np.arange(height) - 0.5) / 2, rows, row) for row in np.array(plane).T]
        return np.array(plane).T - 512

    luma, colour, black = (1023, 1023, 0) if is_full else (876, 896, 64)
    y, u, v = (
        (planes[0] - float(black)) / luma,
        whole(planes[1]) / colour,
        whole(planes[2]) / colour,
    )
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.stack([r, g, b], -1), 0, 1) * 255


@pytest.mark.parametrize("matrix", ["smpte170m", "bt709"])
@pytest.mark.parametrize("is_full", [False, True])
def test_the_pixels_of_10_bits_are_those_of_the_planes_to_one_grey_level(matrix, is_full, tmp_path):
    told = f"fullrange={'on' if is_full else 'off'}:colormatrix={matrix}"
    options = {"pix_fmt": "yuv420p10le", "crf": "10", "x264-params": told}
    path = make_video(tmp_path / "a.mp4", 3, **options)
    with av.open(str(path)) as container:
        stored = list(container.decode(video=0))
    red, blue = (0.2126, 0.0722) if matrix == "bt709" else (0.299, 0.114)
    for frame, planes in zip(read(path), stored, strict=True):
        expected = exact(planes, red, blue, is_full)
        assert np.ptp(expected) > 150
        assert np.abs(frame.image - expected).max() < 1.5


def test_the_pixels_of_8_bits_are_those_that_opencv_sees(tmp_path):
    path = make_video(tmp_path / "a.mp4", 3, crf="10")
    for ours, theirs in zip(read(path, PyAVReader), read(path, OpenCVReader), strict=True):
        assert np.array_equal(ours.image, theirs.image)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", {"pix_fmt": "yuv420p10le"}),
        (".mkv", {"codec": "ffv1", "pix_fmt": "gray"}),
        (".mp4", {"size": (47, 63), "pix_fmt": "yuv444p"}),
        (".mp4", {"frames": 1}),
        (".avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        (".avi", {"codec": "mpeg4", "bf": "2", "g": "6"}),
        (".webm", {"codec": "libvpx-vp9", "auto-alt-ref": "1", "lag-in-frames": "8", "g": "8"}),
        (".h264", GOPS),
    ],
)
def test_every_kind_of_video_gives_all_its_frames(suffix, options, tmp_path):
    path = make_video(tmp_path / f"a{suffix}", **options)
    frames, size = read(path), options.get("size", (48, 64))
    assert [frame.index for frame in frames] == list(range(options.get("frames", 20)))
    assert all(frame.image.shape == (*size, 3) for frame in frames)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", GOPS),
        (".mkv", {"x264-params": "open-gop=1:keyint=6:bframes=2"}),
        (".avi", {"codec": "mpeg4", "bf": "2", "g": "6"}),
        (".webm", {"codec": "libvpx-vp9", "g": "6"}),
        (".h264", GOPS),
    ],
)
def test_a_read_that_begins_later_gives_the_same_frames(suffix, options, tmp_path):
    path = make_video(tmp_path / f"a{suffix}", 30, **options)
    whole = read(path)
    for start in (1, 5, 6, 7, 17, 23, 29, 30, 40):
        later = read(path, start=start)
        assert len(later) == max(0, 30 - start)
        assert all(map(same, later, whole[start:]))


@pytest.mark.parametrize("packet", [3, 7, 27, 28, 29])
def test_a_damaged_frame_is_missing_in_its_own_place(packet, tmp_path):
    path = make_video(tmp_path / "a.mp4", 30, **GOPS)
    sound = read(path)
    (missing,) = damage(path, packet)
    frames = read(path)
    assert [frame.index for frame in frames if frame.image is None] == [missing]
    assert frames[missing].error == "it is damaged and cannot be decoded"
    assert [frame.time for frame in frames] == [frame.time for frame in sound]
    assert all(map(same, frames[: min(missing, 6)], sound))
    for start in (1, missing, missing + 1, 20):
        assert all(map(same, read(path, start=start), frames[start:]))


def test_what_follows_a_damaged_key_frame_is_the_same_wherever_reading_begins(tmp_path):
    path = make_video(tmp_path / "a.mp4", 40, **GOPS)
    missing = damage(path, 6, 12, 18)
    frames = read(path)
    assert all(frames[index].image is None for index in missing)
    for start in (7, 13, 18, 24, 31):
        assert all(map(same, read(path, start=start), frames[start:]))
    for threads in (1, 4):
        assert all(map(same, PyAVReader(path, thread_count=threads).frames(), frames))


def test_a_file_that_was_cut_off_gives_what_it_has_and_says_what_is_missing(tmp_path):
    path = make_video(tmp_path / "a.mp4", 30, movflags="faststart", **GOPS)
    whole = read(path)
    _, position, size = packets_of(path)[17]
    path.write_bytes(path.read_bytes()[: position + size // 2])
    frames = read(path)
    assert len(frames) == 30
    there = [frame.index for frame in frames if frame.image is not None]
    assert 15 <= len(there) <= 17
    assert all(same(frames[index], whole[index]) for index in range(15))
    assert frames[29].error == "the file ends before it"
    assert all(map(same, read(path, start=10), frames[10:]))


def test_frames_of_another_size_are_scaled_to_that_of_the_video(tmp_path):
    first = make_video(tmp_path / "a.h264", 2, size=(48, 64))
    second = make_video(tmp_path / "b.h264", 2, size=(96, 128))
    path = tmp_path / "both.h264"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert [frame.image.shape for frame in read(path)] == [(48, 64, 3)] * 4


def test_videos_that_were_put_together_have_all_their_frames_and_rising_times(tmp_path):
    path = make_video(tmp_path / "a.ts", 30, codec="mpeg2video", bf="2", g="6")
    path.write_bytes(2 * path.read_bytes())
    frames = read(path)
    assert [frame.index for frame in frames] == list(range(60))
    assert all(frame.image is not None for frame in frames)
    assert np.diff([frame.time for frame in frames]).min() > 0
    assert all(map(same, read(path, start=40), frames[40:]))


def test_a_closed_reader_gives_no_more_frames(tmp_path):
    path = make_video(tmp_path / "a.mp4", 5)
    for reader in READERS:
        video = open_video(path, reader)
        frames = video.frames()
        next(frames)
        video.close()
        video.close()
        assert len(list(frames)) < 4
