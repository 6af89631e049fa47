"""Wrong readers: each is caught by the check that is meant for it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from dlcreg import DataError, Reader, VideoInfo
from dlcreg.data.video.pyav import PyAVReader
from dlcreg.testing import check_component
from dlcreg.testing.runner import run
from dlcreg.testing.subject import Options, Subject


class Careful(PyAVReader):
    """Keeps the contract.

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)


class NeedsMore(Careful):
    """Cannot be opened by a path alone."""

    def __init__(self, path: str | Path, colour: str) -> None:
        super().__init__(path)


class SaysNo(Careful):
    """Is never asked."""

    @classmethod
    def can_read(cls, path):
        return path.is_file()


class FromOne(Careful):
    """Counts from 1."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, index=frame.index + 1)


class Backwards(Careful):
    """Has times that fall."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, time=1 - frame.time)


class KeepsSome(Careful):
    """Forgets the frames that a decoder holds when the file ends."""

    def frames(self, start=0):
        waiting = deque()
        for frame in super().frames(start):
            waiting.append(frame)
            if len(waiting) > 2:
                yield waiting.popleft()


class BGR(Careful):
    """Has the colours of OpenCV."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, image=frame.image[..., ::-1])


class UpsideDown(Careful):
    """Turns images."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, image=frame.image[::-1, ::-1])


class Grey(Careful):
    """Has one channel."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, image=frame.image[..., 0])


class WidthFirst(Careful):
    """Takes width for height."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.info = replace(self.info, size=self.info.size[::-1])


class Milliseconds(Careful):
    """Has times in another unit."""

    def frames(self, start=0):
        for frame in super().frames(start):
            yield replace(frame, time=1000 * frame.time)


class LastNumber(Careful):
    """Takes the last number for their count."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.info = replace(self.info, num_frames=self.info.num_frames - 1)


class AtKeyFrames(Careful):
    """Begins where a decoder can, and says it was asked for that."""

    def frames(self, start=0):
        for frame in super().frames(start // 4 * 4):
            yield replace(frame, index=frame.index + start % 4)


class CountsAnew(Careful):
    """Counts from where it begins."""

    def frames(self, start=0):
        for index, frame in enumerate(super().frames(start)):
            yield replace(frame, index=index)


class OneBuffer(Careful):
    """Decodes into the same memory."""

    def frames(self, start=0):
        buffer = None
        for frame in super().frames(start):
            if buffer is None:
                buffer = frame.image.copy()
            buffer[:] = frame.image
            yield replace(frame, image=buffer)


class ForgetsItsPlace(Careful):
    """Loses an option when it is pickled."""

    first = 0

    def __setstate__(self, state):
        self.__dict__.update(state, first=1)

    def frames(self, start=0):
        return super().frames(start + self.first)


class Trusts(Reader):
    """Opens anything, and finds out later."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.info = VideoInfo(Path(path), (48, 64), 25.0)

    def frames(self, start=0):
        return PyAVReader(self.path).frames(start)

    def close(self):
        pass


class RaisesAnything(Careful):
    """Leaves errors as a library raises them."""

    def __init__(self, path: str | Path) -> None:
        try:
            super().__init__(path)
        except DataError as error:
            raise RuntimeError(str(error)) from error


def test_a_reader_that_keeps_its_contract_passes():
    results = check_component("readers", Careful)
    assert not [str(one) for one in results if one.status != "passed"]


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (NeedsMore, "opens_by_its_path"),
        (SaysNo, "opens_by_its_path"),
        (FromOne, "frames_in_order"),
        (Backwards, "frames_in_order"),
        (KeepsSome, "all_frames"),
        (BGR, "all_frames"),
        (UpsideDown, "all_frames"),
        (Grey, "frames_in_order"),
        (WidthFirst, "info_is_true"),
        (Milliseconds, "info_is_true"),
        (LastNumber, "info_is_true"),
        (AtKeyFrames, "begins_anywhere"),
        (CountsAnew, "begins_anywhere"),
        (OneBuffer, "frames_stay"),
        (ForgetsItsPlace, "a_copy_reads_the_same"),
        (Trusts, "refuses_what_is_no_video"),
        (RaisesAnything, "refuses_what_is_no_video"),
        (Trusts, "closed_gives_nothing"),
    ],
)
def test_a_wrong_reader_is_caught_by_the_check_that_is_meant_for_it(wrong, check):
    result = run(check, Subject("readers", wrong, Options()))
    assert result.status == "failed"
    assert "Expected: " in result.message
