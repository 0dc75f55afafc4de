"""Postgres's dialect on DuckDB, and what every dialect shares.

sqlglot reads Postgres and writes DuckDB well; the rules here mend what it leaves: division of
integers, `E'...'` strings, the schema `public` (another name for DuckDB's `main`), and constructs
that it would drop without a word, which are refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import unifying
from proxy.sql.changes.merging import raise_on_second_match
from proxy.sql.definitions.default_texts import with_text
from proxy.sql.definitions.indexing import plain_index
from proxy.sql.digits import digits_of, rounded
from proxy.sql.listing import Listing, compiled, uncommon
from proxy.sql.postgres import aggregates as postgres_aggregates
from proxy.sql.postgres import floats, functions
from proxy.sql.postgres import json as postgres_json
from proxy.sql.postgres import operators as postgres_operators
from proxy.sql.postgres import records as postgres_records
from proxy.sql.postgres import recursive_terms as postgres_recursive_terms
from proxy.sql.postgres import returning as postgres_returning
from proxy.sql.postgres import routines as postgres_routines
from proxy.sql.postgres import row_comparisons as postgres_row_comparisons
from proxy.sql.postgres import row_functions as postgres_row_functions
from proxy.sql.postgres import sets as postgres_set
from proxy.sql.postgres import standard_json as postgres_standard_json
from proxy.sql.postgres import values as on_values
from proxy.sql.postgres.arrays import all_of, any_of, unnest_together
from proxy.sql.postgres.collations import collation
from proxy.sql.postgres.generated import generated
from proxy.sql.postgres.references import reference
from proxy.sql.postgres.variadic import variadic
from proxy.sql.reading import position_of
from proxy.sql.rows_among import among_rows
from proxy.wire.types import pg_type_named

Rule = Callable[[exp.Expr], exp.Expr | None]


def sources(select: exp.Select) -> None:
    """A name stands for one table of FROM; DuckDB lets two share it until it is used."""
    from_ = select.args.get("from_")
    nodes = [from_.this] if from_ is not None else []
    nodes += [join.this for join in select.args.get("joins") or ()]
    seen: set[str] = set()
    for node in nodes:
        alias = node.args.get("alias")
        if alias is not None and alias.this is not None:
            key = name = alias.name
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            key, name = node.sql(), node.name
        else:
            continue
        if key in seen:
            message = f'table name "{name}" specified more than once'
            raise SqlError("42712", message, position=position_of(node))
        seen.add(key)


def distinct_on(select: exp.Select) -> None:
    """Raises SqlError 42P10 where ORDER BY begins with another column than DISTINCT ON names."""
    distinct, order = select.args.get("distinct"), select.args.get("order")
    on = distinct.args.get("on") if distinct is not None else None
    if on is None or order is None:
        return
    keys = on.expressions if isinstance(on, exp.Tuple) else [on]
    wanted = [_meant(select, key) for key in keys]
    missing = list(keys)
    for ordered in order.expressions:
        one = _meant(select, ordered.this)
        if not isinstance(one, exp.Column) or not all(isinstance(w, exp.Column) for w in wanted):
            return
        if all(other.name != one.name for other in wanted):
            message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"
            raise SqlError("42P10", message, position=position_of(missing[0]))
        missing = [key for key in missing if _meant(select, key).name != one.name]
        if not missing:
            return


def _meant(select: exp.Select, key: exp.Expr) -> exp.Expr:
    """What a key of ORDER BY or DISTINCT ON stands for: a projection, by its number or alias, or itself."""
    if isinstance(key, exp.Literal) and not key.is_string and key.this.isdigit():
        place = int(key.this) - 1
        return select.expressions[place].unalias() if place < len(select.expressions) else key
    if isinstance(key, exp.Column) and not key.table:
        for one in select.expressions:
            if isinstance(one, exp.Alias) and one.alias == key.name:
                return one.this
    return key


_CREATED = frozenset({"TABLE", "VIEW", "SCHEMA", "INDEX", "SEQUENCE", "TYPE"})


def create(node: exp.Create) -> None:
    """What DuckDB can make."""
    kind = str(node.args.get("kind")).upper()
    if kind not in _CREATED:
        raise SqlError("0A000", f"CREATE {kind} is not supported")
    plain_index(node)
    if kind == "SEQUENCE":
        _owned(node)
    if kind == "SCHEMA" and (name := node.this.db or node.this.name).startswith("pg_"):
        detail = 'The prefix "pg_" is reserved for system schemas.'
        raise SqlError("42939", f'unacceptable schema name "{name}"', detail=detail)
    if isinstance(node.expression, (exp.Select, exp.SetOperation)):
        _named_once(node)
    properties = node.args.get("properties")
    if properties is not None and properties.find(exp.UnloggedProperty) is not None:
        # A table that may be lost in a crash: here it is not.
        kept = [one for one in properties.expressions if type(one) is not exp.UnloggedProperty]
        properties.set("expressions", kept)
        if not kept:
            node.set("properties", None)


def _owned(node: exp.Create) -> None:
    """OWNED BY is in the name of a sequence here. Raises SqlError 0A000 where that says something else."""
    options = node.find(exp.SequenceProperties)
    column = options.args.get("owned") if options is not None else None
    if column is None:
        return
    if node.this.name.rstrip("0123456789") != f"{column.table}_{column.name}_seq":
        hint = f"Name the sequence {column.table}_{column.name}_seq."
        raise on_values.refused(
            "OWNED BY a column that a sequence is not named after", column, hint
        )
    options.set("owned", None)


def _named_once(node: exp.Create) -> None:
    """Raises SqlError 42701 for two columns of one name; DuckDB would give one of them another."""
    listed = node.this.expressions if isinstance(node.this, exp.Schema) else ()
    seen = set[str]()
    for name in node.expression.named_selects[len(listed) :]:
        if name in seen and name != "*":
            raise SqlError("42701", f'column "{name}" specified more than once')
        seen.add(name)


def byte_string(node: exp.ByteString) -> exp.Expr:
    """`E'...'` is a string; the tokenizer has resolved its escapes."""
    return exp.Literal.string(node.this)


_SCHEMAS = {"public": "main", "pg_temp": "temp"}  # Postgres's name -> DuckDB's


def public_is_main(node: exp.Table | exp.Column) -> None:
    """`public.t` is `main.t`, and `pg_temp.t` is `temp.t`."""
    schema = node.args.get("db")
    if isinstance(schema, exp.Identifier) and (other := _SCHEMAS.get(schema.this.lower())):
        schema.set("this", other)
        if other == "temp":
            _is_temporary(node)


def called_in_public(node: exp.Dot) -> None:
    """`public.f(...)` is `main.f(...)`."""
    schema = node.this
    if isinstance(node.expression, exp.Anonymous) and isinstance(schema, exp.Identifier):
        schema.set("this", _SCHEMAS.get(schema.this.lower(), schema.this))


def _dot(node: exp.Dot) -> exp.Expr | None:
    made = postgres_records.taken(node)
    if made is None:
        called_in_public(node)
    return made


def _is_temporary(table: exp.Expr) -> None:
    """CREATE TABLE pg_temp.t makes a temporary table; to DuckDB it has to be said."""
    target = table.parent if isinstance(table.parent, exp.Schema) else table
    create = target.parent
    if not isinstance(create, exp.Create) or create.this is not target:
        return
    properties = create.args.get("properties") or exp.Properties(expressions=[])
    if properties.find(exp.TemporaryProperty) is None:
        properties.append("expressions", exp.TemporaryProperty())
        create.set("properties", properties)


def data_type(kind: exp.DataType) -> exp.Expr | None:
    """A type of a schema: one of Postgres's own, or in the one that DuckDB calls otherwise."""
    spelled = kind.args.get("kind")
    if spelled is not None:
        schema = spelled.this if isinstance(spelled, exp.Dot) else None
        name = spelled.expression if isinstance(spelled, exp.Dot) else spelled
        if schema is None or schema.name == "pg_catalog":
            _of_the_catalog(kind, name if isinstance(name, str) else name.name)
        elif isinstance(schema, exp.Identifier):
            schema.set("this", _SCHEMAS.get(schema.this.lower(), schema.this))
    return float_of(kind)


