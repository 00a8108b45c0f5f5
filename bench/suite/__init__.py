"""The benchmarks of ``pytest bench/ --benchmark-only``: one phase of one optimizer each."""
