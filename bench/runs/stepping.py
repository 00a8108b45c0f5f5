"""How an optimizer's step is taken: what goes before it, and what it is handed.

Written as one of ``PROTOCOLS``, or ``create_graph``, or both, as in ``closure+create_graph``.
"""

import inspect
import linecache
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from bench.errors import UsageError

PROTOCOLS = {
    "plain": "forward, backward, step()",
    "closure": "step(closure), which calls forward and backward as often as it likes (L-BFGS)",
    "backward_then_closure": "forward, backward, step(closure) (sharpness-aware minimisation)",
    "loss": "forward, backward, step(loss=loss), or step(lambda: loss) where it takes a closure",
}
CREATE_GRAPH = "create_graph"
ATTRIBUTE = "step_protocol"

# What the signature does not tell, as its authors document it, by the package and the class.
_KNOWN = {
    ("heavyball", "SAMWrapper"): "closure",
    ("pytorch_optimizer", "AdaHessian"): CREATE_GRAPH,
    ("pytorch_optimizer", "AliG"): "loss",
    ("pytorch_optimizer", "BSAM"): "closure",
    ("pytorch_optimizer", "FriendlySAM"): "backward_then_closure",
    ("pytorch_optimizer", "LookSAM"): "backward_then_closure",
    ("pytorch_optimizer", "SAM"): "backward_then_closure",
    ("pytorch_optimizer", "SophiaH"): CREATE_GRAPH,
    ("pytorch_optimizer", "WSAM"): "closure",
    ("sam", "SAM"): "backward_then_closure",
    ("torch_optimizer", "Adahessian"): CREATE_GRAPH,
}


@dataclass(frozen=True)
class Stepping:
    """How a step is taken.

    Attributes:
        protocol: One of ``PROTOCOLS``.
        create_graph: Whether the gradient can be differentiated again: ``create_graph=True`` for
            each backward pass.
    """

    protocol: str = "plain"
    create_graph: bool = False

    def __str__(self) -> str:
        """As it is written."""
        parts = [self.protocol] if self.protocol != "plain" or not self.create_graph else []
        return "+".join([*parts, *([CREATE_GRAPH] if self.create_graph else [])])


def parse(text: str) -> Stepping:
    """Read how a step is taken.

    Raises:
        UsageError: It is something else.
    """
    words = [word.strip() for word in text.split("+")]
    protocols = [word for word in words if word != CREATE_GRAPH]
    if len(protocols) > 1 or len(words) > len(set(words)) or not set(protocols) <= set(PROTOCOLS):
        raise UsageError(
            f"step='{text}' is not valid: it is one of {', '.join(PROTOCOLS)}, or {CREATE_GRAPH}, "
            f"or two as in closure+{CREATE_GRAPH}."
        )
    return Stepping(protocols[0] if protocols else "plain", CREATE_GRAPH in words)


def of(optimizer: Any, *asked: str) -> Stepping:
    """How an optimizer's step is taken.

    Args:
        optimizer: The optimizer or its class.
        asked: What its user wrote, what its spec says; the first that is not empty counts. Else the
            class's attribute ``step_protocol`` does, then the table of well-known classes, then
            what the signature of ``step`` tells.

    Raises:
        UsageError: What is written is no such thing.
    """
    kind = optimizer if isinstance(optimizer, type) else type(optimizer)
    known = [_KNOWN.get((one.__module__.partition(".")[0], one.__name__)) for one in kind.__mro__]
    written = [*asked, getattr(optimizer, ATTRIBUTE, None), *known]
    for text in written:
        if text:
            return parse(text)
    return Stepping(_told(optimizer))


def _told(optimizer: Any) -> str:
    """What the signature of ``step`` tells: what cannot be left out is handed over."""
    needed = [
        name
        for name, p in _parameters(optimizer).items()
        if p.default is p.empty and (p.kind is not p.KEYWORD_ONLY or name in ("closure", "loss"))
    ]
    return "plain" if not needed else "loss" if needed[0] == "loss" else "closure"


def takes(optimizer: Any, name: str) -> bool:
    """Whether ``step`` has a parameter of this name."""
    return name in _parameters(optimizer)


def by_keyword(optimizer: Any, name: str) -> bool:
    """Whether a parameter of ``step`` is to be given by its name."""
    found = _parameters(optimizer)
    return name in found and (
        next(iter(found)) != name or found[name].kind is found[name].KEYWORD_ONLY
    )


def _parameters(optimizer: Any) -> dict[str, inspect.Parameter]:
    step = getattr(optimizer, "step", None)
    try:
        found = inspect.signature(step).parameters if callable(step) else {}
    except ValueError:  # of what is written in C
        found = {}
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {name: p for name, p in found.items() if p.kind not in variable}
    if isinstance(optimizer, type):
        named.pop("self", None)
    return named


def hint(error: BaseException, stepping: Stepping, label: str) -> str:
    """How to ask for what a step seems to have failed for want of; empty if nothing looks so."""
    where, text = error.__traceback__, f"{type(error).__name__} {error}".lower()
    text += _line(where).lower()
    if "create_graph" in text or "does not require grad" in text or "grad_fn" in text:
        if not stepping.create_graph:
            wanted = Stepping(stepping.protocol, create_graph=True)
            return f"to differentiate the gradient again, give --step {label}={wanted}"
        return ""
    if "closure" not in text or "closure" in stepping.protocol:
        return ""
    return (
        f"if its step needs a closure, give --step {label}=closure, or --step "
        f"{label}=backward_then_closure where gradients are to be there before, as for SAM"
    )


def _line(where: TracebackType | None) -> str:
    """The line of source that raised."""
    if where is None:
        return ""
    while where.tb_next is not None:
        where = where.tb_next
    return linecache.getline(where.tb_frame.f_code.co_filename, where.tb_lineno)
