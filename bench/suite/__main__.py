"""Print where the suite is, for pytest: ``pytest $(python -m bench.suite) --benchmark-only``."""

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).parent)
