"""How long ``optbench --help`` and ``optbench list`` take, as whole processes.

python -m bench.evidence.startup --runs 20 --output results/reference/speed
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

COMMANDS = (["--help"], ["list"])
TARGET_S = 0.5


def main() -> None:
    """Time each command in turns and print median and maximum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for run in range(options.runs + 1):  # the first fills the file cache and does not count
        for arguments in COMMANDS:
            start = time.perf_counter()
            command = [sys.executable, "-m", "bench", *arguments]
            subprocess.run(command, check=True, capture_output=True)
            seconds = time.perf_counter() - start
            if run:
                rows.append({"command": f"optbench {arguments[0]}", "seconds": seconds})
    table = pd.DataFrame(rows)
    for name, own in table.groupby("command")["seconds"]:
        print(
            f"{name}: median {own.median():.3f} s, maximum {own.max():.3f} s "
            f"of {options.runs} (target < {TARGET_S} s)"
        )
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(options.output / "startup.csv", index=False)


if __name__ == "__main__":
    main()
