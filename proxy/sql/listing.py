"""The nodes of a tree, listed once for all that look at them.

Why it exists: a plan is made in a dozen passes, and to walk a tree costs more than most of them do.
Most nodes are names, which have no say in anything: they are kept apart, so that a pass sees less
than half of the tree, and `kinds` tells most passes that there is nothing for them at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from sqlglot import exp

_COLUMN, _IDENTIFIER, _LITERAL = exp.Column, exp.Identifier, exp.Literal
_VALUES = frozenset({type(None), bool, str, int, exp.DType})
"""What arguments of nodes are that are no nodes."""

_looked_at: set[str] = set()


def look_at(names: Iterable[str]) -> None:
    """Columns of these names, in lower case, are for every pass to see: they may be something else."""
    _looked_at.update(names)


class Listing(list[exp.Expr]):
    """The nodes of a tree, parents first, but for names and plain columns.

    names: the identifiers. columns: the columns that are written as `a` or `t.a`, of no name that was
    given to `look_at`. kinds: the types of the nodes.
    """

    __slots__ = ("columns", "kinds", "names")

    columns: list[exp.Column]
    kinds: set[type]
    names: list[exp.Identifier]

    def calls(self) -> list[exp.Anonymous]:
        """The calls of functions that the parser has no type of its own for."""
        if exp.Anonymous not in self.kinds:
            return []
        return [node for node in self if node.__class__ is exp.Anonymous]

    def every(self) -> Iterator[exp.Expr]:
        """The nodes and the plain columns, in no order."""
        return chain(self, self.columns)


def listed(tree: exp.Expr) -> Listing:
    """The nodes of a tree."""
    made = Listing()
    made.names = names = []
    made.columns = columns = []
    add = made.append
    stack = [tree]
    push, pop = stack.extend, stack.pop
    while stack:
        node = pop()
        kind = node.__class__
        if kind is _IDENTIFIER:
            names.append(node)
        elif kind is _COLUMN:
            args = node.args
            this = args["this"]
            if (
                (len(args) == 1 or (len(args) == 2 and args.get("table").__class__ is _IDENTIFIER))
                and this.__class__ is _IDENTIFIER
                and this.args["this"].lower() not in _looked_at
            ):
                columns.append(node)
                names.extend(args.values())
            else:
                add(node)
                push(reversed(args.values()))
        elif kind is _LITERAL:
            add(node)
        elif kind is list:
            push(reversed(node))
        elif kind not in _VALUES and isinstance(node, exp.Expr):
            add(node)
            push(reversed(node.args.values()))
    made.kinds = set(map(type, made))
    return made
