"""Resolving every interpolation of a configuration exactly once.

OmegaConf evaluates an interpolation at each access, so ``save_dir: ${stamp}/x`` written before ``stamp: ${now:%f}``
comes out with another time than ``stamp`` does, also under `OmegaConf.resolve`. Here, what an interpolation refers to
is resolved first, in place, depth first, so that every reference reads one value. The result of an interpolation is
data: text that looks like another interpolation, such as the value of an environment variable, stays text.

A resolver that looks at other keys by itself (``_root_``, ``_parent_``) sees those that are not resolved yet as
OmegaConf shows them; OmegaConf's own, such as ``oc.select``, see them resolved.

`OmegaConf.resolve` with resolvers that remember their values would be shorter, and does not do, as was tried under 2.3
and 2.4. What OmegaConf remembers itself (``use_cache``) has the text of the arguments as its key, so that two keys with
``${uuid:}`` get one value, and ``${f:${.x}}`` in two groups the value of the first. With the node in the key,
references agree, but ``${uuid:}-${uuid:}`` repeats itself, the table of resolvers is exchanged for the whole process
while other threads use it, and what was resolved is read again: the text ``${x}`` out of an environment variable or a
list is evaluated, or fails as bad grammar, and 2.4 refuses ``${oc.dict.values:m}``.
"""
# ruff: noqa: SLF001  # evaluation in another order than OmegaConf's own is reachable in no other way

from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

import omegaconf
from omegaconf import AnyNode, Container, DictConfig, ListConfig, Node, OmegaConf, ValueNode
from omegaconf._utils import split_key
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationKeyError,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
    UnsupportedValueType,
    ValidationError,
)
from omegaconf.grammar_parser import parse
from omegaconf.grammar_visitor import GrammarVisitor
from omegaconf.omegaconf import _select_one

from naga.config import omegaconf_nodes as nodes
from naga.config.field_types import hint_name
from naga.config.omegaconf_nodes import escaped
from naga.errors import ConfigError
from naga.paths import expanded

Arguments = tuple[Any, ...]

# These look at another key themselves, which is given to them as text.
LOOKING = ("oc.select", "oc.deprecated", "oc.dict.keys", "oc.dict.values")


Memory = dict[tuple[Any, ...], Any]


def resolve(cfg: DictConfig, memory: Memory | None = None) -> None:
    """Resolve every interpolation of a configuration exactly once, in place.

    With a memory, a copy of a configuration that was resolved before gets what the resolvers gave then, wherever they
    are asked for the same: the time, a number at random.
    """
    _Resolution({} if memory is None else memory).resolve_all(cfg)