def _of_the_catalog(kind: exp.DataType, name: str) -> None:
    """`pg_catalog.int4`, and `_int4`, which is what the catalog calls its arrays."""
    element = name.removeprefix("_")
    known = pg_type_named(element)
    if known is None:
        return
    if element in _ENGINES_ONLY and known.duck is not None and not kind.expressions:
        made = exp.DataType.build(known.duck, dialect="duckdb")
    elif element in _ENGINES_ONLY or known.duck is None:
        raise on_values.refused(f"the type {element}", kind, "A column of text holds its values.")
    else:
        made = exp.DataType.build(element, dialect="postgres")
    if not isinstance(made, exp.DataType):
        return
    if element != name:
        made = exp.DataType(this=exp.DType.ARRAY, expressions=[made], nested=True)
    kind.set("this", made.this)
    kind.set("kind", None)
    if made.expressions:
        kind.set("expressions", made.expressions)
        kind.set("nested", made.args.get("nested"))


_ENGINES_ONLY = frozenset({"varbit"})
"""Types that DuckDB has by another name, and the grammar does not know."""


def float_of(kind: exp.DataType) -> exp.Expr | None:
    """FLOAT(p): real up to 24 bits, double precision up to 53."""
    if kind.this not in (exp.DType.FLOAT, exp.DType.DOUBLE) or not kind.expressions:
        return None
    bits = kind.expressions[0].find(exp.Literal)
    if bits is None or not bits.is_int:
        return None
    if not 1 <= int(bits.name) <= 53:
        least = int(bits.name) < 1
        message = "must be at least 1 bit" if least else "must be less than 54 bits"
        raise SqlError("22023", f"precision for type float {message}", position=position_of(bits))
    return exp.DataType(this=exp.DType.FLOAT if int(bits.name) <= 24 else exp.DType.DOUBLE)


