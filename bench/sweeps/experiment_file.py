"""A sweep read from a YAML file."""

from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown

_YAML_KEYS = {
    "problem", "optimizers", "grid", "set", "step", "group", "seeds", "iterations", "objective",
    "strategy", "trials", "batch_size", "device", "dtype", "curvature_every",
}  # fmt: skip


_WHOLE = {"iterations", "trials", "batch_size", "curvature_every"}
_UNSET = ("", "null", "~")


def read_yaml(path: Path) -> tuple[dict[str, Any], str]:
    """Read a sweep from a YAML file.

    The keys are the fields of :class:`Experiment`, with ``set`` for ``settings`` and ``step`` for
    ``steps``. ``optimizers`` is a name, a list of ``[LABEL=]NAME``, or names by label; ``grid`` and
    ``set`` are mappings from ``[LABEL.]KEY`` to what the options take, or to lists; ``step`` is a
    way to take steps, or such ways by label.

    Returns:
        Fields of :class:`Experiment`, and the file's text.

    Raises:
        UsageError: The file cannot be read, is no YAML, or has a key or value that is not valid.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text, _loader())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"Experiment '{path}' cannot be read: {reason}.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"Experiment '{path}' is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"Experiment '{path}' is not valid: it is to be a mapping of keys.")
    for key in document:
        if key not in _YAML_KEYS:
            raise unknown(f"key in '{path}':", str(key), _YAML_KEYS)
    fields = {key: value for key, value in document.items() if value not in _UNSET}
    try:
        if "optimizers" in fields:
            fields["optimizers"] = _optimizers(fields["optimizers"])
        for key, name in (("grid", "grid"), ("set", "settings"), ("step", "steps")):
            if key in fields:
                fields[name] = _assignments(key, fields.pop(key))
        if "group" in fields:
            fields["groups"] = _groups(fields.pop("group"))
        if "seeds" in fields:
            seeds = fields["seeds"]  # of a list each is a seed, also if it is the only one
            alone = isinstance(seeds, list) and len(seeds) == 1
            fields["seeds"] = f"{seeds[0]}-{seeds[0]}" if alone else _written("seeds", seeds)
        for key in _YAML_KEYS & fields.keys() - {"optimizers", "grid", "seeds"}:
            if not isinstance(fields[key], str):
                raise UsageError(f"{key} is to be a single value.")
        for key in _WHOLE & fields.keys():
            fields[key] = _whole(key, fields[key])
    except UsageError as error:
        raise UsageError(f"Experiment '{path}': {error}") from error
    return fields, text


def _loader() -> Any:
    """A loader that leaves scalars as they are written and refuses a key given twice.

    The command line's own little languages read them: YAML 1.1 makes 8 of 010, and 90 of 1:30.
    """
    import yaml

    class Loader(yaml.BaseLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if isinstance(key, str) and keys.count(key) > 1:
                    raise yaml.YAMLError(f"the key '{key}' is given twice")
            return super().construct_mapping(node, deep)

    return Loader


def _whole(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{key}='{text}' is not valid: it is a whole number.") from None


def _optimizers(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return tuple(f"{label}={name}" for label, name in value.items())
    if value and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError("optimizers is to be a name, a list of names, or names by label.")


def _groups(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise UsageError("group is to be a list, as in 'group: [\"ndim<2: weight_decay=0\"]'.")
    return tuple(items)


def _assignments(key: str, value: Any) -> tuple[str, ...]:
    if key == "step" and isinstance(value, str):
        return (value,)
    if not isinstance(value, dict):
        raise UsageError(f"{key} is to be a mapping, as in '{key}: {{damping: 0.1}}'.")
    return tuple(f"{name}={_written(str(name), item)}" for name, item in value.items())


def _written(name: str, value: Any) -> str:
    """A value, a list of values, or a list of such lists, as the options write it."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise UsageError(f"{name} is to be a value or a list of values.")
    nested = any(isinstance(item, list) for item in value)
    parts = [item if isinstance(item, list) else [item] for item in value]
    if not all(isinstance(item, str) for part in parts for item in part):
        raise UsageError(f"{name} is to be a value or a list of values.")
    written = [",".join(part) for part in parts]
    return "".join(f"{part};" for part in written) if nested else ",".join(written)
