"""Names to objects: a built-in dict, installed entry points, or ``package.module:attribute``."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from optimizers.errors import UnknownNameError, UsageError, unknown

Spec = TypeVar("Spec")


def load_reference(reference: str) -> Any:
    """Import what ``package.module:attribute`` refers to.

    Raises:
        UnknownNameError: There is no such module, or no such attribute in it.
        UsageError: The module does not import.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"'{reference}' is not of the form package.module:attribute.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        absent = f"{module_name}.".startswith(f"{error.name}.")  # itself, not what it imports
        kind = UnknownNameError if absent else UsageError
        raise kind(f"Cannot import '{module_name}' for '{reference}': {error}.") from error
    except Exception as error:  # whatever a user's module raises on import is theirs to mend
        raise UsageError(
            f"Cannot import '{module_name}' for '{reference}': {type(error).__name__}: {error}."
        ) from error
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        public = (name for name in vars(module) if not name.startswith("_"))
        message = str(unknown(f"attribute of module '{module_name}':", attribute, public))
        message = message if len(message) < 300 else message[:297] + "..."
        raise UnknownNameError(message) from None


@dataclass(frozen=True, kw_only=True)
class Registry(Generic[Spec]):
    """Where specs are looked up by name.

    Attributes:
        kind: What is registered, for messages: ``"optimizer"`` or ``"problem"``.
        group: The entry-point group that other distributions use.
        entries: The dict of known specs; add to it to plug in your own from Python.
        spec_type: The class of the specs.
        wrap: Turns a bare callable into a spec, from its name, itself and its summary.
        rule: What a plug-in supplies, for messages.
    """

    kind: str
    group: str
    entries: dict[str, Spec]
    spec_type: type[Spec]
    wrap: Callable[[str, Callable[..., Any], str], Spec]
    rule: str

    def installed(self) -> Iterator[EntryPoint]:
        """Entry points of the group, not loaded; built-in names win over them."""
        return (point for point in entry_points(group=self.group) if point.name not in self.entries)

    def adopt(self, name: str, candidate: Any) -> Spec:
        """Turn what a plug-in supplies, a spec or a bare callable, into a spec.

        Raises:
            UsageError: It is neither.
        """
        if isinstance(candidate, self.spec_type):
            return candidate
        if not callable(candidate):
            raise UsageError(f"'{name}' is a {type(candidate).__name__}; {self.rule}.")
        return self.wrap(name, candidate, (inspect.getdoc(candidate) or "").partition("\n")[0])

    def get(self, name: str) -> Spec:
        """Look a spec up by name or by ``package.module:attribute``.

        Raises:
            UsageError: Nothing is known by that name, or it does not import.
        """
        if name in self.entries:
            return self.entries[name]
        if ":" in name:
            return self.adopt(name, load_reference(name))
        installed = {point.name: point for point in self.installed()}
        if point := installed.get(name):
            return self.adopt(name, load_reference(f"{point.module}:{point.attr}"))
        raise unknown(self.kind, name, [*self.entries, *installed])
