"""What the author of a part sees of the kit: names, results, messages, parametrised tests."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from dlcreg import Codec, Loss
from dlcreg.registry import REGISTRIES
from dlcreg.testing import check_component, checks_for, parametrize_with_checks
from dlcreg.wiring import construct


class Broken(Loss):
    """Raises."""

    def forward(self, output, target, weight):
        raise KeyError("places")


class NeedsDepth(Codec):
    """Needs what is not wired.

    Args:
        depth: of something.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def output_channels(self, num_keypoints): ...
    def encode(self, instances, size): ...
    def decode(self, outputs, size): ...


def messages(*args, **options) -> dict[str, str]:
    return {r.check: r.message for r in check_component(*args, **options) if r.status == "failed"}


def test_there_is_a_result_for_each_check_in_order():
    results = check_component("losses", "MSELoss")
    assert tuple(result.check for result in results) == checks_for("losses")
    assert all(result.message for result in results)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_kind_has_the_checks_of_every_kind(kind):
    common = ("found_by_name", "documented", "annotated", "builds", "picklable", "import_cost")
    assert checks_for(kind)[: len(common)] == common


def test_a_failure_says_what_was_seen_what_was_expected_and_how_to_mend_it():
    message = messages("losses", Broken)["scalar"]
    assert message.startswith("Broken raises KeyError: 'places' (")
    assert f"test_kit.py:{Broken.forward.__code__.co_firstlineno + 1})" in message
    assert "Expected: no error; the check asks: it gives one finite number" in message


def test_a_name_that_is_not_known_is_a_result_with_the_registry_s_message():
    results = check_component("heads", "HeatmapHed")
    assert [r.check for r in results if r.status == "failed"] == ["found_by_name"]
    assert "Did you mean 'HeatmapHead'?" in results[0].message
    assert all("see 'found_by_name'" in r.message for r in results[1:])


def test_a_part_that_cannot_be_built_says_which_arguments_to_give_and_is_tried_no_further():
    found = messages("codecs", NeedsDepth)
    assert list(found) == ["builds"]
    assert "NeedsDepth needs 'depth'" in found["builds"]
    assert "Give arguments=dict(...)" in found["builds"]


def test_a_wrong_argument_is_told_as_for_a_config():
    found = messages("codecs", "GaussianHeatmap", arguments=dict(sigme=2))
    assert "Did you mean 'sigma'?" in found["builds"]


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(ValueError, match=r"there is no kind 'head'\. Kinds: models, backbones"):
        check_component("head", "HeatmapHead")
    with pytest.raises(ValueError, match="there is no kind 'head'"):
        checks_for("head")


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="colour"):
        check_component("losses", "MSELoss", colour="red")


def parameters(*args):
    return parametrize_with_checks(*args).args[1]


def test_each_check_becomes_a_test_with_a_name():
    ids = [p.id for p in parameters([("losses", "MSELoss"), ("losses", Broken)])]
    assert ids[0] == "losses/MSELoss-found_by_name"
    assert len(ids) == 2 * len(checks_for("losses"))
    assert "losses/Broken-scalar" in ids


def test_a_failing_check_is_a_failing_test_and_a_skipped_one_a_skipped_test():
    by_id = {p.id: p.values[0] for p in parameters([("losses", Broken), ("necks", "IdentityNeck")])}
    with pytest.raises(AssertionError, match="losses/scalar: failed: Broken raises KeyError"):
        by_id["losses/Broken-scalar"]()
    with pytest.raises(pytest.skip.Exception, match="no parameter to train"):
        by_id["necks/IdentityNeck-finite_gradients"]()


def test_an_expected_failure_is_strict_so_that_one_that_passes_is_noticed():
    reasons = {"losses/Broken": {"scalar": "it is broken"}}
    marks = {p.id: p.marks for p in parameters([("losses", Broken)], reasons)}
    (mark,) = marks.pop("losses/Broken-scalar")
    assert mark.name == "xfail"
    assert mark.kwargs == {"reason": "it is broken", "strict": True, "raises": AssertionError}
    assert not any(marks.values())


def test_expected_failures_of_nothing_are_refused():
    with pytest.raises(ValueError, match=r"losses/Broken has no check 'scaler'\. Checks: found_by"):
        parameters([("losses", Broken)], {"losses/Broken": {"scaler": "a slip"}})
    with pytest.raises(ValueError, match="names 'heads/Broken', which is none of: losses/Broken"):
        parameters([("losses", Broken)], {"heads/Broken": {"scalar": "a slip"}})


def test_a_module_that_imports_a_heavy_library_is_told_where(tmp_path, monkeypatch):
    package = tmp_path / "heavy_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plots.py").write_text("import matplotlib.pyplot\n")
    (package / "losses.py").write_text(
        "from heavy_package import plots\nfrom dlcreg.solvers.losses.mse import MSELoss\n\n"
        'class Heavy(MSELoss):\n    """Draws."""\n'
    )
    (package / "lazy.py").write_text(
        "from dlcreg.solvers.losses.mse import MSELoss\n\n"
        'class Lazy(MSELoss):\n    """Draws."""\n\n'
        "    def draw(self):\n        import matplotlib.pyplot\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = messages("losses", "heavy_package.losses:Heavy")
    assert list(found) == ["import_cost"]
    assert "imports matplotlib as soon as heavy_package.plots is imported" in found["import_cost"]
    assert not messages("losses", "heavy_package.lazy:Lazy")


def test_parts_of_every_kind_arrive_in_a_fresh_process_and_the_kit_imports_nothing_unused(tmp_path):
    parts = [
        construct(REGISTRIES["codecs"], dict(type="GaussianHeatmap")),
        construct(REGISTRIES["losses"], dict(type="MSELoss")),
        construct(REGISTRIES["transforms"], dict(type="Flip"), dict(flip_pairs=((0, 1),))),
        construct(REGISTRIES["metrics"], dict(type="PCK")),
        construct(REGISTRIES["hooks"], dict(type="EMAHook")),
        construct(REGISTRIES["backbones"], dict(type="ResNet", depth=18)),
    ]
    file = tmp_path / "parts.pickle"
    file.write_bytes(pickle.dumps(parts))
    code = (
        "import pickle, sys, dlcreg.testing; assert 'torch' not in sys.modules\n"
        "from dlcreg.testing import check_component; assert 'pytest' not in sys.modules\n"
        "print(len(pickle.load(open(sys.argv[1], 'rb'))))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "6", result.stderr
