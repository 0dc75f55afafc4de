"""The names that constraints are given, which DuckDB does not keep.

Why it exists: clients drop, rename and comment constraints by their names, and ORMs decide by the name in
an error what to tell their user. DuckDB reads a name and forgets it. So it is kept where the table's
definition is: a named check says it in a part that is never true, and each named key has a check
beside it that is always true, as foreign keys of Snowflake's have (`proxy.sql.snowflake.definitions`).
That check also says of a foreign key which table it refers to, since others may be of the same columns,
and that it is RESTRICT: DuckDB forgets that too.
What reads DuckDB's catalog (the mirror, errors, ALTER TABLE) finds the names here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.definitions.identities import folded
from proxy.sql.quoting import literal
from proxy.sql.reading import DUCKDB

_CHECK, _KEY = "check name", "key name"
_EVENTS = ("delete", "update")
_MARKS = (f'{{"{_CHECK}"', f'{{"{_KEY}"')


@dataclass(frozen=True, slots=True)
class NamedKey:
    """kind: 'PRIMARY KEY', 'UNIQUE' or 'FOREIGN KEY'. columns: of the table that has it.

    name: '' for a foreign key without. table: that it refers to. rules: what is done ON DELETE and ON
    UPDATE, where that was said.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    table: str = ""
    rules: tuple[tuple[str, str], ...] = ()


def keep_names(tree: exp.Expr, *, unique: bool = True) -> bool:
    """Puts the names of a CREATE TABLE's constraints where they are kept, in place; whether any was.

    unique: no two of them may have one name. Raises SqlError 42710 for one that they have.
    """
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        return False
    schema = tree.this
    if unique:
        _check_names(schema)
    records: list[exp.Expr] = []
    changed = False
    for item in list(schema.expressions):
        if isinstance(item, exp.ColumnDef):
            for constraint in item.args.get("constraints") or ():
                changed |= _keep(constraint, constraint.args.get("kind"), [item.this], records)
        elif isinstance(item, exp.Constraint) and len(item.expressions) == 1:
            (part,) = item.expressions
            changed |= _keep(item, part, _columns(part), records)
        elif isinstance(item, exp.ForeignKey):
            _keep(item, item, _columns(item), records)
    for record in records:
        schema.append("expressions", record)
    return changed or bool(records)


def _check_names(schema: exp.Schema) -> None:
    taken: set[str] = set()
    for item in schema.expressions:
        constraints = item.args.get("constraints") or () if isinstance(item, exp.ColumnDef) else ()
        for constraint in (item, *constraints):
            if not isinstance(constraint, (exp.Constraint, exp.ColumnConstraint)):
                continue
            if not isinstance(constraint.this, exp.Identifier):
                continue
            name = folded(constraint.this)
            if name in taken and not isinstance(constraint.args.get("kind"), _NOT_NULL):
                table = schema.this.name
                raise SqlError(
                    "42710", f'constraint "{name}" for relation "{table}" already exists'
                )
            taken.add(name)


_NOT_NULL = exp.NotNullColumnConstraint


def _keep(
    named: exp.Expr, part: exp.Expr | None, columns: Sequence[exp.Expr], records: list[exp.Expr]
) -> bool:
    if part is None:
        return False
    name = folded(named.this) if isinstance(named.this, exp.Identifier) else ""
    if isinstance(part, (exp.CheckColumnConstraint, exp.Check)):
        if name:
            part.set("this", _never(part.this, name))
        return bool(name)
    kind = _KINDS.get(type(part))
    if kind is None or not all(isinstance(column, exp.Identifier) for column in columns):
        return False
    table, rules = _reference(part) if kind == "FOREIGN KEY" else ("", ())
    if name or rules:
        key = NamedKey(name, kind, tuple(map(folded, columns)), table, rules)
        records.append(_always(key))
    return bool(name or rules)


def rules_of(reference: exp.Expr) -> tuple[tuple[str, str], ...]:
    """What a REFERENCES says of DELETE and UPDATE, save NO ACTION, which is what it does anyway."""
    found = []
    for option in reference.args.get("options") or ():
        words = str(option).upper().split()
        if words[:1] == ["ON"] and words[2:] != ["NO", "ACTION"]:
            found.append((words[1].lower(), " ".join(words[2:])))
    return tuple(found)


