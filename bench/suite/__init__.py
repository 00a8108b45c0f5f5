"""Benchmarks of this project itself, run with ``python -m bench.suite.<name>``."""
