"""What `dlcreg plugin new` writes, and what it refuses."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys

import pytest

from dlcreg import registry, scaffold
from dlcreg.cli import main
from dlcreg.errors import DlcregError, PluginError
from dlcreg.files import folder_written_whole


@pytest.fixture
def new(tmp_path):
    """Return `new_plugin`, in an empty folder."""

    def make(kind="head", name="my-head", **options):
        return scaffold.new_plugin(kind, name, out=tmp_path, **options)

    return make


# -- what is written ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["head", "heads"])
def test_the_kind_is_taken_in_the_singular_and_in_the_plural(new, kind):
    made = new(kind)
    assert (made.registry, made.class_name, made.module) == ("heads", "MyHead", "my_head")


def test_every_kind_that_a_user_names_has_a_template():
    templated = {
        registry.REGISTRIES[f"{k}es" if k == "loss" else f"{k}s"] for k in scaffold.kinds()
    }
    assert templated >= {
        registry.BACKBONES, registry.NECKS, registry.HEADS, registry.CODECS, registry.LOSSES,
        registry.OPTIMIZERS, registry.TRANSFORMS, registry.DATASETS, registry.METRICS,
        registry.HOOKS, registry.SCHEDULERS, registry.READERS, registry.TRACKERS,
        registry.WRITERS,
    }  # fmt: skip


def test_the_templates_are_in_the_wheel(repo):
    metadata = configparser.ConfigParser()
    metadata.read(repo / "setup.cfg")
    packed = metadata["options.package_data"]["dlcreg"].split()
    folder = repo / "dlcreg/scaffold/templates"
    for path in folder.rglob("*"):
        name = path.relative_to(repo / "dlcreg")
        assert path.is_dir() or any(name.match(pattern) for pattern in packed), name


def test_a_package_has_all_that_a_published_one_needs(new):
    made = new()
    assert {
        "LICENSE", "README.md", "setup.cfg", "pyproject.toml", "configs/demo.py",
        ".github/workflows/ci.yml", "tests/test_conformance.py", "tests/test_behaviour.py",
        "src/my_head/head.py", "src/my_head/py.typed",
    } <= set(made.files)  # fmt: skip
    assert {str(p.relative_to(made.root)) for p in made.root.rglob("*") if p.is_file()} == set(
        made.files
    )


def test_the_metadata_declares_part_and_api(new):
    metadata = configparser.ConfigParser()
    metadata.optionxform = str
    metadata.read(new(author="Jane Doe", licence="BSD-3-Clause").root / "setup.cfg")
    entry_points = metadata["options.entry_points"]
    assert entry_points["dlcreg.heads"].strip() == "MyHead = my_head.head:MyHead"
    assert entry_points["dlcreg.api"].strip() == "1.0 = my_head"
    assert metadata["metadata"]["author"] == "Jane Doe"
    assert metadata["metadata"]["license"] == "BSD-3-Clause"
    assert metadata["options"]["install_requires"].strip().startswith("dlcreg>=")


def test_an_author_with_a_percent_sign_is_written_as_setup_cfg_reads_it(new):
    root = new(author="Lab at 100 %", licence="MIT").root
    metadata = configparser.ConfigParser()
    metadata.read(root / "setup.cfg")
    assert metadata["metadata"]["author"] == "Lab at 100 %"
    assert "Lab at 100 %\n" in (root / "LICENSE").read_text()


@pytest.mark.parametrize("licence", ["MIT", "BSD-3-Clause", "Apache-2.0"])
def test_the_licence_is_there_word_by_word(new, licence):
    text = (new(licence=licence, author="Jane Doe").root / "LICENSE").read_text()
    assert {"MIT": "MIT License", "BSD-3-Clause": "BSD 3-Clause", "Apache-2.0": "Apache"}[
        licence
    ] in text
    assert ("Jane Doe" in text) == (licence != "Apache-2.0")


@pytest.mark.parametrize("kind", scaffold.kinds())
def test_nothing_is_left_to_fill_in(new, kind):
    made = new(kind, f"acceptance.{kind}-x")
    for file in made.files:
        text = (made.root / file).read_text()
        assert "$" not in text.replace("${{", "").replace('"$DLCREG"', ""), file
        assert f"Acceptance{kind.capitalize()}X" in text or file not in (
            "setup.cfg", "README.md", "configs/demo.py", "tests/test_conformance.py",
            f"src/{made.module}/{kind}.py",
        ), file  # fmt: skip


@pytest.mark.skipif(shutil.which("ruff") is None, reason="ruff is not installed")
def test_the_code_is_clean_and_formatted(new):
    for kind in scaffold.kinds():
        root = new(kind, f"my-{kind}").root
        for command in (["check"], ["format", "--check"]):
            done = subprocess.run(
                ["ruff", *command, "--no-cache", "."], cwd=root, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_class_can_have_a_name_of_its_own(new):
    made = new(name="lab-heads", class_name="RLEHead")
    assert "class RLEHead(Head)" in (made.root / "src/lab_heads/head.py").read_text()


def test_the_command_prints_the_next_commands(tmp_path, capsys):
    assert main(["plugin", "new", "neck", "my-neck", "--out", str(tmp_path / "a b")]) == 0
    commands = capsys.readouterr().out.split("next:\n")[1].splitlines()
    assert [line.strip() for line in commands] == [
        f"cd '{tmp_path}/a b/my-neck'",
        "pip install -e '.[test]'",
        "python -m pytest",
        "dlcreg plugin check my-neck",
        "dlcreg demo --work-dir demo --project-only",
        "dlcreg train configs/demo.py --project demo/project",
    ]


def test_a_kind_that_no_config_names_has_the_command_that_uses_it(new):
    made = new("reader", "my-reader")
    assert not [file for file in made.files if file.startswith("configs")]
    assert made.commands[-1] == "dlcreg analyze demo/run/best.pth clip.npy --reader MyReader"
    readme = (made.root / "README.md").read_text()
    assert "\n".join(made.commands) in readme
    assert "config" not in readme


def test_making_a_package_imports_no_torch(tmp_path):
    code = (
        "import sys; from dlcreg.cli import main; "
        f"main(['plugin', 'new', 'head', 'my-head', '--out', {str(tmp_path)!r}]); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "options", "message"),
    [
        ("hed", "my-head", {}, "there is no kind 'hed'. Did you mean 'head'? Kinds: backbone,"),
        ("model", "my-model", {}, "there is no template for models. Kinds: backbone,"),
        ("head", "my head", {}, "'my head' cannot be the name of a package: it must consist of"),
        ("head", "-head", {}, "start and end with a letter or digit, such as 'my-head'"),
        ("head", "../head", {}, "it must consist of ASCII letters"),
        ("head", "kopf-ü", {}, "it must consist of ASCII letters"),
        ("head", "3d-head", {}, "its module would be '3d_head', which is no identifier"),
        ("head", "lambda", {}, "its module would be 'lambda', which is a keyword of Python"),
        ("head", "torch", {}, "its module 'torch' would hide that of package torch"),
        ("head", "json", {}, "its module 'json' would hide that of Python"),
        ("head", "dlcreg", {}, "its module 'dlcreg' would hide that of package dlcreg"),
        ("head", "heatmap-head", {}, "head 'HeatmapHead' exists already, in dlcreg"),
        ("optimizer", "adam-w", {}, "optimizer 'AdamW' exists already, in torch"),
        ("head", "head", {}, "'Head' cannot be the name of the class: its code uses something"),
        ("head", "codec", {}, "'Codec' cannot be the name of the class: its code uses something"),
        ("head", "my-head", {"class_name": "1Head"}, "'1Head' cannot be the name of a class"),
        ("head", "my-head", {"licence": "GPL"}, "no text of the licence 'GPL'. Known: MIT, BSD"),
        ("head", "my-head", {"author": "A\nB"}, "author must be one line of text, not 'A\\nB'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    new, tmp_path, kind, name, options, message
):
    with pytest.raises(PluginError) as error:
        new(kind, name, **options)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(new, tmp_path):
    (tmp_path / "my-head").mkdir()
    (tmp_path / "my-head/mine.txt").write_text("precious")
    with pytest.raises(
        PluginError, match=r"my-head exists already. Choose another name, or .*--out"
    ):
        new()
    assert [p.name for p in (tmp_path / "my-head").iterdir()] == ["mine.txt"]


def test_the_command_ends_with_2_and_one_line(tmp_path, capsys):
    assert main(["plugin", "new", "hed", "my-head", "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_that_is_not_finished_leaves_nothing_behind(tmp_path):
    def write():
        with folder_written_whole(tmp_path / "whole") as folder:
            (folder / "half.txt").write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(DlcregError, match="whole cannot be written: the disk is full"):
        write()
    assert not list(tmp_path.iterdir())
