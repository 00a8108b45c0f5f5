"""Print what names the suite to pytest: ``pytest $(python -m bench.suite) --benchmark-only``.

It is named as a package and not by its place, so that pytest takes the settings and the conftest of
the folder where one works, and none of this project's.
"""

if __name__ == "__main__":
    print("-p bench.suite.plugin --pyargs bench.suite.test_throughput")
