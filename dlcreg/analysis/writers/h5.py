"""DeepLabCut's h5 tables."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcreg.analysis.facts import facts_text
from dlcreg.analysis.tables import Layout, blocks, is_single, layout_of
from dlcreg.contracts import Writer
from dlcreg.errors import DlcregError
from dlcreg.files import written_whole
from dlcreg.recording import Recording
from dlcreg.registry import WRITERS

if TYPE_CHECKING:
    import tables

OWN = "dlcreg"
"""The group of what DeepLabCut's table has no place for."""

EXTRAS = ("instance_scores", "boxes", "identities", "identity_scores", "times", "readable")
"""The arrays of a recording that lie in the group, where it has them."""

_LARGEST_HEADER = 60_000  # bytes; HDF5 keeps attributes of up to 64 KiB


@WRITERS.register_module()
class H5Writer(Writer):
    """DeepLabCut's ``.h5``, which its tools, napari, movement, keypoint-moseq and others read.

    The table lies under ``df_with_missing``, that of tracked animals under ``tracks``; its columns
    are scorer, individuals (of a multi-animal recording), bodyparts and coords, unique body parts
    under the individual ``single``; each frame has a row.

    What was not found is NaN. DeepLabCut 3 writes -1 in tables that are not tracks; but its filters
    fill gaps that are NaN and smear -1 into the frames beside them, its tracks have NaN, and all
    that it draws is chosen by likelihood: NaN serves every reader, -1 only those that know of it.

    The table is laid out as pandas 2 does whichever is installed: pandas 3.1 writes files that
    DeepLabCut's cannot read. The group ``dlcreg`` beside it holds what made the file (``facts``,
    JSON) and the other arrays of the recording, so that nothing is lost; pandas passes it over.
    The same recording gives the same bytes.
    """

    suffix = ".h5"

    def write(self, recording: Recording, path: Path) -> None:
        """Write the file; memory does not grow with the video.

        Raises:
            DlcregError: it cannot be written, an individual is called ``single``, or there are
                more columns than HDF5 can name (some 2,500).
        """
        import tables

        layout = layout_of(recording)
        key = "tracks" if recording.tracked and not is_single(recording) else "df_with_missing"
        with written_whole(path) as temporary:
            try:
                with tables.open_file(temporary, "w", title="") as file:
                    _write_table(file, key, layout, recording)
                    _write_extras(file, recording)
            except tables.HDF5ExtError as error:
                raise DlcregError(f"{path} cannot be written: {_fault(error)}") from error


def _write_table(file: tables.File, key: str, layout: Layout, recording: Recording) -> None:
    """Write what ``DataFrame.to_hdf(format='table')`` of pandas 2 does, frame by frame."""
    columns = list(layout.columns)
    if len(pickle.dumps([(1, columns)], 0)) > _LARGEST_HEADER:
        raise DlcregError(
            f"DeepLabCut's h5 tables cannot hold {len(columns)} columns: HDF5 keeps 64 KiB of "
            "names. Write another format, such as csv or parquet"
        )
    width = len(columns)
    row = np.dtype([("index", "<i8"), ("values_block_0", "<f4", (width,))])
    group = file.create_group("/", key)
    table = file.create_table(
        group, "table", row, expectedrows=max(len(recording), 1), track_times=False
    )
    start = 0
    for values in blocks(recording, layout):
        rows = np.empty(len(values), row)
        rows["index"] = np.arange(start, start + len(values))
        rows["values_block_0"] = values
        table.append(rows)
        start += len(values)
    names = list(layout.levels)
    _describe(
        group,
        pandas_type="frame_table",
        pandas_version="0.15.2",  # of this layout, the same for twelve years
        table_type="appendable_frame",
        encoding="UTF-8",
        errors="strict",
        nan_rep="nan",
        levels=1,
        index_cols=[(0, "index")],
        values_cols=["values_block_0"],
        data_columns=[],
        non_index_axes=[(1, columns)],
        info={1: {"names": names, "type": "MultiIndex"}, "index": {}, "values_block_0": {}},
    )
    _describe(
        table,
        index_kind="integer",
        values_block_0_dtype="float32",
        values_block_0_kind=columns,
        values_block_0_meta=None,
    )


def _describe(node: tables.Node, **attributes: Any) -> None:
    for name, value in attributes.items():
        node._v_attrs[name] = value


def _write_extras(file: tables.File, recording: Recording) -> None:
    import tables

    group = file.create_group("/", OWN, "what the table has no place for")
    facts = np.frombuffer(facts_text(recording).encode(), np.uint8)
    file.create_array(group, "facts", facts, "JSON, UTF-8", track_times=False)
    squeezed = tables.Filters(complevel=1, complib="zlib", shuffle=True)
    for name in EXTRAS:
        values = getattr(recording, name)
        if values is None:
            continue
        if values.size:
            node = file.create_carray(group, name, obj=values, filters=squeezed, track_times=False)
        else:  # what has no elements cannot be compressed
            node = file.create_array(group, name, values.ravel(), track_times=False)
        _describe(node, shape=values.shape)


def _fault(error: Exception) -> str:
    """Return the line of HDF5's trace that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "error message" in line or "errno" in line]
    return (told or lines or [type(error).__name__])[0]
