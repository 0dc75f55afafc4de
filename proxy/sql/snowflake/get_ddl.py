"""GET_DDL: the statement that makes an object again; `catalog/4_ddl.sql` has the texts.

A view's query is known as its author wrote it to Postgres alone, where the mirror keeps it: GET_DDL of a
view is a question to Postgres. All else DuckDB answers. The object's kind and name are literals.
"""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.quoting import quoted
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.one_database import ENGINE_DATABASE, engine_schema
from proxy.sql.snowflake.registry import duck, function, sf, text, unsupported
from proxy.sql.snowflake.signatures import kind_of
from proxy.sql.words import Words

_KINDS = {
    "TABLE": "table",
    "TRANSIENT TABLE": "table",
    "SEQUENCE": "sequence",
    "FUNCTION": "routine",
    "PROCEDURE": "routine",
    "SCHEMA": "schema",
    "VIEW": "view",
    "MATERIALIZED VIEW": "view",
    "DYNAMIC TABLE": "view",
}


def _asked(arguments: list[exp.Expr]) -> tuple[str, Words, exp.Expr]:
    """The kind, a cursor over the name, and whether names are to have their schema."""
    if not 2 <= len(arguments) <= 3 or not all(
        isinstance(one, exp.Literal) and one.is_string for one in arguments[:2]
    ):
        raise unsupported("GET_DDL of what is not a literal", arguments[0] if arguments else None)
    kind, name = (one.name for one in arguments[:2])
    if kind.upper() not in _KINDS:
        raise unsupported(f"GET_DDL of a {kind.upper()}", arguments[0])
    whole = arguments[2] if len(arguments) > 2 else exp.Boolean(this=False)
    return kind.upper(), Words(name, SNOWFLAKE.tokenize(name)), whole


def view_ddl(call: exp.Anonymous) -> exp.Expr | None:
    """GET_DDL of a view, as Postgres answers it; None for other objects."""
    kind, words, whole = _asked(call.expressions)
    if _KINDS[kind] != "view":
        return None
    name = words.dotted()[-2:]
    words.end()
    parts = (
        "public" if part == "main" and n == 0 < len(name) - 1 else part
        for n, part in enumerate(name)
    )
    path = quoted(*parts)
    qualified = isinstance(whole, exp.Boolean) and whole.this
    shown = ".".join(name if qualified else name[-1:])
    view = exp.Cast(this=text(path), to=exp.DataType.build("regclass", dialect="postgres"))
    query = duck("rtrim", duck("pg_get_viewdef", view), text("; \n"))
    parts = [text(f"create or replace view {shown}(\n\t"), _columns(view), text("\n) as ")]
    parts += [exp.Nullif(this=query, expression=text("")), text(";")]  # '' is a table's
    return exp.Paren(this=reduce(lambda one, other: exp.DPipe(this=one, expression=other), parts))


def _columns(view: exp.Expr) -> exp.Expr:
    names = exp.Select(
        expressions=[duck("quote_ident", exp.column("attname"))],
        from_=exp.From(this=exp.to_table("pg_catalog.pg_attribute")),
        where=exp.Where(
            this=exp.and_(
                exp.EQ(this=exp.column("attrelid"), expression=view.copy()),
                exp.GT(this=exp.column("attnum"), expression=exp.Literal.number(0)),
                copy=False,
            )
        ),
        order=exp.Order(expressions=[exp.Ordered(this=exp.column("attnum"))]),
    )
    return duck("array_to_string", exp.Array(expressions=[names]), text(",\n\t"))


def _place(name: tuple[str, ...]) -> exp.Expr:
    if len(name) > 3:
        raise SqlError("42601", f'improper name "{".".join(name)}"')
    if len(name) == 1:
        return exp.Null()
    return text(f"{ENGINE_DATABASE}.{engine_schema(name[-2])}")


@function("GET_DDL")
def _get_ddl(arguments: list[exp.Expr]) -> exp.Expr:
    kind, words, whole = _asked(arguments)
    name = words.dotted()
    if _KINDS[kind] == "routine":
        types = words.list_in_brackets() if words.word == "(" else ()
        words.end()
        kinds = text(", ".join(map(kind_of, types))) if types else exp.Null()
        return sf("ddl_of_routine_", text(kind), _place(name), text(name[-1]), kinds, whole)
    words.end()
    if _KINDS[kind] == "schema":
        return sf("ddl_of_schema_", text("public" if name[-1] == "main" else name[-1]), whole)
    place = _place(name)
    if _KINDS[kind] == "table":
        found = sf("schema_of_", text(name[-1]))
        place = found if isinstance(place, exp.Null) else place
    return sf(f"ddl_of_{_KINDS[kind]}_", place, text(name[-1]), whole)
