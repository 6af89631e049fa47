import subprocess
import sys


def test_the_solver_does_not_import_mmengines_runner():
    code = (
        "import sys, dlcreg.solvers.solver; "
        "sys.exit(any(name.startswith('mmengine.runner') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_metrics_and_evaluation_import_no_mmengine_hooks():
    code = (
        "import sys, dlcreg.solvers.evaluation, dlcreg.solvers.metrics.matching; "
        "sys.exit('mmengine.hooks' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
