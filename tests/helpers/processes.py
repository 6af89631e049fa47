"""New Python processes for the tests, without the seconds that each takes to import torch.

One process imports the libraries that dlcreg builds on, and nothing of dlcreg. Each process that a
test asks for is forked from it: it runs a script, a module or some code with the arguments, the
folder and the output of its own that a process started by a shell would have.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch", "torchvision", "mmengine", "mmengine.runner", "albumentations", "scipy.ndimage",
    "pandas", "matplotlib.pyplot",
)  # fmt: skip

_END = "end"


class Processes:
    """Starts processes, one at a time.

    Use it as a context manager, so that what they are forked from ends as well.

    Args:
        python: the interpreter.
    """

    def __init__(self, python: str | Path = sys.executable) -> None:
        command = [python, __file__, *LIBRARIES]
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        # by a word: a process that was forked here in the meantime, such as a worker of a loader,
        # holds the other end of the pipe, and closing it would not be seen
        self._server.communicate(json.dumps(_END) + "\n")

    def start(self, *args: str | Path, cwd: Path, output: Path, errors: Path, **env: str) -> int:
        """Start `python ARGS` and return its process id, which is that of its group, too.

        Args:
            args: what follows `python` on a command line.
            cwd: the folder it runs in.
            output: a file that takes its standard output.
            errors: a file that takes its standard error.
            env: environment variables beside those of this process.
        """
        environment = {**os.environ, **env}
        values = [list(map(str, args)), str(cwd), str(output), str(errors), environment]
        return self._ask(values)

    def wait(self) -> int:
        """Return the exit status of the process that was started last; -N if signal N ended it."""
        return self._ask(None)

    def run(
        self, *args: str | Path, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python ARGS` to its end."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            self.start(*args, cwd=cwd or Path.cwd(), output=output, errors=errors, **env)
            status = self.wait()
            texts = [file.read_text() for file in (output, errors)]
        return subprocess.CompletedProcess(["python", *map(str, args)], status, *texts)

    def _ask(self, message: Any) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(message) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def _serve() -> None:
    """Answer each line of the standard input with a process id, or with an exit status."""
    path = sys.path[1:]
    for library in sys.argv[1:]:
        importlib.import_module(library)
    child = 0
    for line in sys.stdin:
        message = json.loads(line)
        if message == _END:
            return
        if message is None:
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            answer = child = os.fork()
            if child == 0:
                return _become(path, *message)
        print(answer, flush=True)


def _become(
    path: list[str], args: list[str], cwd: str, output: str, errors: str, env: dict[str, str]
) -> None:
    """Be the process that `python ARGS` starts."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in ((1, output), (2, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    what, *rest = args
    if what not in ("-m", "-c"):
        sys.path[:] = [str(Path(what).parent), *path]
        sys.argv[:] = args
        runpy.run_path(what, run_name="__main__")
        return
    name, *rest = rest
    sys.path[:] = ["", *path]
    sys.argv[:] = [what, *rest]
    if what == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _serve()
