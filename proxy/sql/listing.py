"""The nodes of a tree, listed once for all that look at them.

Why it exists: a plan is made in a dozen passes, and to walk a tree costs more than most of them do.
Most nodes are names, which have no say in anything: they are kept apart, so that a pass sees less
than half of the tree, and `kinds` tells most passes that there is nothing for them at all.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Sequence
from itertools import chain
from typing import Any

from sqlglot import exp

try:
    from proxy.sql import _tree as compiled
except ImportError:  # no compiler was there
    compiled = None

_COLUMN, _IDENTIFIER, _LITERAL = exp.Column, exp.Identifier, exp.Literal
_VALUES = frozenset({type(None), bool, str, int, exp.DType})
"""What arguments of nodes are that are no nodes."""

_looked_at: set[str] = set()
if compiled is not None:
    compiled.setup(_COLUMN, _IDENTIFIER, _LITERAL, exp.Expr, exp.DType, _looked_at)


def look_at(names: Iterable[str]) -> None:
    """Columns of these names, in lower case, are for every pass to see: they may be something else."""
    _looked_at.update(names)


def with_derived(*kinds: type) -> frozenset[type]:
    """Types of nodes, with all that are derived from them."""
    derived = (with_derived(*kind.__subclasses__()) for kind in kinds)
    return frozenset(kinds).union(*derived)


class Listing(list[exp.Expr]):
    """The nodes of a tree, parents first, but for names and plain columns.

    names: the identifiers. columns: the columns that are written as `a` or `t.a`, of no name that was
    given to `look_at`. kinds: the types of the nodes.
    """

    __slots__ = ("_by_kind", "_called", "columns", "kinds", "names")

    _by_kind: dict[type, list[exp.Expr]]
    _called: frozenset[str] | None
    columns: list[exp.Column]
    kinds: KeysView[type]
    names: list[exp.Identifier]

    def of(self, kind: type) -> Sequence[Any]:
        """The nodes of a type, not of those derived from it, in order."""
        return self._by_kind.get(kind, ())

    def by_kind(self) -> ItemsView[type, list[exp.Expr]]:
        """The nodes by their type, in the order of their first."""
        return self._by_kind.items()

    def called(self) -> frozenset[str]:
        """The names of the functions that the parser does not know and the tree had first, in upper case."""
        if self._called is None:
            calls = self._by_kind.get(exp.Anonymous, ())
            self._called = frozenset([str(call.args["this"]).upper() for call in calls])
        return self._called

    def every(self) -> Iterator[exp.Expr]:
        """The nodes and the plain columns, in no order."""
        return chain(self, self.columns)


def listed(tree: exp.Expr) -> Listing:
    """The nodes of a tree."""
    if compiled is None:
        return _listed(tree)
    made = _empty()
    compiled.list_nodes(tree, made, made.names, made.columns, made._by_kind)
    return made


def _empty() -> Listing:
    made = Listing()
    made.names, made.columns, made._called = [], [], None
    made._by_kind = by_kind = {}
    made.kinds = by_kind.keys()
    return made


def _listed(tree: exp.Expr) -> Listing:
    made = _empty()
    try:
        _list((tree,), made, made.names, made.columns, made._by_kind)
    except RecursionError:  # a chain of a thousand operators
        return _listed_in_turn(tree)
    return made


def _list(
    values: Iterable[Any],
    nodes: list[exp.Expr],
    names: list[exp.Identifier],
    columns: list[exp.Column],
    by_kind: dict[type, list[exp.Expr]],
) -> None:
    """Puts what there is among and below the values of a node's arguments where it belongs."""
    for value in values:
        kind = value.__class__
        if kind is _IDENTIFIER:
            names.append(value)
        elif kind in _VALUES:
            continue
        elif kind is list:
            if value:
                _list(value, nodes, names, columns, by_kind)
        elif kind is _COLUMN and _is_plain(value):
            columns.append(value)
            names.extend(value.args.values())
        elif isinstance(value, exp.Expr):
            nodes.append(value)
            if kind in by_kind:
                by_kind[kind].append(value)
            else:
                by_kind[kind] = [value]
            if kind is not _LITERAL:
                _list(value.args.values(), nodes, names, columns, by_kind)


def _listed_in_turn(tree: exp.Expr) -> Listing:
    """As `listed`, however deep the tree is."""
    made = _empty()
    for node in tree.dfs():
        kind = node.__class__
        if kind is _IDENTIFIER:
            made.names.append(node)
        elif kind is _COLUMN and _is_plain(node):
            made.columns.append(node)
        else:
            made.append(node)
            made._by_kind.setdefault(kind, []).append(node)
    return made


def _is_plain(node: exp.Column) -> bool:
    args = node.args
    if len(args) > 2 or (len(args) == 2 and args.get("table").__class__ is not _IDENTIFIER):
        return False
    name = args["this"]
    return name.__class__ is _IDENTIFIER and name.args["this"].lower() not in _looked_at


def _uncommon(names: list[exp.Identifier]) -> list[exp.Identifier]:
    """Those that are not surely in lower case, of the names of a listing."""
    return [name for name in names if not name.args["this"].islower()]


uncommon = _uncommon if compiled is None else compiled.uncommon_names


def take_apart(tree: exp.Expr) -> None:
    """Ends a tree that nobody needs any more: without parents its nodes are freed as they are left.

    They hold on to one another otherwise until the garbage collector has looked at each.
    """
    if compiled is not None:
        compiled.take_apart(tree)


def copied(node: exp.Expr) -> exp.Expr:
    """A copy of a small tree with what the parser noted of it; `node.copy()` takes five times as long."""
    try:
        return _copied(node)
    except RecursionError:
        return node.copy()


def _copied(value: Any) -> Any:
    if isinstance(value, exp.Expr):
        made = value.__class__(**{key: _copied(one) for key, one in value.args.items()})
        if value._meta:
            made._meta = dict(value._meta)
        return made
    return [_copied(one) for one in value] if value.__class__ is list else value
