"""Which engine a statement is for, from what its tree names.

`Facts` are collected in one walk: relations (CTE names and aliases are not relations), functions,
casts to catalog types, and what may write. `decide` turns them into a route:

- relations of the control plane only, or functions that only Postgres has: Postgres, as it is;
- analytical relations, or none at all: DuckDB;
- both: federated, unless it would write to the control plane or call what changes it.

Guarded functions (files, secrets, SQL in strings) are found in the same walk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import control_plane, guard, sequences
from proxy.sql.federated import Relation, call_text
from proxy.sql.listing import Listing, look_at
from proxy.sql.reading import position_of

DUCKDB, POSTGRES, FEDERATED = "duckdb", "postgres", "federated"


class Facts:
    """What a tree names; names folded to lower case unless quoted.

    forbidden: whichever engine it is for. bound: the names of common table expressions, in lower case.
    numbers: it names functions of sequences. numbered: whether a placeholder may be a number.
    sets: whether setval may be called. others: functions by names that the grammar does not know, in lower case.
    """

    catalog_types = False
    only_common = True
    writes = False
    creates = False
    numbers = False
    refused: SqlError | None = None
    forbidden: SqlError | None = None
    bound: Collection[str] = ()

    def __init__(self, *, numbered: bool = False, sets: bool = False) -> None:
        self.numbered, self.sets = numbered, sets
        self.control: list[str] = []
        self.control_tables: list[tuple[exp.Table, Relation]] = []
        self.written: list[str] = []
        self.calls: list[exp.Expr] = []
        self.analytical: list[str] = []
        self.system: list[str] = []
        self.shared: list[str] = []
        self.runtime: list[str] = []
        self.others: list[str] = []

    @property
    def asks_catalog(self) -> bool:
        """Whether of the control plane not the runtime's own relations and functions alone are named."""
        if self.system or self.catalog_types:
            return True
        if not control_plane.CATALOG_FUNCTIONS.isdisjoint(self.shared):
            return True
        tables = self.control_tables
        runtime = all(schema == control_plane.RUNTIME_SCHEMA for _, (schema, _) in tables)
        return not runtime or len(tables) != len(self.control)

    @property
    def asks_positions(self) -> bool:
        """Whether what tells where sequences stand is named."""
        tables = {name for _, (_, name) in self.control_tables}
        return not control_plane.POSITIONS.isdisjoint(tables.union(self.system))

    def forbid(self, error: SqlError) -> None:
        self.refuse(error)
        self.forbidden = self.forbidden or error

    def refuse(self, error: SqlError) -> None:
        """Keep the first refusal: statements are judged by the first thing that is wrong."""
        if self.refused is None:
            self.refused = error


def folded(identifier: exp.Expr | str | None) -> str:
    """The name of an identifier as the engines compare it."""
    if isinstance(identifier, exp.Identifier):
        name = identifier.this
        return name if identifier.args.get("quoted") else name.lower()
    if isinstance(identifier, str):
        return identifier.lower()
    return identifier.name.lower() if identifier is not None else ""


_OWN = "_sf"
"""The database of the macros that every session's plans call."""


def _bound_by_cte(table: exp.Table, name: str) -> bool:
    node: exp.Expr | None = table.parent
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None:
            for cte in with_.expressions:
                if cte.alias.lower() == name.lower():
                    return True
        node = node.parent
    return False


def _not_yours(node: exp.Expr) -> SqlError:
    name = control_plane.MIRROR_SCHEMA
    return SqlError("42501", f"permission denied for schema {name}", position=position_of(node))


