"""DeepLabCut's label tables, ``CollectedData_<scorer>.h5`` and ``.csv``, as plain arrays."""

from __future__ import annotations

import csv
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from dlcreg.errors import ProjectError
from dlcreg.files import written_whole

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("dlcreg")

_KEY = "df_with_missing"
_LEVELS = {("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords")}


@dataclass(frozen=True)
class LabelTable:
    """One table: a row for each image, a column for each coordinate.

    Args:
        path: the file.
        rows: names of the images as written, with forward slashes.
        columns: for each column individual (empty in a single-animal table), body part, and
            ``x`` or ``y``.
        values: float64 ``(rows, columns)``, NaN where nothing is labelled.
    """

    path: Path
    rows: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]
    values: np.ndarray

    @property
    def multianimal(self) -> bool:
        """Whether the table has a row of individuals."""
        return any(individual for individual, _, _ in self.columns)


def read_table(path: Path) -> LabelTable:
    """Return a label table, h5 or csv, old index style or new, made on any system.

    Raises:
        ProjectError: the file is damaged or is no label table.
    """
    rows, levels, header, values = _read_csv(path) if path.suffix == ".csv" else _read_h5(path)
    if tuple(levels) not in _LEVELS:
        raise ProjectError(
            f"{path}: a label table has the header rows scorer, [individuals,] bodyparts, coords; "
            f"this one has {', '.join(map(str, levels)) or 'none'}"
        )
    columns = [(key[-3] if len(levels) == 4 else "", key[-2], key[-1]) for key in header]
    wanted = [i for i, column in enumerate(columns) if column[2] in ("x", "y")]
    columns = [columns[i] for i in wanted]  # a stray likelihood is no label
    twice = sorted({column[:2] for column in columns if columns.count(column) > 1})
    if twice:
        raise ProjectError(f"{path}: {' '.join(twice[0]).strip()} has columns twice; remove one")
    values = values[:, wanted]
    values[~np.isfinite(values)] = np.nan
    rows, values = _unique_rows(path, rows, values)
    return LabelTable(path, tuple(rows), tuple(columns), values)


def forward_slashes(name: str) -> str:
    r"""Return a relative file name with forward slashes, wherever it was written.

    >>> forward_slashes(r"labeled-data\mouse\img01.png")
    'labeled-data/mouse/img01.png'
    """
    return PureWindowsPath(name).as_posix()


def _read_h5(path: Path) -> tuple[list[str], list[str], list[tuple], np.ndarray]:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how old pandas stored things
            frame = pd.read_hdf(path, key=None, mode="r")
    except Exception as error:  # PyTables has errors of many kinds for a damaged file
        raise ProjectError(
            f"{path} cannot be read as a label table: {_fault_of(error)}. "
            "Restore it, or delete it so that the csv file beside it is read"
        ) from error
    if not isinstance(frame, pd.DataFrame):
        raise ProjectError(f"{path} holds no table under {_KEY!r}")
    rows = [_row_name(entry if isinstance(entry, tuple) else (entry,)) for entry in frame.index]
    levels = [str(name) for name in frame.columns.names]
    header = [tuple(map(str, np.atleast_1d(column))) for column in frame.columns]
    try:
        values = frame.to_numpy(dtype=np.float64, copy=True)
    except (TypeError, ValueError) as error:
        raise ProjectError(f"{path}: a label is not a number: {error}") from error
    return rows, levels, header, values


