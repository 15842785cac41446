"""The figures in README and the model cards are those of the results files."""

import subprocess
import sys


def test_tables_are_the_results(repo_root):
    script = repo_root / "benchmarks" / "report.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
