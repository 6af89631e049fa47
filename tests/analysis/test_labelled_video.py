"""A labelled video shows the poses, each frame when it was, whole or not at all."""

from __future__ import annotations

import av
import numpy as np
import pytest

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.labelled_video import write_labelled_video
from dlcreg.analysis.painting import Painter
from dlcreg.contracts import Reader, VideoFrame
from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording, VideoInfo
from dlcreg.structures import DatasetInfo

SIZE = (47, 63)  # odd, as H.264 has it not


class Frames(Reader):
    """A video of frames that are there already; those that are None cannot be decoded."""

    def __init__(self, images, times):
        self.info = VideoInfo("frames", SIZE, 20.0, len(images))
        self.images, self.times = images, times

    def frames(self, start=0):
        for index, (image, time) in enumerate(zip(self.images, self.times)):
            yield VideoFrame(index, time, image)

    def close(self):
        pass


def _recording(points, scores, **more) -> Recording:
    points, scores = np.asarray(points, np.float32), np.asarray(scores, np.float32)
    names = tuple(f"k{k}" for k in range(points.shape[2]))
    info = DatasetInfo(names, skeleton=((0, 1),) if len(names) > 1 else ())
    return Recording(points, scores, scores.mean(axis=-1), info, **more)


def _grey(count):
    return [np.full((*SIZE, 3), 120, np.uint8) for _ in range(count)]


def _painted(recording, frame=0, **options):
    image = _grey(1)[0]
    Painter(recording, SIZE, dot=4, **options).paint(image, frame)
    return image


def test_points_are_solid_from_the_cutoff_on_and_rings_below():
    points = [[[[15.0, 20.0], [45.0, 20.0]]]]
    image = _painted(_recording(points, [[[0.9, 0.3]]]))
    assert abs(image[20, 15].astype(int) - (255, 45, 45)).max() < 3  # the first colour
    assert (image[20, 45] == 120).all()  # the middle of a ring is as it was
    assert (image[20, 49] != 120).any()


def test_a_ring_is_the_fainter_the_less_likely_its_point_is():
    points = [[[[15.0, 20.0]]]]
    far = [
        np.abs(_painted(_recording(points, [[[score]]])).astype(int) - 120).sum()
        for score in (0.05, 0.3, 0.55)
    ]
    assert 0 < far[0] < far[1] < far[2]


@pytest.mark.parametrize("at", [(-500.0, 20.0), (0.0, 0.0), (62.0, 46.0), (1e9, 5.0), (63.4, -2.0)])
@pytest.mark.parametrize("score", [0.1, 0.9])
def test_points_at_the_border_and_beyond_are_drawn_as_far_as_they_are_seen(at, score):
    recording = _recording([[[at, (30.0, 20.0)]]] * 2, [[[score, 0.9]]] * 2)
    image = _painted(recording, 1, skeleton=True, trail=1, boxes=True)
    assert (image[20, 30] != 120).any()


def test_what_is_missing_is_not_drawn():
    nothing = _recording(np.full((1, 2, 2, 2), np.nan), np.zeros((1, 2, 2)))
    options = dict(trail=5, skeleton=True, boxes=True)
    assert (_painted(nothing, **options) == 120).all()
    assert (_painted(nothing, frame=7, **options) == 120).all()  # a frame that nobody analysed


def test_trails_join_what_is_one_animal_and_nothing_else():
    points = np.zeros((2, 2, 1, 2), np.float32)
    points[0, :, 0] = (10, 10), (50, 10)
    points[1, :, 0] = (10, 40), (50, 40)
    scores = np.ones((2, 2, 1))
    alone = _painted(_recording(points, scores), 1)
    tracks = _recording(points, scores, tracked=True, individuals=("anne", "bert"))
    joined = _painted(tracks, 1, trail=3, names=False)
    apart = _painted(_recording(points, scores), 1, trail=3)
    assert (alone[25, 10] == 120).all()
    assert (joined[25, 10] != 120).any()
    assert (apart[25, 10] == 120).all()
    assert (apart[10, 10] != 120).any()


def test_individuals_have_a_colour_each_that_follows_identities():
    points = np.array([[[[15.0, 20.0]], [[45.0, 20.0]]]])
    who = np.array([[1, 0]])
    names = dict(individuals=("anne", "bert"), identities=who)
    image = _painted(_recording(points, [[[0.9], [0.9]]], **names), color_by="individual")
    other = _painted(
        _recording(points, [[[0.9], [0.9]]], individuals=("anne", "bert"), tracked=True),
        color_by="individual",
    )
    assert (image[20, 15] == other[20, 45]).all()
    assert (image[20, 15] != image[20, 45]).any()


def test_each_frame_is_shown_when_it_was(tmp_path):
    times = [0.0, 0.05, 0.2, 0.25, 0.9]  # of a variable rate
    recording = _recording(np.full((5, 1, 1, 2), 20.0), np.ones((5, 1, 1)))
    reader, path = Frames(_grey(5), times), tmp_path / "x.mp4"
    made = write_labelled_video(reader, Painter(recording, SIZE), path)
    assert (made.frames, made.unreadable) == (5, 0)
    with av.open(str(path)) as video:
        frames = list(video.decode(video=0))
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, 48)
        assert stream.duration * stream.time_base == pytest.approx(0.95, abs=0.01)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    shown = frames[0].to_ndarray(format="rgb24")
    assert abs(shown[5, 50].astype(int) - 120).max() < 6  # colours come back
    assert abs(shown[20, 20].astype(int) - 120).max() > 60


def test_a_frame_that_cannot_be_decoded_shows_the_one_before_it(tmp_path):
    images = [np.full((*SIZE, 3), 200, np.uint8), None, np.full((*SIZE, 3), 50, np.uint8)]
    recording = _recording(np.full((3, 1, 1, 2), np.nan), np.zeros((3, 1, 1)))
    path = tmp_path / "x.mp4"
    made = write_labelled_video(Frames(images, [0, 0.1, 0.2]), Painter(recording, SIZE), path)
    assert (made.frames, made.unreadable) == (3, 1)
    with av.open(str(path)) as video:
        shown = [f.to_ndarray(format="gray").mean() for f in video.decode(video=0)]
    assert shown[1] == pytest.approx(shown[0], abs=4)
    assert shown[2] < 100


def test_a_video_without_a_frame_leaves_no_file(tmp_path):
    recording = _recording(np.zeros((1, 1, 1, 2)), np.ones((1, 1, 1)))
    for images in ([], [None]):
        with pytest.raises(DataError, match="no frame of frames can be decoded"):
            write_labelled_video(Frames(images, [0]), Painter(recording, SIZE), tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_error_on_the_way_leaves_no_file(tmp_path):
    def frames():
        yield encodable(_grey(1)[0]), 0.0
        raise DataError("the disk is gone")

    with pytest.raises(DataError, match="the disk is gone"):
        write_video(tmp_path / "x.mp4", frames(), 20)
    assert list(tmp_path.iterdir()) == []


def test_times_that_stand_still_are_moved_on(tmp_path):
    frames = [(encodable(image), 0.5) for image in _grey(3)]
    assert write_video(tmp_path / "x.mp4", frames, 20) == 3
    with av.open(str(tmp_path / "x.mp4")) as video:
        assert len(list(video.decode(video=0))) == 3


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DlcregError, match="cannot be written"):
        write_video(tmp_path / "file/x.mp4", [(encodable(_grey(1)[0]), 0.0)], 20)
