"""Wrong writers: each is caught by the check that is meant for it."""

from __future__ import annotations

import numpy as np
import pytest

from dlcreg import Writer
from dlcreg.files import written_whole
from dlcreg.testing import check_component


class Numbers(Writer):
    """The keypoints, one frame a line."""

    suffix = ".txt"

    def write(self, recording, path):
        with written_whole(path) as temporary, temporary.open("w") as file:
            for keypoints, scores in zip(recording.keypoints, recording.scores, strict=True):
                file.write(f"{keypoints.tolist()} {scores.tolist()}\n")


class NoSuffix(Numbers):
    """Forgets the dot."""

    suffix = "txt"


class InPlace(Numbers):
    """Writes where the file is to be."""

    def write(self, recording, path):
        with path.open("w") as file:
            for keypoints, scores in zip(recording.keypoints, recording.scores, strict=True):
                file.write(f"{keypoints.tolist()} {scores.tolist()}\n")


class Appends(Numbers):
    """Adds to what is there."""

    def write(self, recording, path):
        old = path.read_bytes() if path.exists() else b""
        with written_whole(path) as temporary:
            temporary.write_bytes(old + recording.keypoints.tobytes())


class Elsewhere(Numbers):
    """Writes under another name."""

    def write(self, recording, path):
        super().write(recording, path.with_suffix(".text"))


class Fills(Numbers):
    """Fills gaps in what it is given."""

    def write(self, recording, path):
        np.nan_to_num(recording.keypoints, copy=False)
        super().write(recording, path)


class Nothing(Numbers):
    """Is made for no recording."""

    def can_write(self, recording):
        return False


@pytest.mark.parametrize(
    ("writer", "check"),
    [
        (NoSuffix, "has_a_suffix"),
        (InPlace, "whole_or_nothing"),
        (InPlace, "says_what_cannot_be_written"),
        (Appends, "replaces_a_file"),
        (Elsewhere, "writes_what_it_can"),
        (Fills, "writes_what_it_can"),
        (Nothing, "writes_what_it_can"),
    ],
)
def test_a_wrong_writer_is_caught(writer, check):
    results = {result.check: result for result in check_component("writers", writer)}
    assert results[check].status == "failed", results[check]


def test_a_right_writer_passes_the_checks_of_writers():
    results = check_component("writers", Numbers)
    own = {result.check: result.status for result in results}
    assert own["whole_or_nothing"] == own["replaces_a_file"] == "passed"
    assert own["says_what_cannot_be_written"] == own["writes_what_it_can"] == "passed"
