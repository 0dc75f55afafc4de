"""Names that a WITH gives: no relations, where it is around them."""

from __future__ import annotations

from sqlglot import exp


def is_common(table: exp.Table) -> bool:
    """Whether a name is one that a WITH around it gives."""
    if table.args.get("db") is not None:
        return False
    name, below = table.name.lower(), table
    node = table.parent
    while node is not None:
        if isinstance(node, exp.With):
            visible = node.expressions
            if not node.args.get("recursive"):
                visible = visible[: next(n for n, one in enumerate(visible) if one is below)]
        else:
            around = node.args.get("with_")
            visible = around.expressions if around is not None and around is not below else ()
        if any(one.alias.lower() == name for one in visible):
            return True
        below, node = node, node.parent
    return False
