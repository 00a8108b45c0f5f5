"""``optbench regress`` on three changes of an optimizer: two slow its step down, one is innocent.

A scratch repository holds an optimizer and then, one after the other in its working tree, a change
of words (``innocent``), a needless copy of every gradient (``copy``) and a sleep of a tenth of the
step (``sleep``; the operating system makes it some 0.06 ms longer). Each is compared with ``main``.

    python -m bench.evidence.regress_example --output results/reference/regress
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.evidence import scratch
from bench.support import console

HEADER = ["change", "phase", "base ms", "head / base (99 % interval)", "verdict"]
_INNOCENT = scratch.OPTIMIZER.replace("gradient", "slope").replace("descent", "descent, reworded")
_COPY = scratch.OPTIMIZER.replace("parameter.grad\n", "parameter.grad.clone()\n")


def main() -> None:
    """Make the repository, compare each change with ``main``, keep and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scratch.create(folder)
        scratch.commit(folder, scratch.OPTIMIZER, "add Mine")
        found = {"innocent": _compared(folder, _INNOCENT)}
        step = next(line for line in found["innocent"]["lines"] if line["quantity"] == "step")
        found["copy"] = _compared(folder, _COPY)
        found["sleep"] = _compared(folder, _sleeping(0.1 * step["base_s"]))
    for change, document in found.items():
        (options.output / f"{change}.json").write_text(json.dumps(document) + "\n")
    console.print_table("Changes of mnist_cnn/Mine, against main", (HEADER, _rows(found)))


def _sleeping(seconds: float) -> str:
    return f"{scratch.OPTIMIZER}        time.sleep({seconds:.2g})\n".replace(
        "import torch\n", "import time\n\nimport torch\n"
    )


def _compared(folder: Path, source: str) -> dict[str, Any]:
    """What ``regress`` says of a working tree with this source."""
    (folder / "mine.py").write_text(source)
    command = ["-m", "bench", "regress", "main", "-o", "mine:Mine", "--json"]
    document: dict[str, Any] = json.loads(
        scratch.call(folder, sys.executable, *command, fine=(0, 3))
    )
    return document


def _rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    return [
        [
            change,
            line["quantity"],
            f"{1e3 * line['base_s']:.3g}",
            "{ratio:.3f} ({low:.3f}–{high:.3f})".format(**line["estimate"]),
            line["verdict"],
        ]
        for change, document in found.items()
        for line in document["lines"]
    ]


if __name__ == "__main__":
    main()
