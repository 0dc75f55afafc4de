"""INSERT ... ON CONFLICT where what decides is an index over expressions or over some of the rows.

Why it exists: DuckDB takes columns for what decides, and looks for their values in the index, which has
others. So the statement becomes one that looks itself: the proposed rows, with their defaults, are joined
with the table over what the index computes. DO NOTHING is then an INSERT of those that meet no row, of
several that meet each other the first; DO UPDATE is a MERGE, which raises where a row would be changed
twice. NULLs meet nothing. The index stays what keeps two transactions apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.inserting import read_insert
from proxy.sql.changes.written_columns import is_default, width_of
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB, write_duckdb

_TWICE = "ON CONFLICT DO UPDATE command cannot affect row a second time"
_ENTANGLED = "ON CONFLICT DO NOTHING of rows that conflict only with rows left out is not supported"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_NUMBER, _AGAIN, _THERE, _GIVEN = '"_number"', '"_again"', "_there", "_given"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an INSERT says of conflicts, in DuckDB's SQL. keys, where: what it names, each expression's text.

    simple: it proposes one row, and DuckDB's own DO UPDATE takes what is to be done, without a query in it.
    query: whose rows it proposes, where these are not VALUES; width: how many columns that has, where its text
    shows it.
    """

    keys: tuple[str, ...]
    where: str
    plain: bool
    updates: bool
    simple: bool
    query: str
    width: int | None


@dataclass(frozen=True, slots=True)
class Upserting:
    """How it is decided. arbiters: the expressions of each index that does; () leaves it to DuckDB, by columns.

    columns: name, type and default of each of the table's. width: how many the query has.
    """

    arbiters: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[str, str, str | None], ...] = ()
    width: int = 0


def asked(sql: str) -> Asked | None:
    """What DuckDB's INSERT says; None for another statement."""
    tree = read_insert(sql)
    clause = tree.args.get("conflict") if tree is not None else None
    if tree is None or clause is None or clause.args.get("constraint") or tree.args.get("by_name"):
        return None
    keys = [_key(one) for one in clause.args.get("conflict_keys") or ()]
    where, rows = clause.args.get("index_predicate"), tree.expression
    values = isinstance(rows, exp.Values)
    one = tree.args.get("default") is True or (values and len(rows.expressions) == 1)
    return Asked(
        tuple(map(write_duckdb, keys)),
        write_duckdb(where.this) if where is not None else "",
        where is None and all(isinstance(key, exp.Column) for key in keys),
        clause.args["action"].name.upper() == "DO UPDATE",
        one and not _asks(clause),
        "" if values or rows is None else _with(tree) + write_duckdb(rows),
        width_of(rows) if isinstance(rows, exp.Query) and not values else None,
    )


def _asks(clause: exp.OnConflict) -> bool:
    """Whether what is to be done about a conflict has a query in it, or whole rows."""
    parts = [*clause.expressions, clause.args.get("where")]
    return any(part is not None and part.find(exp.Query, exp.Star) is not None for part in parts)


def _key(key: exp.Expr) -> exp.Expr:
    while isinstance(key, (exp.Ordered, exp.Opclass, exp.Collate, exp.Paren)):
        key = key.this
    return key


def forms(listed: str) -> list[str]:
    """Expressions, listed in DuckDB's own spelling, in one that is the same for equal ones."""
    (query,) = DUCKDB.dialect.parse(listed)
    assert query is not None
    return [write_duckdb(_form(one)) for one in query.expressions]


def _form(tree: exp.Expr) -> exp.Expr:
    root = exp.Paren(this=tree.copy())
    for node in list(root.find_all(exp.Paren, exp.Column, exp.EQ)):
        if isinstance(node, exp.Column):
            node.replace(exp.column(exp.to_identifier(node.name.casefold(), quoted=True)))
        elif isinstance(node, exp.Paren) and node is not root:
            node.replace(node.this)
    for node in list(root.find_all(exp.EQ)):  # x = true is x, x = false is NOT x
        truth = _TRUTHS.get(write_duckdb(node.expression.copy()))
        if truth is not None:
            node.replace(node.this if truth else exp.Not(this=node.this))
    return root.this


_TRUTHS = {"CAST('t' AS BOOLEAN)": True, "CAST('f' AS BOOLEAN)": False}  # as DuckDB lists them


def implies(said: str, wanted: str) -> bool:
    """Whether a condition is sure to hold where another one does; both as `forms` has them."""
    if not wanted:
        return True
    there = _conjuncts(said) if said else []
    known = {write_duckdb(one.copy()) for one in there}
    # What compares a column with anything does not hold for NULL.
    compared = {
        write_duckdb(side.copy())
        for one in there
        if isinstance(one, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE))
        for side in (one.this, one.expression)
        if isinstance(side, exp.Column)
    }
    for one in _conjuncts(wanted):
        given = isinstance(one, exp.Not) and isinstance(one.this, exp.Is) and one.this
        not_null = given and isinstance(given.expression, exp.Null)
        column = write_duckdb(given.this.copy()) if not_null else None
        if column not in compared and write_duckdb(one.copy()) not in known:
            return False
    return True


