"""The checks of writers: files that are whole, of any recording, or not there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from dlcreg.contracts import Writer
from dlcreg.errors import DlcregError
from dlcreg.recording import Recording, VideoInfo
from dlcreg.testing.results import fail, skip
from dlcreg.testing.subject import INFO, Subject

_MEND = "Write within `with dlcreg.files.written_whole(path) as temporary:`"


def _recording(frames: int = 6, tracked: bool = False, single: bool = False) -> Recording:
    """Return a recording of two animals, or one; the fourth frame could not be read."""
    rng = np.random.default_rng(frames)
    rows, parts = (1 if single else 2), INFO.num_keypoints
    keypoints = rng.uniform(0, 90, (frames, rows, parts, 2)).astype(np.float32)
    scores = rng.uniform(0.1, 1, (frames, rows, parts)).astype(np.float32)
    keypoints[::2, 0, 1], scores[::2, 0, 1] = np.nan, 0
    readable = np.arange(frames) != 3
    keypoints[~readable], scores[~readable] = np.nan, 0
    info = replace(INFO, unique=None, individuals=()) if single else INFO
    unique = None
    if info.unique is not None:
        unique = rng.uniform(0, 1, (frames, info.unique.num_keypoints, 3)).astype(np.float32)
        unique[~readable] = np.nan, np.nan, 0
    return Recording(
        keypoints=keypoints,
        scores=scores,
        instance_scores=scores.mean(axis=-1),
        info=info,
        tracked=tracked,
        individuals=info.individuals,
        unique=unique,
        readable=readable,
        times=np.arange(frames) / 25,
        video=VideoInfo(Path("clip.mp4"), (96, 128), 25.0, frames),
        provenance={"checkpoint": "best.pth", "parts": []},
    )


def _cases(writer: Writer) -> dict[str, Recording]:
    """Return recordings that the writer says it can write."""
    cases = {
        "two animals": _recording(),
        "tracks of two animals": _recording(tracked=True),
        "one animal": _recording(single=True),
        "no frame": _recording(0),
        "one frame": _recording(1),
    }
    return {what: values for what, values in cases.items() if writer.can_write(values)}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _write(writer: Writer, recording: Recording, path: Path) -> None:
    try:
        writer.write(recording, path)
    except DlcregError as error:
        if isinstance(error.__cause__, ImportError):
            skip(f"a library that it needs is not installed: {error.__cause__}")
        raise


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def has_a_suffix(subject: Subject) -> str:
    """`suffix` says what the names of its files end with."""
    suffix = getattr(subject.cls, "suffix", None)
    if not isinstance(suffix, str) or suffix[:1] not in (".", "_") or "." not in suffix:
        fail(
            f"has the suffix {suffix!r}",
            "a text such as '.h5' or '_meta.pickle'",
            'Write suffix = ".mine" in the class',
        )
    if "/" in suffix or "\\" in suffix:
        fail(f"has the suffix {suffix!r}", "the end of a file name, without a folder", "Change it")
    return suffix


def writes_what_it_can(subject: Subject) -> str:
    """It writes every recording that `can_write` accepts, and leaves it as it is."""
    writer: Writer = subject.build()
    cases = _cases(writer)
    if not cases:
        fail(
            "writes none of: one animal, two, tracks, no frame, one frame",
            "a format for one of them at least",
            "Let `can_write` return True for what the format is made for",
        )
    for what, recording in cases.items():
        before = {f.name: np.copy(getattr(recording, f.name)) for f in fields(recording)}
        with _folder() as folder:
            path = folder / f"clip{writer.suffix}"
            _write(writer, recording, path)
            if not path.is_file():
                fail(
                    f"writes {', '.join(_contents(folder)) or 'nothing'} of {what}",
                    "a file at the path that it is given",
                    "Write to `path`; `can_write` may say that the format is not for this",
                )
        for name, value in before.items():
            if value.dtype.kind in "fib" and not np.array_equal(
                value, getattr(recording, name), equal_nan=value.dtype.kind == "f"
            ):
                fail(
                    f"changes {name} of {what}",
                    "the recording as it was: other writers are given it, too",
                    "Copy an array before you change it",
                )
    return f"writes {', '.join(cases)}"


def replaces_a_file(subject: Subject) -> str:
    """A file that is there is replaced."""
    writer: Writer = subject.build()
    for what, recording in _cases(writer).items():
        with _folder() as folder:
            path = folder / f"clip{writer.suffix}"
            path.write_bytes(b"old" * 100_000)
            _write(writer, recording, path)
            if b"oldold" in path.read_bytes():
                fail(
                    f"leaves some of an older file in place when it writes {what}",
                    "the new file alone",
                    _MEND,
                )
    return "an older file gives way"


def whole_or_nothing(subject: Subject) -> str:
    """If writing fails on the way, the older file is what it was and nothing else is there."""
    writer: Writer = subject.build()
    failed = 0
    for what, recording in _cases(writer).items():
        half = len(recording) // 2
        broken = replace(recording, scores=recording.scores[:half])  # fails on the way
        with _folder() as folder:
            path = folder / f"clip{writer.suffix}"
            _write(writer, recording, path)
            before = _contents(folder)
            try:
                writer.write(broken, path)
            except Exception:
                failed += 1
                if _contents(folder) != before:
                    fail(
                        f"leaves {', '.join(sorted(_contents(folder)))} behind, changed, when "
                        f"writing {what} fails",
                        "the older file as it was, and no other",
                        _MEND,
                    )
    return f"{failed} writings failed on the way, and left nothing"


def says_what_cannot_be_written(subject: Subject) -> str:
    """A folder that cannot be written to is a `DlcregError`, which the command line shows."""
    writer: Writer = subject.build()
    for recording in _cases(writer).values():
        with _folder() as folder:
            _write(writer, recording, folder / f"clip{writer.suffix}")  # skips without its library
            (folder / "file").write_text("")
            path = folder / "file" / f"clip{writer.suffix}"
            try:
                writer.write(recording, path)
            except DlcregError as error:
                return str(error).replace(str(folder), "...")
            except Exception as error:
                fail(
                    f"raises {type(error).__name__} where the folder cannot be made",
                    "a DlcregError that names the file",
                    _MEND,
                )
            fail("writes into a folder that is none", "a DlcregError", _MEND)
    skip("it writes none of the recordings of the kit")


CHECKS = (
    has_a_suffix,
    writes_what_it_can,
    replaces_a_file,
    whole_or_nothing,
    says_what_cannot_be_written,
)
