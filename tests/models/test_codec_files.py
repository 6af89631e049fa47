"""Every array of the golden files of codecs is accounted for by a test.

A test that takes a file says by the mark ``codec_file`` which arrays it accounts for, and fails
where it does not take each of its inputs, or does not compare each of its results as a whole.
"""

from __future__ import annotations

import numpy as np
import pytest
from codec_files import CodecFile, marks_in

KINDS = (
    "dekr",
    "dlc_bottomup",
    "dlc_dekr",
    "dlc_simcc",
    "hrnet",
    "simcc",
    "transpose_dark",
    "vitpose_udp",
)


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "golden" / "out"


def test_there_is_no_other_file(folder):
    assert {path.stem for path in folder.glob("codec_*.npz")} == {f"codec_{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def marks(repo):
    return [
        mark
        for path in (repo / "tests").rglob("test_*.py")
        for mark in marks_in(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_is_accounted_for(folder, marks, kind):
    file = CodecFile(folder / f"codec_{kind}.npz")
    accounted = [file.matching(patterns) for name, *patterns in marks if name == file.name]
    assert set(file) - set().union(*accounted) == set()


# -- and what sees to it -----------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "codec_made.npz"
    np.savez(path, **{"in/a": np.zeros(2), "out/b": np.array([1.0, np.nan]), "out/c": np.ones(())})
    return CodecFile(path)


def test_a_mark_is_kept_by_inputs_taken_and_results_compared(file):
    file.compare("out/b", file["in/a"] + [1, np.nan])
    file.check(("in/a", "out/b"))
    with pytest.raises(AssertionError, match=r"names \['out/c'\], which it leaves out"):
        file.check(("in/a", "out/*"))
    with pytest.raises(AssertionError, match=r"leaves out \['in/a'\], which it has"):
        file.check(("out/b",))


def test_a_result_that_is_only_read_is_not_accounted_for(file):
    assert file["out/c"] == 1
    with pytest.raises(AssertionError, match="which it leaves out"):
        file.check(("out/c",))


@pytest.mark.parametrize("ours", [1.0, [1.0], [1.0, 2.0], [np.nan, np.nan], [1.1, np.nan]])
def test_a_result_is_compared_as_a_whole(file, ours):
    with pytest.raises(AssertionError):
        file.compare("out/b", ours)
    with pytest.raises(AssertionError, match="names"):
        file.check(("out/b",))


def test_a_pattern_without_an_array_is_refused(file):
    with pytest.raises(AssertionError, match="codec_made has no arrays"):
        file.check(("out/d*",))


def test_marks_are_read_from_tests():
    source = (
        '@pytest.mark.codec_file("codec_made", "in/a", "out/*")\ndef test_it(codec_file): ...\n'
    )
    assert marks_in(source) == [("codec_made", "in/a", "out/*")]
    assert marks_in(source.replace("test_it", "it")) == []
    assert marks_in(source.replace("(codec_file)", "(label)")) == []