def _table(node: exp.Table, facts: Facts) -> None:
    args = node.args
    this = args.get("this")
    schema = args.get("db")
    if node._meta and "own" in node._meta:  # put there by a rule of ours, not by the client
        facts.analytical.append(node.alias)
        return
    if schema is not None and _OWN in (folded(schema), folded(args.get("catalog"))):
        facts.refuse(SqlError("42501", f"{_OWN} belongs to the server", position=position_of(node)))
    if not isinstance(this, exp.Identifier):
        _unusual_table(node, this, facts)
        return
    name = folded(this)
    if schema is not None:
        qualified = f"{folded(schema)}.{name}"
        if folded(schema) == control_plane.MIRROR_SCHEMA:
            facts.forbid(_not_yours(node))
        if folded(schema) in control_plane.CONTROL_SCHEMAS:
            _control(node, (folded(schema), name), qualified, facts)
        else:
            facts.analytical.append(qualified)
        return
    if facts.bound and name.lower() in facts.bound and _bound_by_cte(node, name):
        return
    if name in control_plane.SYSTEM_RELATIONS:
        _control(node, ("pg_catalog", name), name, facts)
        return
    if guard.is_file(name, this):
        facts.refuse(guard.file(name, position_of(this)))
    facts.analytical.append(name)


def _control(node: exp.Table, relation: Relation, name: str, facts: Facts) -> None:
    facts.control.append(name)
    facts.control_tables.append((node, relation))
    if _is_target(node):
        facts.written.append(name)


def _is_target(node: exp.Table) -> bool:
    """Whether a relation is what its statement writes, rather than what it reads."""
    child: exp.Expr = node
    if isinstance(node.parent, exp.Schema):
        child = node.parent
    parent = child.parent
    return isinstance(parent, _WRITERS) and parent.this is child


_WRITERS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Into)


def _unusual_table(node: exp.Table, this: exp.Expr | None, facts: Facts) -> None:
    if isinstance(this, exp.Literal):
        facts.refuse(guard.file(this.name, position_of(node)))
    elif isinstance(this, (exp.Parameter, exp.Placeholder, exp.DynamicIdentifier)):
        message = "a table's name cannot be an expression"
        facts.refuse(SqlError("0A000", message, position=position_of(node)))
    elif isinstance(this, exp.Var):
        facts.refuse(
            SqlError(
                "0A000",
                "a stage in this place of a statement is not supported",
                position=position_of(node),
            )
        )
    elif node.args.get("db") is not None and not isinstance(this, exp.Func):
        _schema(node, facts)


def _schema(node: exp.Table, facts: Facts) -> None:
    name = folded(node.args["db"])
    (facts.control if name in control_plane.CONTROL_SCHEMAS else facts.analytical).append(name)


def _schema_of(node: exp.Expr) -> str:
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        left = parent.this
        return folded(left.expression if isinstance(left, exp.Dot) else left)
    if isinstance(parent, exp.Table) and parent.this is node:
        return folded(parent.args.get("db"))
    return ""


_NOTED = (
    control_plane.SHARED_FUNCTIONS
    | control_plane.SYSTEM_FUNCTIONS
    | control_plane.HARMLESS
    | guard.FUNCTIONS
    | sequences.NUMBERS
    | {sequences.SETS}
)
"""Functions that anything is to be said about, but for the runtime's."""


_LISTING = "duckdb_"
"""What the functions begin with that list DuckDB's own catalog."""


def _function(node: exp.Expr, facts: Facts, name: str) -> None:
    schema = _schema_of(node)
    if not (
        schema
        or name in _NOTED
        or name in control_plane.RUNTIME_FUNCTIONS
        or name.startswith(control_plane.SYSTEM_PREFIXES)
    ):
        facts.only_common = False
        if name.startswith(_LISTING) and isinstance(node.parent, exp.Table):
            facts.analytical.append(name)
        return
    if schema == control_plane.MIRROR_SCHEMA:
        facts.forbid(_not_yours(node))
    if schema == control_plane.RUNTIME_SCHEMA or (
        not schema and name in control_plane.RUNTIME_FUNCTIONS
    ):
        facts.runtime.append(name)
        facts.calls.append(node)
        if name in control_plane.SIDE_EFFECTS:
            facts.writes = True
        return
    if schema == "information_schema" or (
        schema in ("", "pg_catalog") and control_plane.is_system_function(name)
    ):
        facts.system.append(name)
        facts.calls.append(node)
        return
    if name in control_plane.SHARED_FUNCTIONS:
        facts.shared.append(name)
        return
    if schema == "pg_catalog":
        facts.shared.append(name)
        return
    if name in sequences.NUMBERS:
        facts.writes = facts.writes or name == "nextval"
        facts.numbers = True
        facts.analytical.append(name)  # the mirror's sequences never count
    elif name == sequences.SETS and facts.sets:
        facts.writes = True
        facts.analytical.append(name)
    elif (refused := sequences.refusal(name, node)) is not None:
        facts.analytical.append(name)
        facts.refuse(refused)
    if not control_plane.is_common_function(name):
        facts.only_common = False
    if name in guard.FUNCTIONS:
        facts.refuse(guard.function(name, position_of(node)))


