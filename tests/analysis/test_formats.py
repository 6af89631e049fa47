"""Formats by short names."""

import pytest

from dlcreg import WRITERS
from dlcreg.analysis.formats import build_writer, format_names
from dlcreg.contracts import Writer
from dlcreg.errors import DlcregError


def test_short_names_are_those_of_the_classes():
    assert format_names()["h5"] == "H5Writer"
    assert type(build_writer("h5")) is WRITERS.get("H5Writer")
    assert type(build_writer({"type": "CSV"})) is WRITERS.get("CSVWriter")
    assert type(build_writer("dlcreg/CSVWriter")) is WRITERS.get("CSVWriter")


def test_a_plug_in_has_a_short_name_too():
    @WRITERS.register_module()
    class MoSeqWriter(Writer):
        suffix = ".moseq"

        def write(self, recording, path):
            pass

    assert isinstance(build_writer("moseq"), MoSeqWriter)


def test_an_unknown_format_is_said():
    with pytest.raises(
        DlcregError, match=r"no format 'h6'. Did you mean 'h5'\? Known: assemblies, coco"
    ):
        build_writer("h6")
    with pytest.raises(DlcregError, match="sufix"):
        build_writer({"type": "h5", "sufix": 1})
