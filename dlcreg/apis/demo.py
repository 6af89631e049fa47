"""The demo: everything from nothing, to see that it works and what comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcreg.apis.results import Result
from dlcreg.apis.settings import read_config
from dlcreg.apis.train import train
from dlcreg.builder import check
from dlcreg.data.demo import generate
from dlcreg.errors import ConfigError, DataError
from dlcreg.solvers.devices import choose_device


def demo(
    work_dir: str | Path = "dlcreg-demo", *, device: str | None = None, epochs: int | None = None
) -> Result:
    """Generate a DeepLabCut project, train dlcreg's default config on it and evaluate.

    Args:
        work_dir: folder to make: the project goes to ``project``, the run to ``run``.
        device: torch device; chosen by default.
        epochs: instead of the config's.

    Raises:
        ConfigError: no such device, or a number of epochs that makes no sense.
        DataError: the folder holds something already.
    """
    options = {} if epochs is None else {"solver.max_epochs": epochs}
    run_dir = Path(work_dir) / "run"
    choose_device(device)  # before the project is there, which would be in the way of another try
    problems = check(read_config(None, options), open_data=False)
    if problems:
        raise ConfigError(problems)
    project = demo_project(work_dir)
    result = train(None, options=options, project=project, work_dir=run_dir, device=device)
    return replace(result, project=project)


def demo_project(work_dir: str | Path = "dlcreg-demo") -> Path:
    """Generate the demo's DeepLabCut project and return its folder, ``project`` in `work_dir`.

    Raises:
        DataError: the folder holds something already.
    """
    work_dir = Path(work_dir)
    if work_dir.exists() and (not work_dir.is_dir() or any(work_dir.iterdir())):
        raise DataError(
            f"{work_dir} is not empty: remove it, or choose another folder with --work-dir."
        )
    return generate(work_dir / "project", size=(240, 320))