def refuse_lock(node: exp.Lock) -> None:
    """Row locks have no counterpart in DuckDB's optimistic transactions."""
    raise SqlError(
        "0A000",
        "SELECT ... FOR UPDATE or SHARE is not supported on analytical tables",
        hint="A conflicting transaction fails with 40001 at commit; retry it.",
    )


def _numeric_parameter(node: exp.Cast) -> exp.Expr | None:
    """`$1::numeric` keeps all digits; DuckDB's bare DECIMAL has three behind the point."""
    kind = element = node.args["to"]
    while isinstance(element, exp.DataType) and element.this == exp.DType.ARRAY:
        element = element.expressions[0] if element.expressions else None
    if (
        not isinstance(node.this, exp.Parameter)
        or not isinstance(element, exp.DataType)
        or element.this != exp.DType.DECIMAL
        or element.expressions
    ):
        return None
    one = exp.DataTypeParam(this=exp.Literal.number(1))
    element.set("expressions", [one, exp.DataTypeParam(this=exp.Literal.number(0))])
    # The wider of the two; a DECIMAL(1, 0) is the narrowest there is.
    return exp.Coalesce(this=node.this, expressions=[exp.Cast(this=exp.Null(), to=kind)])


def values(values: exp.Values) -> exp.Expr | None:
    """The columns of VALUES are column1, column2, ..."""
    parent = values.parent
    in_query = parent is None or isinstance(parent, _OF_QUERIES) or _is_all(parent)
    if not (in_query or isinstance(parent, (exp.From, exp.Join))):
        return None
    rows = values.expressions
    width = len(rows[0].expressions) if rows and isinstance(rows[0], exp.Tuple) else 1
    names = [exp.Identifier(this=f"column{i}") for i in range(1, width + 1)]
    alias = values.args.get("alias")
    if in_query:
        inner = exp.Values(
            expressions=rows,
            alias=exp.TableAlias(this=exp.Identifier(this="_values"), columns=names),
        )
        made = exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner))
        for key in ("with_", "order", "limit", "offset"):
            if values.args.get(key) is not None:
                made.set(key, values.args[key])
        return made
    if alias is None:
        values.set("alias", exp.TableAlias(this=exp.Identifier(this="_values"), columns=names))
    elif not alias.columns:
        alias.set("columns", names)
    return None


