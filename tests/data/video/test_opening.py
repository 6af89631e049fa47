"""What is no video is told at once, with what to do."""

from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from videos import make_video

from dlcreg import READERS
from dlcreg.contracts import Reader, VideoFrame
from dlcreg.data.video import NotAVideoError, open_video, videos_in
from dlcreg.errors import DataError, PluginError
from dlcreg.recording import VideoInfo


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_file_that_is_no_video_is_refused_with_what_it_is(tmp_path):
    empty, text, image = tmp_path / "a.mp4", tmp_path / "b.txt", tmp_path / "c.png"
    noise, music = tmp_path / "d.mp4", tmp_path / "e.m4a"
    empty.touch()
    text.write_text("frames of a mouse\n" * 100)
    cv2.imwrite(str(image), np.zeros((8, 8, 3), np.uint8))
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    sound(music)
    for path, message in {
        tmp_path / "none.mp4": "there is no video",
        tmp_path: "is a folder",
        empty: "is empty",
        text: "is a text and no video",
        image: "is an image: 'dlcreg predict' is for images",
        noise: "is no video, or its beginning or its index is damaged",
        music: "holds audio, but no video",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            open_video(path)
        assert str(path) in str(caught.value)


def test_a_recording_without_its_index_is_refused_with_what_to_do(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="record or copy it again"):
        open_video(path)


def test_a_video_of_which_no_frame_can_be_decoded_is_refused(tmp_path):
    path = make_video(tmp_path / "a.mp4", 3)
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    with pytest.raises(DataError, match="holds no frame that can be decoded"):
        open_video(path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights do not count here")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = make_video(tmp_path / "a.mp4", 1)
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        open_video(path)


def test_a_reader_of_ones_own_reads_what_pyav_cannot(tmp_path, caplog):
    class RawReader(Reader):
        """Bytes, each of which is a frame."""

        def __init__(self, path: Path):
            self.data = path.read_bytes()
            self.info = VideoInfo(path, (1, 1), 10.0, len(self.data))

        def frames(self, start=0):
            for index, value in enumerate(self.data[start:], start):
                yield VideoFrame(index, index / 10, np.full((1, 1, 3), value, np.uint8))

        def close(self):
            pass

        @classmethod
        def can_read(cls, path):
            return path.suffix == ".raw"

    path = tmp_path / "a.raw"
    path.write_bytes(bytes([7, 8, 9]))
    READERS.register_module(module=RawReader)
    try:
        with open_video(path) as video:
            assert [int(frame.image.max()) for frame in video.frames(1)] == [8, 9]
        assert "RawReader reads it" in caplog.text
        with pytest.raises(DataError):
            open_video(path.rename(tmp_path / "a.mp4"))
    finally:
        READERS.registered.pop("RawReader")
        READERS.module_dict.pop("RawReader")
    with pytest.raises(PluginError, match="there is no reader 'PyAVReder'"):
        open_video(make_video(tmp_path / "b.mp4", 1), "PyAVReder")


def test_videos_of_folders_and_files_come_once_each(tmp_path):
    for name in ("b.mp4", "a.AVI", "c.csv", ".d.mp4", "deep/e.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    odd = tmp_path / "c.csv"
    found = videos_in([tmp_path, tmp_path / "b.mp4", odd])
    assert [path.name for path in found] == ["a.AVI", "b.mp4", "c.csv"]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no video"):
        videos_in([tmp_path / "none"])
    with pytest.raises(NotAVideoError, match="there is no video"):
        videos_in([tmp_path / "x.mp4"])
