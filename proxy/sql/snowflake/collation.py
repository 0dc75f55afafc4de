"""COLLATE where it decides: in a comparison, by a key that both sides are compared by.

A specification is words with `-` between: a language, or `upper`, `lower` and `utf8`; `ci` or `cs`;
`trim`, `ltrim`, `rtrim`. Equality by one is equality of keys. Order is only known for those without
a language. Anywhere else (output that is compared later, columns, LIKE) COLLATE is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, function, node, text, unsupported

_KEYS: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "ci": lambda value: duck("lower", value),
    "upper": lambda value: duck("upper", value),
    "lower": lambda value: duck("lower", value),
    "trim": lambda value: duck("trim", value),
    "ltrim": lambda value: duck("ltrim", value),
    "rtrim": lambda value: duck("rtrim", value),
    **dict.fromkeys(("cs", "utf8", "as", "ps", ""), lambda value: value),
}
_LANGUAGES = frozenset({"en", "en_us", "en_gb", "de", "es", "fr", "it", "pt"})
_EQUALITIES = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_ORDERS = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_SEARCHES = frozenset({"CONTAINS", "STARTSWITH", "ENDSWITH"})


def _words(specification: exp.Expr) -> list[str]:
    if not isinstance(specification, exp.Literal) or not specification.is_string:
        raise unsupported("a collation that is not a literal", specification)
    return specification.this.lower().split("-")


def _key(value: exp.Expr, words: list[str]) -> exp.Expr:
    for word in words:
        if word not in _LANGUAGES:
            value = _KEYS[word](value)
    return value


@node(exp.Collate)
def _collate(collated: exp.Collate) -> exp.Expr:
    return _compared(collated, collated.this, collated.expression)


@function("COLLATE")
def _collate_function(arguments: list[exp.Expr]) -> exp.Expr:
    value, specification = arguments
    call = value.parent
    assert call is not None
    return _compared(call, value, specification)


def _compared(collated: exp.Expr, value: exp.Expr, specification: exp.Expr) -> exp.Expr:
    words = _words(specification)
    if any(word not in _KEYS and word not in _LANGUAGES for word in words):
        raise unsupported(f"collation {specification.name}", specification)
    place, parent, key = collated, collated.parent, collated.arg_key
    while isinstance(parent, exp.Paren):
        place, parent, key = parent, parent.parent, parent.arg_key
    bare = not _LANGUAGES.intersection(words)
    if isinstance(parent, _EQUALITIES) or (bare and isinstance(parent, _ORDERS)):
        other = "expression" if key == "this" else "this"
        parent.set(other, _key(parent.args[other], words))
    elif isinstance(parent, exp.In) and key == "this" and parent.expressions:
        parent.set("expressions", [_key(one, words) for one in parent.expressions])
    elif bare and isinstance(parent, exp.Ordered):
        pass
    elif isinstance(parent, exp.Anonymous) and str(parent.this).upper() in _SEARCHES:
        others = [one if one is place else _key(one, words) for one in parent.expressions]
        parent.set("expressions", others)
    elif isinstance(parent, exp.Anonymous) and str(parent.this).upper() == "COLLATION":
        named = text(specification.name)
        named.meta["collation"] = True
        return named
    else:
        raise unsupported("COLLATE outside of a comparison", collated)
    return _key(value, words)


@function("COLLATION")
def _collation(arguments: list[exp.Expr]) -> exp.Expr:
    """The specification that COLLATE has just given; nothing else has one."""
    (value,) = arguments
    if isinstance(value, exp.Literal) and value.meta.get("collation"):
        return value
    return exp.Cast(this=exp.Null(), to=exp.DataType(this=exp.DType.VARCHAR))