def _is_all(node: exp.Expr) -> bool:
    """Whether it is ALL (...), which the parser takes for a function."""
    return isinstance(node, exp.Anonymous) and str(node.this).upper() == "ALL"


_OF_QUERIES = (exp.Subquery, exp.SetOperation, exp.Create)


def current_date(node: exp.CurrentDate) -> exp.Expr | None:
    """DuckDB reads `current_date AS current_date` as a column that refers to itself."""
    return exp.Anonymous(this="today") if node.this is None else None


def current_timestamp(node: exp.CurrentTimestamp) -> exp.Expr | None:
    """As `current_date`, rounded where it says to how many digits."""
    now = exp.Anonymous(this="now")
    if node.args.get("sysdate"):
        return exp.Anonymous(this="timezone", expressions=[exp.Literal.string("UTC"), now])
    if isinstance(node.this, exp.Literal):
        kind = exp.DataType(this=exp.DType.TIMESTAMPTZ, expressions=[node.this.copy()])
        digits = digits_of(kind)
        if digits is not None:
            return exp.Cast(this=rounded(now, kind, digits), to=kind)
    return now


_LOCAL = {exp.Localtimestamp: exp.DType.TIMESTAMP, exp.Localtime: exp.DType.TIME}


def local_moment(node: exp.Localtimestamp | exp.Localtime) -> exp.Expr | None:
    """`localtimestamp(3)`, rounded; without digits it is DuckDB's, too."""
    if not isinstance(node.this, exp.Literal):
        return None
    kind = exp.DataType(this=_LOCAL[type(node)], expressions=[node.this.copy()])
    digits = digits_of(kind)
    return None if digits is None else exp.Cast(this=rounded(type(node)(), kind, digits), to=kind)


def _default(node: exp.DefaultColumnConstraint) -> None:
    node.set("this", with_text(node, node.this))


def _altered_default(node: exp.AlterColumn) -> None:
    if (value := node.args.get("default")) is not None:
        node.set("default", with_text(node, value))


WHO = (exp.CurrentUser, exp.SessionUser, exp.CurrentRole)


def who(node: exp.Expr) -> exp.Expr:
    """The client's name; the engine knows one user only."""
    return exp.Anonymous(this="getvariable", expressions=[exp.Literal.string("hatidata_role")])


def fold(identifier: exp.Identifier) -> None:
    """Unquoted names are lower case."""
    fold_all([identifier])


def fold_all(identifiers: list[exp.Identifier]) -> None:
    """As `fold`, of many."""
    for identifier in uncommon(identifiers):
        if not identifier.args.get("quoted") and not _is_key(identifier):
            identifier.set("this", identifier.this.lower())


def _is_key(identifier: exp.Identifier) -> bool:
    """Whether it is a key of `{'Key': value}`, which sqlglot makes a name of: the key is a text."""
    pair = identifier.parent
    return isinstance(pair, exp.PropertyEQ) and isinstance(pair.parent, exp.Struct)


def _select(select: exp.Select) -> None:
    sources(select)
    distinct_on(select)
    postgres_operators.without_columns(select)
    postgres_operators.with_ties(select)


