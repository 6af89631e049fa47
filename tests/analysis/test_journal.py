"""A journal keeps what was written whole, whatever ended the writing."""

from __future__ import annotations

import json
import os
import resource
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcreg.analysis.claims import STALE, Claim, holder_of
from dlcreg.analysis.journal import Journal
from dlcreg.errors import DlcregError

HEADER = {"checkpoint": "abc", "settings": {"batch_size": 4}}


def chunk(first, count=3):
    return {"times": np.arange(first, first + count) / 10, "x": np.full((count, 2), first)}


def read(journal):
    return [(c["times"].tolist(), c["x"].tolist()) for c in journal.chunks()]


def test_a_journal_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path, HEADER)
    journal.append(chunk(0))
    journal.close()
    journal = Journal(path, HEADER)
    assert journal.frames == 3
    assert not journal.is_complete
    journal.append(chunk(3, 2))
    journal.complete()
    journal.close()
    journal = Journal(path, HEADER)
    assert journal.frames == 5
    assert journal.is_complete
    assert [times for times, _ in read(journal)] == [[0, 0.1, 0.2], [0.3, 0.4]]
    journal.remove()
    assert not path.exists()


@given(data=st.data())
def test_what_is_broken_off_anywhere_is_cut_off_and_the_rest_stays(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "journal"
    journal, ends = Journal(path, HEADER), [0]
    for first in (0, 3, 6):
        journal.append(chunk(first))
        ends.append(path.stat().st_size)
    journal.close()
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=20))
    path.write_bytes(whole[:cut] + noise if cut > 20 else whole[:cut])
    kept = sum(end <= cut for end in ends[1:])
    journal = Journal(path, HEADER)
    assert journal.frames in (3 * kept, 3 * kept + 3)  # noise may by chance be what was there
    for first in range(journal.frames, 9, 3):
        journal.append(chunk(first))
    journal.close()
    assert path.read_bytes() == whole


def test_a_journal_of_another_analysis_is_refused_and_stays(tmp_path):
    path = tmp_path / "journal"
    Journal(path, HEADER).close()
    before = path.read_bytes()
    with pytest.raises(
        DlcregError, match=r"made with settings.batch_size=4 \(now 8\): .*--overwrite"
    ):
        Journal(path, {**HEADER, "settings": {"batch_size": 8}})
    assert path.read_bytes() == before
    path.write_text("notes of mine")
    with pytest.raises(DlcregError, match="is no journal"):
        Journal(path, HEADER)


def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path, HEADER)
    journal.append(chunk(0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, limits[1]))
    try:
        with pytest.raises(DlcregError, match="3 frames are kept in it"):
            journal.append(chunk(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    journal.close()
    journal = Journal(path, HEADER)
    assert journal.frames == 3
    journal.append(chunk(3))
    assert len(read(journal)) == 2
    journal.close()


def test_a_claim_is_held_by_one_and_taken_over_from_the_dead(tmp_path):
    path = tmp_path / "claim"
    first, second = Claim(path), Claim(path)
    assert first.try_claim()
    first.check()
    assert not second.try_claim()
    assert "process" in holder_of(path)
    first.release()
    assert second.try_claim()
    with pytest.raises(DlcregError, match="taken over"):
        first.check()
    second.release()
    assert list(tmp_path.iterdir()) == []

    path.write_text(json.dumps({"token": "x", "host": "elsewhere", "pid": 1}))
    third = Claim(path)
    assert not third.try_claim()  # it was touched just now
    old = path.stat().st_mtime - 2 * STALE
    os.utime(path, (old, old))
    assert third.try_claim()
    third.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DlcregError, match=r"cannot be written: .*--out"):
        Claim(tmp_path / "file" / "claim").try_claim()