def _conjuncts(condition: str) -> list[exp.Expr]:
    tree = DUCKDB.dialect.parse(condition)[0]
    assert tree is not None
    return list(tree.flatten()) if isinstance(tree, exp.And) else [tree]


def upserted(sql: str, how: Upserting) -> str:
    """The INSERT as a statement that looks for conflicts itself."""
    tree = read_insert(sql)
    assert tree is not None
    clause = tree.args["conflict"]
    if not how.arbiters:
        clause.set("index_predicate", None)
        return write_duckdb(tree)
    made = _Upsert(tree, how)
    text = made.merge(clause) if clause.expressions else made.insert()
    returning = tree.args.get("returning")
    return _with(tree) + text + (f" {write_duckdb(returning).strip()}" if returning else "")


def _with(tree: exp.Insert) -> str:
    given = tree.args.get("with_")
    return f"{write_duckdb(given)} " if given is not None else ""


class _Upsert:
    def __init__(self, tree: exp.Insert, how: Upserting) -> None:
        self._tree, self._how = tree, how
        named = isinstance(tree.this, exp.Schema)
        self._table: exp.Table = tree.this.this if named else tree.this
        self._single = bool(tree.args.get("default"))
        self._columns = names = [name for name, _, _ in how.columns]
        if named:
            self._given = [self._own(names, one) for one in tree.this.expressions]
        else:
            self._given = names[: self._width()]
        self._names = ", ".join(map(quoted, names))

    def _own(self, names: Sequence[str], one: exp.Expr) -> str:
        for name in names:
            if name.casefold() == one.name.casefold():
                return name
        message = f'column "{one.name}" of relation "{self._table.name}" does not exist'
        raise SqlError("42703", message)

    def _width(self) -> int:
        rows = self._tree.expression
        if isinstance(rows, exp.Values):
            return max(len(_items(row)) for row in rows.expressions)
        return 0 if rows is None else self._how.width

    # --- the proposed rows ----------------------------------------------------------------------

    def _proposed(self) -> str:
        """The rows as they would be, each column in its type, numbered where there may be several."""
        by_name = {name: (kind, default) for name, kind, default in self._how.columns}
        rows, given = self._tree.expression, self._given
        if isinstance(rows, exp.Values):
            self._single = len(rows.expressions) == 1
            tuples = [_items(row) for row in rows.expressions]
            width = len(tuples[0])
            source = ", ".join(f"({', '.join(map(self._item, given, one))})" for one in tuples)
            source = f"(VALUES {source})"
        elif rows is None:
            width, source = 0, "(SELECT 1)"
        else:
            width, source = self._how.width, f"({write_duckdb(rows)})"
        if width != len(given):
            more, fewer = ("expressions", "target columns")[:: 1 if width > len(given) else -1]
            raise SqlError("42601", f"INSERT has more {more} than {fewer}")
        listed = f"({', '.join(map(quoted, given))})" if given else ""
        values = []
        for name, (kind, default) in by_name.items():
            value = quoted(_GIVEN, name) if name in given else default or "NULL"
            values.append(f"CAST({value} AS {kind}) AS {quoted(name)}")
        if not self._single:
            values.append(f"row_number() OVER () AS {_NUMBER}")
        return f"(SELECT {', '.join(values)} FROM {source} AS {quoted(_GIVEN)}{listed})"

    def _item(self, name: str, item: exp.Expr) -> str:
        kind, default = next((k, d) for one, k, d in self._how.columns if one == name)
        value = default or "NULL" if is_default(item) else write_duckdb(item)
        return f"CAST({value} AS {kind})"

    def _settle(self, to: exp.Expr, value: exp.Expr) -> None:
        """Puts what a column's default is in the place of the word, in SET."""
        if isinstance(to, exp.Tuple):
            for one, item in zip(to.expressions, _items(value), strict=False):
                self._settle(one, item)
        elif is_default(value):
            value.replace(DUCKDB.dialect.parse(self._item(self._own(self._columns, to), value))[0])

    def _compare_rows(self, where: exp.Where) -> None:
        """`t.* IS DISTINCT FROM excluded.*`, column by column."""
        for node in list(where.find_all(*_COMPARISONS)):
            rows = [
                side.this if isinstance(side, exp.Paren) else side
                for side in node.unnest_operands()
            ]
            if all(isinstance(row, exp.Column) and row.is_star for row in rows):
                sides = [row.args["table"] for row in rows]
                pairs = (
                    [exp.column(name, side, quoted=True) for side in sides]
                    for name in self._columns
                )
                each = [type(node)(this=one, expression=other) for one, other in pairs]
                joined = exp.and_ if isinstance(node, (exp.EQ, exp.NullSafeEQ)) else exp.or_
                node.replace(exp.Paren(this=joined(*each, copy=False)))

    # --- statements -----------------------------------------------------------------------------

    def insert(self) -> str:
        """DO NOTHING."""
        arbiters = self._how.arbiters
        rows = f"SELECT excluded.* FROM {self._proposed()} AS excluded"
        for number, arbiter in enumerate(arbiters):
            there = f"{_THERE}{number}"
            met = _met(arbiter, there, "excluded")
            rows += f" ANTI JOIN {_bare(self._table)} AS {quoted(there)} ON {met}"
        if not self._single:
            rows = self._first(rows)
        return f"INSERT INTO {write_duckdb(self._table)} ({self._names}) {rows}"

    def _first(self, rows: str) -> str:
        """Of rows that meet each other the first."""
        parts = [f"PARTITION BY {', '.join(_of(one, None))}" for one in self._how.arbiters]
        windows = [f"({part} ORDER BY {_NUMBER})" for part in parts]
        ranks = ", ".join(f'row_number() OVER {w} AS "_rank{n}"' for n, w in enumerate(windows))
        free = [f'("_rank{n}" = 1 OR {_null(one)})' for n, one in enumerate(self._how.arbiters)]
        ranked, kept = f"(SELECT *, {ranks} FROM ({rows}))", " AND ".join(free)
        if len(free) > 1:  # one that is left out itself is in nobody's way
            marks = ", ".join(
                f'first_value({kept}) OVER {w} AS "_first{n}"' for n, w in enumerate(windows)
            )
            ranked = f"(SELECT *, {kept} AS _kept, {marks} FROM {ranked})"
            met = " OR ".join(f'("_first{n}" AND NOT {one})' for n, one in enumerate(free))
            kept = f"CASE WHEN _kept THEN true WHEN {met} THEN false ELSE error({literal(_ENTANGLED)}) END"
        return f"SELECT {self._names} FROM {ranked} WHERE {kept} ORDER BY {_NUMBER}"

    def merge(self, clause: exp.OnConflict) -> str:
        """DO UPDATE."""
        (arbiter,) = self._how.arbiters
        name = self._table.alias_or_name
        source = f"{self._proposed()} AS excluded"
        again = "true"
        if not self._single:
            over = f"PARTITION BY {', '.join(_of(arbiter, None))} ORDER BY {_NUMBER}"
            marked = f"lead(true, 1, false) OVER ({over}) AND NOT {_null(arbiter)} AS {_AGAIN}"
            source = f"(SELECT *, {marked} FROM {source}) AS excluded"
            again = f"CASE WHEN excluded.{_AGAIN} THEN error({literal(_TWICE)}) ELSE true END"
        where = clause.args.get("where")
        if where is not None:
            self._compare_rows(where)
        holds = again
        if where is not None:
            holds = f"CASE WHEN {write_duckdb(where.this)} THEN {again} ELSE false END"
        for one in clause.expressions:
            self._settle(one.this, one.expression)
        sets = ", ".join(map(write_duckdb, clause.expressions))
        values = ", ".join(f"excluded.{quoted(name)}" for name, _, _ in self._how.columns)
        return (
            f"MERGE INTO {write_duckdb(self._table)} USING {source}"
            f" ON {_met(arbiter, name, 'excluded')}"
            f" WHEN MATCHED AND {holds} THEN UPDATE SET {sets}"
            f" WHEN NOT MATCHED AND {again} THEN INSERT ({self._names}) VALUES ({values})"
        )


def _items(row: exp.Expr) -> list[exp.Expr]:
    return row.expressions if isinstance(row, exp.Tuple) else [row]


def _bare(table: exp.Table) -> str:
    return quoted(*(part.name for part in table.parts))


def _of(expressions: Sequence[str], name: str | None) -> list[str]:
    """The expressions of an index, over the rows of that name."""
    found = []
    for text in expressions:
        tree = DUCKDB.dialect.parse(text)[0]
        assert tree is not None
        for column in list(tree.find_all(exp.Column)) if name is not None else ():
            column.set("table", exp.to_identifier(name, quoted=True))
        found.append(f"({write_duckdb(tree)})")
    return found


def _met(expressions: Sequence[str], one: str, other: str) -> str:
    pairs = zip(_of(expressions, one), _of(expressions, other), strict=True)
    return reduce("{} AND {}".format, (f"{left} = {right}" for left, right in pairs))


def _null(expressions: Sequence[str]) -> str:
    return f"({' OR '.join(f'{one} IS NULL' for one in _of(expressions, None))})"