def _anonymous(node: exp.Anonymous, facts: Facts) -> None:
    name = folded(node.this)
    if not (
        name in _NOTED
        or name in control_plane.RUNTIME_FUNCTIONS
        or name.startswith(control_plane.SYSTEM_PREFIXES)
    ):
        facts.others.append(name.lower())
    _function(node, facts, name)


def _known(name: str) -> Callable[[exp.Expr, Facts], None]:
    def visit(node: exp.Expr, facts: Facts) -> None:
        _function(node, facts, name)

    return visit


def _column(node: exp.Column, facts: Facts) -> None:
    if node.args.get("table") is None:
        this = node.this
        if (
            isinstance(this, exp.Identifier)
            and not this.args.get("quoted")
            and this.this.lower() in control_plane.PARAMETERLESS
        ):
            facts.shared.append(this.this.lower())


def _cast(node: exp.Cast, facts: Facts) -> None:
    to = node.args.get("to")
    if isinstance(to, exp.ObjectIdentifier) or (
        isinstance(to, exp.DataType) and _is_object_id(to.args.get("kind"))
    ):
        facts.catalog_types = True


def _is_object_id(kind: exp.Expr | str | None) -> bool:
    """Whether a type that the grammar does not know is `regclass` or its kind."""
    if isinstance(kind, exp.Dot) and folded(kind.this) == "pg_catalog":
        kind = kind.expression
    if isinstance(kind, exp.Dot):
        return False
    return folded(kind) in control_plane.OBJECT_ID_TYPES


def _writing(node: exp.Expr, facts: Facts) -> None:
    facts.writes = True


def _into(node: exp.Expr, facts: Facts) -> None:
    facts.writes = facts.creates = True


def _placeholder(node: exp.Placeholder, facts: Facts) -> None:
    table = node.parent
    if isinstance(table, exp.Table) and table.this is node:
        return  # it is what its table is refused for
    if facts.numbered and node.name.isdecimal():
        return
    if node.this is None:
        facts.refuse(
            SqlError(
                "42601",
                'syntax error at or near "?"',
                hint="Parameters are written $1, $2, ...",
                position=position_of(node),
            )
        )
    else:
        facts.refuse(SqlError("0A000", f"bind variable :{node.name} is not supported here"))


_Visit = Callable[[exp.Expr, Facts], None] | None

_VISITS: dict[type, _Visit] = {
    exp.Table: _table,
    exp.Anonymous: _anonymous,
    exp.Column: _column,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Insert: _writing,
    exp.Update: _writing,
    exp.Delete: _writing,
    exp.Merge: _writing,
    exp.Create: _writing,
    exp.Drop: _writing,
    exp.Alter: _writing,
    exp.TruncateTable: _writing,
    exp.Comment: _writing,
    exp.Into: _into,
    exp.NextValueFor: _writing,
    exp.Placeholder: _placeholder,
    exp.CurrentDatabase: _known("current_database"),
    exp.CurrentCatalog: _known("current_catalog"),
    exp.CurrentSchema: _known("current_schema"),
    exp.CurrentSchemas: _known("current_schemas"),
    exp.CurrentUser: _known("current_user"),
    exp.CurrentRole: _known("current_role"),
    exp.SessionUser: _known("session_user"),
    exp.CurrentVersion: _known("version"),
}


def _func_class_visits() -> None:
    """Guarded functions that sqlglot knows by a class of their own, found by their SQL names."""
    names = guard.FUNCTIONS
    for name, cls in exp.FUNCTION_BY_NAME.items():
        if name.lower() in names:
            _VISITS.setdefault(cls, _known(name.lower()))


_func_class_visits()


_COMMON_NODES = frozenset({"count", "coalesce", "exists", "upper", "lower", "concat", "max", "min"})


