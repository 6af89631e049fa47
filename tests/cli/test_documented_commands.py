"""The commands that the documents give are commands of dlcreg, and their configs are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dlcreg.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "configs/README.md", "docs/migration.md", "plugins/README.md"]


def shell(text: str) -> str:
    """Return what a text gives to a shell: its blocks, and what stands behind a prompt."""
    blocks = re.findall(r"^```(sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    typed = (
        block if kind == "sh" else "".join(re.findall(r"^\$ (.*\n)", block, re.MULTILINE))
        for kind, block in blocks
    )
    return "".join(typed).replace("\\\n", " ")


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each call of dlcreg that a text gives."""
    parts = re.split(r"\n| && ", shell(text))
    found = (re.match(r"(?:time )?(?:\w+=\S+ )*dlcreg (.*)", part.strip()) for part in parts)
    return [shlex.split(match[1], comments=True) for match in found if match]


def test_commands_are_found_behind_variables_comments_and_others():
    text = (
        "```sh\npip install . && dlcreg demo\n"
        "time X_Y=1 dlcreg train a.py \\\n  --seed 0  # b\n```\n"
        "```console\n$ dlcreg list\ndlcreg list: nothing\n```\n"
    )
    assert commands(text) == [["demo"], ["train", "a.py", "--seed", "0"], ["list"]]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_command_is_one_of_dlcreg(name, capsys):
    wrong = []
    for arguments in commands((ROOT / name).read_text(encoding="utf-8")):
        try:
            build_parser().parse_args(arguments)
        except SystemExit as error:
            if error.code:
                wrong.append((arguments, capsys.readouterr().err))
    assert not wrong


@pytest.mark.parametrize("name", ["README.md", "configs/README.md"])
def test_each_file_that_a_command_names_is_there(name):
    text = shell((ROOT / name).read_text(encoding="utf-8"))
    files = re.findall(r"(?:configs|tools)/[\w/]+\.py", text)
    assert files
    assert [path for path in files if not (ROOT / path).is_file()] == []
