"""Parameter groups: parameters chosen by name or by number of axes, with settings of their own."""

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizers.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Group = tuple[str, Mapping[str, Any]]
_AXES = re.compile(r"ndim\s*(<=|>=|==|<|>)\s*(\d+)")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip


def takes(selector: str, name: str, parameter: "Tensor") -> bool:
    """Whether a group takes a parameter.

    Args:
        selector: ``ndim<2`` (or ``<=``, ``==``, ``>=``, ``>``), or a pattern of names such as
            ``*.bias``, in which ``*`` is anything.
        name: The parameter's, as ``named_parameters`` has it.
        parameter: The parameter.
    """
    if found := _AXES.fullmatch(selector):
        return _COMPARE[found[1]](parameter.ndim, int(found[2]))
    return fnmatch.fnmatchcase(name, selector)


def split(
    named: Sequence[tuple[str, "Tensor"]], groups: Sequence[Group], *, with_names: bool = False
) -> list[dict[str, Any]]:
    """Parameter groups as optimizers receive them; the first that takes a parameter has it.

    Args:
        named: All parameters.
        groups: A selector and settings each.
        with_names: Whether parameters go with their names.

    Returns:
        The parameters that no group takes, if there are any, and then the groups.

    Raises:
        UsageError: A group takes no parameter.
    """
    left, made = list(named), list[dict[str, Any]]()

    def given(items: Sequence[tuple[str, "Tensor"]]) -> list[Any]:
        return list(items) if with_names else [parameter for _, parameter in items]

    for selector, settings in groups:
        chosen = [item for item in left if takes(selector, *item)]
        if not chosen:
            raise UsageError(
                f"Group '{selector}' is not valid: it takes none of the parameters "
                f"{', '.join(f'{name} (ndim {p.ndim})' for name, p in left) or 'that are left'}."
            )
        left = [item for item in left if not takes(selector, *item)]
        made.append({"params": given(chosen), **settings})
    return [{"params": given(left)}, *made] if left else made
