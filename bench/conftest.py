"""``pytest bench/ --benchmark-only`` has the options of the suite."""

pytest_plugins = ["bench.suite.plugin"]