class _Resolution:
    """One pass over one configuration; remembers which interpolations are being evaluated, to find circles."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.calls: Counter[Any] = Counter()
        self.pending: dict[int, str] = {}

    def resolve_all(self, box: Any) -> None:
        for key, _ in nodes.children(box):
            self.resolve_all(self.resolved(box, key))

    def resolved(self, box: Any, key: Any) -> Any:
        """Resolve the node under a key, if it is an interpolation, and return the node that is there then."""
        node = nodes.child(box, key)
        if not node._is_interpolation():
            return node
        name = box._get_full_key(key)
        if id(node) in self.pending:
            raise ConfigError(f"{name}: interpolations in a circle: {' -> '.join([*self.pending.values(), name])}")
        self.pending[id(node)] = name
        visitor = GrammarVisitor(
            node_interpolation_callback=lambda reference, _: self.referred(box, reference),
            resolver_interpolation_callback=partial(self.call, box, node),
            memo=None,
        )
        try:
            self.store(box, key, node, visitor.visit(parse(node._value())))
        except ConfigError:
            raise
        except Exception as error:  # a resolver is the user's code
            raise _explained(name, node, error) from error
        finally:
            del self.pending[id(node)]
        return nodes.child(box, key)

    def referred(self, box: Any, reference: Any) -> Any:
        """Return the node that ``${a.b}`` stands for, resolved."""
        self.resolve_path(box, reference)
        node = box._resolve_node_interpolation(reference, memo=set())  # nothing is left to evaluate, but literals
        self.resolve_all(node)
        return node

    def resolve_path(self, box: Any, reference: Any) -> None:
        """Resolve the interpolations on a dotted path, as far as it goes."""
        try:
            node, path = box._resolve_key_and_root(reference)
        except ConfigKeyError:
            return
        for part in getattr(reference, "parts", None) or split_key(path):
            if not nodes.is_live(node):
                return
            found, key = _select_one(node, part, throw_on_missing=False, throw_on_type_error=False)
            if found is None:
                return
            node = self.resolved(node, key)

    def call(self, box: Any, node: Any, *, name: str, args: Arguments, args_str: Arguments) -> Any:
        """Call a resolver."""
        if name == "now" and not OmegaConf.has_resolver("now"):
            _register_now()
        if name in LOOKING and args and isinstance(args[0], str):
            self.resolve_path(box, args[0])
        place = box._get_full_key(node._key()), name, args_str
        self.calls[place] += 1
        asked = *place, repr(args), self.calls[place]
        if asked not in self.memory:
            value = box._evaluate_custom_resolver(
                key=node._key(), node=node, inter_type=name, inter_args=args, inter_args_str=args_str
            )
            if name in LOOKING or not isinstance(value, str | int | float | None):
                return value
            self.memory[asked] = value
        return self.memory[asked]

    def store(self, box: Any, key: Any, node: Any, result: Any) -> None:
        """Replace an interpolation by its value."""
        value = result._value() if isinstance(result, Node) and not nodes.is_live(result) else result
        if isinstance(value, str) and value == "???":
            raise ConfigError(f"{box._get_full_key(key)}: {node._value()} evaluates to '???', which means no value")
        if isinstance(value, Container):
            if value._get_parent() is None:  # a resolver made it; what it refers to is looked for where it will be
                value._set_parent(box)
            self.resolve_all(value)
        elif isinstance(value, dict | list | tuple):
            value = escaped(value)
        elif isinstance(value, str) and box._get_full_key(key) == "save_dir":
            value = expanded(value)  # before others are made of it
        if not isinstance(node, ValueNode):
            node._set_value(escaped(value))
        elif not (isinstance(node, AnyNode) and isinstance(value, Container | dict | list | tuple)):
            node._set_value(escaped(node.validate_and_convert(value)))
        elif isinstance(box, DictConfig | ListConfig):
            box[key] = value
        else:
            box._set_item_for_resolution(key, value)  # a tuple of OmegaConf 2.4


def _register_now() -> None:
    """Register ``${now:%Y-%m-%d}``; all of one configuration that have the same format get the same time."""
    old = omegaconf.__version__.startswith("2.3")  # where register_resolver is another function, of old
    register = OmegaConf.register_new_resolver if old else OmegaConf.register_resolver
    register("now", lambda pattern: datetime.now().strftime(pattern), use_cache=True)


def _explained(name: str, node: Any, error: Exception) -> ConfigError:
    written = repr(node._value())
    if isinstance(error, UnsupportedInterpolationType):
        hint = "register it before the task is called: OmegaConf.register_new_resolver(name, function)"
        return ConfigError(f"{name}: {written} asks for a resolver that no one registered", hint=hint)
    if isinstance(error, InterpolationKeyError):
        reason = "refers to a key that does not exist"
    elif isinstance(error, UnsupportedValueType):
        reason = "came to a value that a configuration cannot hold"
    elif isinstance(error, ValidationError):
        reason = f"came to a value that is not {hint_name(node._metadata.type_hint)}"
    else:
        kind = "" if isinstance(error, OmegaConfBaseException) else f"{type(error).__name__}: "
        text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).partition("\n")[0]
        reason = f"failed: {kind}{text}"
    return ConfigError(f"{name}: {written} {reason}")