def _table(table: exp.Table) -> exp.Expr | None:
    public_is_main(table)
    if (made := functions.repeated_in_from(table)) is not None:
        return made
    functions.function_in_from(table)
    return None


_CALLED_TYPES = {
    "BOOL": exp.DType.BOOLEAN,
    "FLOAT4": exp.DType.FLOAT,
    "FLOAT8": exp.DType.DOUBLE,
    "INT2": exp.DType.SMALLINT,
    "INT4": exp.DType.INT,
    "INT8": exp.DType.BIGINT,
    "TEXT": exp.DType.TEXT,
}
"""Types whose names call a cast, and nothing that DuckDB knows."""


def _anonymous(node: exp.Anonymous) -> exp.Expr | None:
    name = node.this.upper() if isinstance(node.this, str) else ""
    if (found := postgres_standard_json.standard(node)) is not None:
        return found
    if _is_all(node):
        return all_of(node.expressions)
    if (kind := _CALLED_TYPES.get(name)) is not None and len(node.expressions) == 1:
        made = exp.Cast(this=node.expressions[0], to=exp.DataType(this=kind))
        return _cast(made) or made
    return functions.anonymous(node)


def _lateral(node: exp.Lateral) -> exp.Expr | None:
    made = functions.repeated_in_from(node)
    if made is None:
        functions.function_in_from(node)
    return made


def _is(node: exp.Is) -> exp.Expr | None:
    return postgres_standard_json.is_json(node) or postgres_row_comparisons.tested(node)


def _path_operator(node: exp.MatchAgainst) -> None:
    """Neither jsonpath's predicates nor text search are DuckDB's."""
    raise on_values.refused("the operator @@", node)


def _unnest(node: exp.Unnest) -> exp.Expr | None:
    functions.function_in_from(node)
    return unnest_together(node)


def _cast(node: exp.Cast) -> exp.Expr | None:
    made = functions.interval_of_fields(node) or on_values.literal_cast(node)
    if made is not None:
        return made
    floats.cast(node)
    return _numeric_parameter(node) or on_values.cast(node)


RULES: dict[type, Rule] = {
    **unifying.RULES,
    **postgres_json.RULES,
    **postgres_operators.RULES,
    **postgres_returning.RULES,
    **postgres_row_comparisons.RULES,
    **postgres_set.RULES,
    **postgres_aggregates.RULES,
    **postgres_routines.RULES,
    exp.Add: floats.float_arithmetic,
    exp.Alias: on_values.alias,
    exp.Anonymous: _anonymous,
    exp.ArrayToString: on_values.array_to_string,
    exp.Alter: on_values.altered,
    exp.AlterColumn: _altered_default,
    exp.Any: any_of,
    exp.BitString: on_values.no_bits,
    exp.ByteString: byte_string,
    exp.Cast: _cast,
    exp.Collate: collation,
    exp.CollateColumnConstraint: collation,
    exp.Column: public_is_main,
    exp.ColumnDef: on_values.column_definition,
    exp.Concat: on_values.concat,
    exp.ConcatWs: on_values.concat,
    exp.Create: create,
    exp.CurrentDate: current_date,
    exp.CurrentTimestamp: current_timestamp,
    exp.DefaultColumnConstraint: _default,
    exp.DPipe: on_values.concatenation,
    exp.DataType: data_type,
    exp.Div: on_values.division,
    exp.Dot: _dot,
    exp.EQ: on_values.equality,
    exp.ExplodingGenerateSeries: functions.generate_series,
    exp.Exp: floats.exponential,
    exp.Escape: on_values.escape,
    exp.Extract: functions.extract,
    exp.Fetch: functions.fetch,
    exp.GenerateSeries: functions.generate_series,
    exp.Hex: functions.hexadecimal,
    exp.IntDiv: on_values.whole_quotient,
    exp.Interval: on_values.interval,
    exp.Is: _is,
    **dict.fromkeys(WHO, who),
    exp.HexString: on_values.no_bits,
    exp.ILike: on_values.like,
    exp.Identifier: fold,
    exp.In: among_rows,
    exp.JSONBPathExists: postgres_standard_json.path_exists,
    exp.Lateral: _lateral,
    exp.Like: on_values.like,
    exp.Literal: on_values.literal,
    exp.Lock: refuse_lock,
    exp.MatchAgainst: _path_operator,
    exp.Merge: raise_on_second_match,
    exp.Mod: on_values.remainder,
    exp.Mul: floats.float_arithmetic,
    exp.NEQ: on_values.equality,
    exp.Pad: functions.pad,
    exp.ParseJSON: on_values.json_literal,
    exp.Pow: floats.power,
    exp.Reference: reference,
    exp.ComputedColumnConstraint: generated,
    exp.RegexpILike: on_values.matches,
    exp.RegexpLike: on_values.matches,
    exp.RegexpInstr: functions.regexp_instr,
    exp.RegexpReplace: functions.regexp_replace,
    exp.RegexpSubstr: functions.regexp_substr,
    exp.Round: functions.round_,
    exp.Select: _select,
    exp.SimilarTo: on_values.similar,
    exp.SplitPart: functions.split_part,
    exp.Localtime: local_moment,
    exp.Localtimestamp: local_moment,
    exp.StringToArray: functions.string_to_array,
    exp.Sub: floats.float_arithmetic,
    exp.Substring: functions.substring,
    exp.Table: _table,
    exp.TimestampFromParts: functions.moment_of_parts,
    exp.TimestampTrunc: functions.date_trunc,
    exp.Unnest: _unnest,
    exp.Values: values,
    exp.Variadic: variadic,
    exp.WithinGroup: postgres_aggregates.hypothetical,
}
_PUBLIC: dict[type, Rule] = {exp.Table: public_is_main, exp.Column: public_is_main}