def _uncommon(node: exp.Expr, facts: Facts) -> None:
    facts.only_common = False


def _visit_of(kind: type) -> _Visit:
    """What to do with nodes of a type that was not met before; None: nothing."""
    if issubclass(kind, exp.Func) and kind.sql_name().lower() not in _COMMON_NODES:
        return _uncommon
    return None


look_at(control_plane.PARAMETERLESS)


def collect(nodes: Listing, *, numbered: bool = False, sets: bool = False) -> Facts:
    """What all nodes of a tree say together.

    numbered: whether a placeholder may be a number. DuckDB's grammar makes one of `$1`, Snowflake's of `:1`.
    sets: whether it may call setval.
    """
    facts = Facts(numbered=numbered, sets=sets)
    if exp.CTE in nodes.kinds:
        facts.bound = {query.alias.lower() for query in nodes.of(exp.CTE)}
    for kind, found in nodes.by_kind():
        try:
            visit = _VISITS[kind]
        except KeyError:
            visit = _VISITS[kind] = _visit_of(kind)
        if visit is _uncommon:
            facts.only_common = False
        elif visit is not None:
            for node in found:
                visit(node, facts)
    return facts


_WHO = (exp.CurrentSchema, exp.CurrentDatabase, exp.CurrentUser, exp.SessionUser)
_AROUND_WHO = (exp.Select, exp.Alias, exp.Identifier, exp.Star, exp.From, exp.Table, exp.TableAlias)


def asks_only_who(nodes: Listing, tokens: list[Token]) -> bool:
    """Whether a query asks for nothing but the user, the schema or the database, as Postgres does.

    Postgres says that in every dialect, and in its own types. CURRENT_USER() is Snowflake's alone.
    """
    if nodes.columns or nodes.kinds.isdisjoint(_WHO):
        return False
    asked = False
    for node in nodes:
        if isinstance(node, _WHO):
            asked = True
        elif (isinstance(node, exp.Table) and not isinstance(node.this, _WHO)) or not isinstance(
            node, _AROUND_WHO
        ):
            return False
    return asked and not any(
        token.text.upper() in _BARE and after.token_type == TokenType.L_PAREN
        for token, after in pairwise(tokens)
    )


_BARE = frozenset({"CURRENT_USER", "SESSION_USER", "USER"})


def _first(names: list[str]) -> str:
    return f'"{names[0]}"'


def _left_to_postgres(facts: Facts) -> bool:
    """Whether all that a statement asks is who and where it is."""
    plain = facts.only_common and facts.refused is None
    return bool(facts.shared) and not facts.analytical and plain


def decide(facts: Facts) -> tuple[str, SqlError | None]:
    """The route, and the error that the statement meets when its turn comes."""
    postgres_only = bool(facts.system or facts.runtime or facts.catalog_types)
    if facts.forbidden is not None:
        return DUCKDB, facts.forbidden
    if not facts.analytical:
        if facts.control or postgres_only or _left_to_postgres(facts):
            return POSTGRES, None
        return DUCKDB, facts.refused
    if facts.control or postgres_only:
        return FEDERATED, facts.refused or _not_federated(facts)
    return DUCKDB, facts.refused


def _not_federated(facts: Facts) -> SqlError | None:
    """Why a statement over both engines cannot run; None if it can."""
    effects = [name for name in facts.runtime if name in control_plane.SIDE_EFFECTS]
    variable = [node for node in facts.calls if call_text(node) is None]
    if effects or variable or facts.catalog_types:
        names = effects or facts.runtime + facts.system or ["regclass"]
        what = f"functions of the control plane ({_first(names)}) and analytical relations"
        reason = "is not supported yet, but for calls with constants as arguments"
        if effects:
            reason = f"is not allowed: {effects[0]} changes the runtime"
    elif facts.written or len(facts.control_tables) < len(facts.control):
        names = facts.written or facts.control
        what = f"relations of the control plane ({_first(names)}) and analytical ones"
        reason = "is not supported where it writes to the control plane"
    else:
        return None
    message = f"one statement over {what} ({_first(facts.analytical)}) {reason}"
    return SqlError("0A000", message, hint="Ask the two sides one after the other.")
