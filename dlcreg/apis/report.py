"""One HTML page of an evaluation, or of the poses of a video."""

from __future__ import annotations

from pathlib import Path

from dlcreg.apis.report_analysis import analysis_sections
from dlcreg.apis.report_evaluation import evaluation_sections
from dlcreg.apis.report_page import write_page
from dlcreg.data.video import SUFFIXES
from dlcreg.errors import DataError, DlcregError


def report(
    source: str | Path,
    out: str | Path | None = None,
    *,
    video: str | Path | None = None,
    project: str | Path | None = None,
    pcutoff: float = 0.6,
    right_within: float = 0.05,
    worst: int = 8,
) -> Path:
    """Write all that is known of an evaluation or an analysis into one page.

    The page needs no other file and no network. That of an evaluation tells metrics, errors of
    each keypoint and animal, what likelihoods are worth and where to cut them off, the course of
    the training, the worst frames and the origin; nothing is computed by a model. That of an
    analysis tells how much was found, and shows the figures of `dlcreg plot` and the least likely
    frames.

    Args:
        source: a run's folder or checkpoint, whose newest evaluation counts; the folder of an
            evaluation; or the h5 or csv file of an analysis.
        out: the page; None: ``report.html`` in the evaluation's folder, or
            ``<result>_report.html`` beside the result.
        video: of an analysis; None: found beside the result.
        project: of an evaluation: root of the project, if it is no longer where it was.
        pcutoff: of an analysis: likelihood from which a point counts as found.
        right_within: of an evaluation: a point is right if it lies within this share of the longer
            side of its animal's box from the label, or within a pixel.
        worst: how many frames are shown.

    Returns:
        the page.

    Raises:
        DataError: there is nothing to report of, or the video is another one.
        DlcregError: an argument is out of range, or the page cannot be written.
    """
    if not 0 <= pcutoff <= 1:
        raise DlcregError(f"pcutoff={pcutoff:g}: a likelihood lies between 0 and 1")
    if not right_within > 0:
        raise DlcregError(f"right_within={right_within:g}: give a share above 0")
    if worst < 0:
        raise DlcregError(f"worst={worst}: give 0 or more")
    source = Path(source)
    if source.suffix.lower() in (".h5", ".csv"):
        lead, sections = analysis_sections(source, video=video, pcutoff=pcutoff, worst=worst)
        path = Path(out) if out is not None else source.with_name(f"{source.stem}_report.html")
        return write_page(path, f"Analysis of {source.stem}", lead, sections)
    folder = _evaluation_of(source)
    lead, sections = evaluation_sections(
        folder, project=project, right_within=right_within, worst=worst
    )
    path = Path(out) if out is not None else folder / "report.html"
    return write_page(path, f"Evaluation of {folder.resolve().parent.name}", lead, sections)


def _evaluation_of(source: Path) -> Path:
    """Return the folder of an evaluation: of a run or a checkpoint the newest one."""
    if not source.exists():
        raise DataError(f"there is no {source}")
    if source.suffix.lower() in SUFFIXES:
        raise DataError(f"{source} is a video: give the .h5 of its analysis (dlcreg analyze)")
    folder = source if source.is_dir() else source.parent
    if (folder / "metrics.json").is_file():
        return folder
    found = [path.parent for path in folder.glob("evaluation*/metrics.json")]
    if not found:
        raise DataError(f"{folder} holds no evaluation: dlcreg test CHECKPOINT makes one")
    return max(found, key=lambda path: (path / "metrics.json").stat().st_mtime)
