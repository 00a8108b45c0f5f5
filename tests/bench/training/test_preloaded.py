"""What the first server has imported is what runs need, and no thread of torch's computes yet."""

import subprocess
import sys

_ASK = """
import sys
import bench.training.preloaded
print("torch._dynamo" in sys.modules, "bench.problems.mnist_cnn" in sys.modules)
from bench.support import forking
print(forking.forks_safely())
"""


def test_late_imports_are_over_and_forking_is_safe() -> None:
    said = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False", "True"]
