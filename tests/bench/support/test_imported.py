"""When modules were imported is known from the beginning on."""

import subprocess
import sys
from pathlib import Path

_EARLY = """
import sys, time
sys.path.insert(0, sys.argv[1])
import early
import bench
from pathlib import Path
from bench.support import imported
path = Path(early.__file__)
print(imported.content("early", path))
path.write_text("value = 2")
try:
    imported.content("early", path)
except ValueError as error:
    print(type(error).__name__)
import importlib
importlib.reload(early)
print(imported.content("early", path))
path.unlink()
try:
    imported.content("early", path)
except ValueError as error:
    print(error)
"""


def test_what_was_imported_before_was_imported_then_at_the_latest(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("value = 1")
    command = [sys.executable, "-c", _EARLY, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[:3] == ["b'value = 1'", "UsageError", "b'value = 2'"]
    assert "early.py' of module 'early' cannot be read: No such file" in said[3]


def test_import_bench_stays_light() -> None:
    ask = "import bench, sys; print('torch' in sys.modules, 'pandas' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]