def _fault_of(error: Exception) -> str:
    """Return the line of an error that says what is wrong: HDF5's is the innermost of a trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "End of HDF5 error back trace" in lines:
        return lines[lines.index("End of HDF5 error back trace") - 1]
    return lines[0] if lines else type(error).__name__


def _read_csv(path: Path) -> tuple[list[str], list[str], list[tuple], np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProjectError(f"{path} cannot be read as a label table: {error}") from error
    if text and not text.endswith(("\n", "\r")):
        logger.warning(
            "%s ends within a line: if it was cut off, its last number is not what was written",
            path,
        )
    names = ("scorer", "individuals", "bodyparts", "coords")
    count = 0
    while count < len(lines) and lines[count][1][0] in names:
        count += 1
    head = [line for _, line in lines[:count]]
    levels = [line[0] for line in head]
    if not head:
        return [], [], [], np.zeros((0, 0))
    width = max(len(line) for line in head)
    for number, line in lines:
        _check_width(path, number, line, width)
    # new style: three index columns, whose header cells are empty but for the first
    first = next((i for i, cell in enumerate(head[-1][1:], start=1) if cell), width)
    header = list(zip(*(line[first:] for line in head), strict=True))
    values = np.full((len(lines) - count, len(header)), np.nan)
    rows = []
    for row, (_, line) in enumerate(lines[count:]):
        rows.append(_row_name(tuple(line[:first])))
        for column, cell in enumerate(line[first:width]):
            if cell.strip():
                values[row, column] = _number(cell, path, rows[-1], header[column])
    return rows, levels, header, values


def _check_width(path: Path, number: int, line: list[str], width: int) -> None:
    """Refuse a row that was cut off, or whose decimal commas made cells of their own."""
    if len(line) < width or any(line[width:]):
        fault = "was the file cut off" if len(line) < width else "have numbers decimal commas"
        raise ProjectError(
            f"{path}, line {number} ({line[0]}): {len(line)} cells where the header has {width}; "
            f"{fault}? Restore the file, or correct the line"
        )


def _number(cell: str, path: Path, row: str, column: tuple) -> float:
    try:
        return float(cell)
    except ValueError as error:
        what = " ".join(map(str, column[1:]))
        raise ProjectError(f"{path}, row {row}, {what}: {cell!r} is not a number") from error


def _row_name(parts: tuple) -> str:
    name = "/".join(str(part) for part in parts if str(part))
    return forward_slashes(name)


def _unique_rows(path: Path, rows: list[str], values: np.ndarray) -> tuple[list[str], np.ndarray]:
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        earlier = first.setdefault(row, number)
        if earlier != number and not np.array_equal(
            values[earlier], values[number], equal_nan=True
        ):
            raise ProjectError(
                f"{path}: {row} is labelled twice, with different labels; remove one of the rows"
            )
    keep = sorted(first.values())
    return [rows[i] for i in keep], values[keep]


def write_table(
    folder: Path,
    scorer: str,
    rows: list[str],
    columns: list[tuple[str, str, str]],
    values: np.ndarray,
) -> None:
    """Write ``CollectedData_<scorer>.h5`` and ``.csv`` as DeepLabCut does.

    Args:
        folder: where the two files go.
        scorer: who labelled.
        rows: names of the images, such as ``labeled-data/mouse/img01.png``.
        columns: individual (empty: a single-animal table), body part, ``x`` or ``y``.
        values: float64 ``(rows, columns)``; NaN where nothing is labelled.
    """
    import pandas as pd

    multianimal = any(individual for individual, _, _ in columns)
    keys = [(scorer, *(column if multianimal else column[1:])) for column in columns]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    if not multianimal:
        names.remove("individuals")
    frame = pd.DataFrame(
        values,
        index=pd.MultiIndex.from_tuples([tuple(row.split("/")) for row in rows]),
        columns=pd.MultiIndex.from_tuples(keys, names=names),
    )
    path = folder / f"CollectedData_{scorer}.h5"
    write_frame(frame, path, path.with_suffix(".csv"))


def write_frame(frame: pd.DataFrame, h5: Path, csv: Path) -> None:
    """Write a table as DeepLabCut does, twice, each file whole or not at all.

    Args:
        frame: its rows are images, its columns those of DeepLabCut.
        h5: file for its tools.
        csv: file for people.

    Raises:
        DlcregError: a file cannot be written.
    """
    import tables

    with written_whole(h5) as temporary:
        frame.to_hdf(temporary, key=_KEY, mode="w")
        with tables.open_file(temporary, "a") as file:
            # pandas below 3.1 takes files of newer versions for broken without this
            file.get_node(f"/{_KEY}")._v_attrs.pandas_version = "0.15.2"
    with written_whole(csv) as temporary:
        frame.to_csv(temporary)