def names_public(nodes: Listing) -> bool:
    """Whether a name is qualified by `public`, or by another schema that DuckDB calls otherwise."""
    for node in (*nodes.of(exp.Table), *nodes.of(exp.Column)):
        schema = node.args.get("db")
        if isinstance(schema, exp.Identifier) and schema.this.lower() in _SCHEMAS:
            return True
    return False


def rewrite(tree: exp.Expr, nodes: Listing) -> exp.Expr:
    """The tree for DuckDB, changed in place; `nodes` are its nodes."""
    functions.name_functions(nodes.of(exp.Table))
    postgres_recursive_terms.check(nodes)
    gives_rows = postgres_row_functions.may_hold(nodes)
    tree = apply(tree, nodes, RULES)
    if gives_rows:
        postgres_row_functions.settle(tree)
    return tree


def rewrite_public(tree: exp.Expr, nodes: Listing) -> exp.Expr:
    """As `rewrite`, for DuckDB's own dialect: only the schema's other name is mended."""
    return apply(tree, nodes, _PUBLIC)


def apply(tree: exp.Expr, nodes: Listing, rules: dict[type, Rule]) -> exp.Expr:
    """Run `rules` over `nodes`, children before parents; a rule returns a new node or None.

    Names come first: every rule sees them folded. Of plain columns none has anything to say.
    """
    if exp.Identifier in rules:
        fold_all(nodes.names)
    if compiled is not None:
        return compiled.apply_rules(tree, nodes, rules)
    return _apply(tree, nodes, rules)


def _apply(tree: exp.Expr, nodes: Listing, rules: dict[type, Rule]) -> exp.Expr:
    get = rules.get
    for node in reversed(nodes):
        rule = get(node.__class__)
        if rule is None:
            continue
        # The rule may put the node into a new one, which changes its parent: note it before.
        parent, key, index = node.parent, node.arg_key, node.index
        made = rule(node)
        if made is None or made is node:
            continue
        if parent is None:
            tree = made
            made.parent = None
        else:
            parent.set(key, made, index=index)
    return tree
