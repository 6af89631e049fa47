"""What commands do that have several things to work on."""

from __future__ import annotations

from argparse import Namespace

import pytest

from dlcreg.cli.several import each


def test_the_others_are_done_where_the_disk_is_full(capsys):
    done = []

    def work(item):
        if item == 2:
            raise OSError(28, "No space left on device")
        done.append(item)

    assert each(Namespace(command="filter"), [1, 2, 3], work) == 2
    assert done == [1, 3]
    assert capsys.readouterr().err == "dlcreg filter: [Errno 28] No space left on device\n"


def test_nothing_more_is_done_where_nobody_reads_the_output(capsys):
    done = []

    def work(item):
        done.append(item)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        each(Namespace(command="filter"), [1, 2], work)
    assert done == [1]
    assert capsys.readouterr().err == ""