def _reference(part: exp.Expr) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The table that a foreign key refers to, and its rules."""
    reference = part.args.get("reference") if isinstance(part, exp.ForeignKey) else part
    if not isinstance(reference, exp.Reference):
        return "", ()
    table = reference.this.this if isinstance(reference.this, exp.Schema) else reference.this
    name = folded(table.this) if isinstance(table, exp.Table) else ""
    return name, rules_of(reference)


_KINDS: dict[type, str] = {
    exp.PrimaryKeyColumnConstraint: "PRIMARY KEY",
    exp.PrimaryKey: "PRIMARY KEY",
    exp.UniqueColumnConstraint: "UNIQUE",
    exp.Reference: "FOREIGN KEY",
    exp.ForeignKey: "FOREIGN KEY",
}


def _columns(part: exp.Expr) -> list[exp.Expr]:
    named = part.this if isinstance(part, exp.UniqueColumnConstraint) else part
    listed = named.expressions if isinstance(named, exp.Expr) else []
    return [column.find(exp.Identifier) or column for column in listed]


def _never(check: exp.Expr, name: str) -> exp.Expr:
    said = exp.Literal.string(json.dumps({_CHECK: name}))
    return exp.Or(this=exp.Paren(this=check), expression=exp.Is(this=said, expression=exp.Null()))


def _always(key: NamedKey) -> exp.Expr:
    said = exp.Literal.string(_text_of(key))
    return exp.CheckColumnConstraint(this=exp.Not(this=exp.Is(this=said, expression=exp.Null())))


def _text_of(key: NamedKey) -> str:
    said = {_KEY: key.name, "kind": key.kind, "columns": list(key.columns)}
    if key.table:
        said["table"] = key.table
    return json.dumps(said | dict(key.rules))


def check_of(key: NamedKey) -> str:
    """DuckDB's text of the check that keeps a key's name, as a constraint."""
    return f"CHECK (NOT ({literal(_text_of(key))} IS NULL))"


def named_check(name: str, expression: str) -> str:
    """DuckDB's text of a check with a name, as a constraint."""
    return f"CHECK (({expression}) OR ({literal(json.dumps({_CHECK: name}))} IS NULL))"


def name_of_check(expression: str) -> tuple[str, str] | None:
    """The name that a check, in DuckDB's words, was given, and what it says without that."""
    if _MARKS[0] not in expression:
        return None
    tokens = DUCKDB.own_tokens(expression)
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.STRING and token.text.startswith(_MARKS[0]):
            # `((...) OR ('{...}' IS NULL))`
            return json.loads(token.text)[_CHECK], expression[1 : tokens[at - 2].start].strip()
    return None


def key_of_check(expression: str) -> NamedKey | None:
    """The key whose name a check, in DuckDB's words, keeps."""
    if _MARKS[1] not in expression:
        return None
    for token in DUCKDB.own_tokens(expression):
        if token.token_type == TokenType.STRING and token.text.startswith(_MARKS[1]):
            kept = json.loads(token.text)
            rules = tuple((event, kept[event]) for event in _EVENTS if event in kept)
            columns = tuple(kept["columns"])
            return NamedKey(kept[_KEY], kept["kind"], columns, kept.get("table", ""), rules)
    return None


Listed = tuple[str, str, Sequence[str], str | None, str | None, Sequence[str]]
"""A constraint as DuckDB tells it: kind, text, columns, expression, and what it refers to."""


def given_names(rows: Sequence[Listed]) -> dict[int, str]:
    """The names of a table's constraints, by their places; '' for what only keeps another's."""
    names: dict[int, str] = {}
    taken: set[str] = set()

    def free(name: str) -> str:  # Snowflake takes a name twice
        numbers = itertools.chain([""], map(str, itertools.count(1)))
        found = next(f"{name}{number}" for number in numbers if f"{name}{number}" not in taken)
        taken.add(found)
        return found

    keys = _kept_keys(rows)
    for place, row in enumerate(rows):
        if row[0] != "CHECK" or row[3] is None:
            continue
        if (check := name_of_check(row[3])) is not None:
            names[place] = free(check[0])
        elif (found := keys.get(place)) is not None:
            names[place] = ""
            of, key = found
            if of is not None and key.name:
                names[of] = free(key.name)
    return names


def given_rules(rows: Sequence[Listed]) -> dict[int, tuple[tuple[str, str], ...]]:
    """The rules of a table's foreign keys, as `NamedKey` has them, by their places."""
    found = _kept_keys(rows).values()
    return {place: key.rules for place, key in found if place is not None and key.rules}


def _kept_keys(rows: Sequence[Listed]) -> dict[int, tuple[int | None, NamedKey]]:
    """Of checks that keep what is known of a key, by their places: the place of that key, and it."""
    left: dict[tuple[str, tuple[str, ...]], list[tuple[int, str]]] = {}
    kept = []
    for place, (kind, _, columns, expression, other, _theirs) in enumerate(rows):
        if kind != "CHECK":
            found = left.setdefault((kind, _folded(columns)), [])
            found.append((place, (other or "").lower()))
        elif expression is not None and (key := key_of_check(expression)) is not None:
            kept.append((place, key))
    keys: dict[int, tuple[int | None, NamedKey]] = {}
    for place, key in kept:
        found = left.get((key.kind, _folded(key.columns)), [])
        fitting = [one for one in found if not key.table or one[1] == key.table.lower()]
        of = next(iter(fitting), None)
        if of is not None and key.kind == "FOREIGN KEY":
            found.remove(of)
        keys[place] = (of[0] if of is not None else None, key)
    return keys


def _folded(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(column.lower() for column in columns)
