"""How a plan is made: split, read, route, rewrite.

The order is the file's order: `plan_message` splits, `_plan` tries the readers of session
statements and of administration by the leading word, and what is left is parsed, judged by
`proxy.sql.route` and rewritten for DuckDB. The session's grammar is tried first and Postgres's
after it, so that what Postgres clients send unasked (psql's catalog queries, ORMs' casts) works in
every dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import administration, postgres, postgres_grammar, routines, snowflake, traces
from proxy.sql.alter_forms import altered as altered_by_words
from proxy.sql.alter_forms import with_named_check, without_its_name
from proxy.sql.altering import alters, drops
from proxy.sql.classify import Slice, highest_parameter, is_ddl, kind_and_tag, split
from proxy.sql.compound import PivotValues, ResultScan, RunBlock, Steps
from proxy.sql.constraint_names import keep_names
from proxy.sql.context_search import put_context_queries
from proxy.sql.control_plane import name_set
from proxy.sql.copying import read_copy
from proxy.sql.create_as import executed_in, without_rows
from proxy.sql.definitions import EVERYTHING, Touched, touched
from proxy.sql.dropping import several_dropped
from proxy.sql.duckdb_catalog import name_schemas
from proxy.sql.federated import (
    ANALYZE,
    AS_JSON,
    EXPLAIN,
    Relation,
    call_text,
    outermost,
    put_calls,
    put_stand_ins,
)
from proxy.sql.for_postgres import catalog_question
from proxy.sql.identities import take_all
from proxy.sql.output_names import name_columns
from proxy.sql.output_nulls import nulls_are_text
from proxy.sql.postgres_functions import DATE_PART
from proxy.sql.postgres_typing import needs_types
from proxy.sql.reading import (
    DUCKDB,
    PLAIN_SNOWFLAKE,
    POSTGRES,
    READERS,
    SNOWFLAKE,
    Reader,
    SyntaxFailure,
    at_or_near,
    too_complex,
    write_duckdb,
)
from proxy.sql.rebuilding import (
    Rebuilds,
    SetSchema,
    name_renamed_column,
    nullability,
    rebuilds,
)
from proxy.sql.results import result_scan
from proxy.sql.route import DUCKDB as DUCKDB_ENGINE
from proxy.sql.route import FEDERATED as BOTH_ENGINES
from proxy.sql.route import POSTGRES as POSTGRES_ENGINE
from proxy.sql.route import asks_only_who, collect, decide
from proxy.sql.scalar import is_scalar
from proxy.sql.script import read_block
from proxy.sql.sequences import name_for_duckdb
from proxy.sql.session_actions import CopyStatement
from proxy.sql.snowflake import accepted, dml, pivoting, stage_queries, stage_statements
from proxy.sql.snowflake.assigning import writes_literals
from proxy.sql.snowflake.context import Settled, settle
from proxy.sql.snowflake.definitions import Divided, divide, hinted
from proxy.sql.snowflake.numbered import number_columns
from proxy.sql.snowflake.show import is_show, read_describe, read_show, statement
from proxy.sql.snowflake.spelling import respelled
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.utility import PARSERS, Utility
from proxy.sql.words import Words


def plan_message(text: str, dialect: Dialect) -> tuple[Statement, ...]:
    """The statements of a message, in order; () if it holds none.

    Raises SqlError 42601 for what cannot be read, 54001 for what is nested too deep.
    """
    reader = READERS[dialect.name if dialect.transpile else "duckdb"]
    if reader is SNOWFLAKE and not dialect.backslashes:
        reader = PLAIN_SNOWFLAKE
    if reader is POSTGRES:
        return _plan_all(text, dialect, reader, reader.tokenize(text))
    try:
        return _plan_all(text, dialect, reader, reader.tokenize(text))
    except SyntaxFailure as failure:
        # Postgres's comments nest and its backslashes are plain: where that moves the ends of
        # statements, the message may still be good Postgres.
        again = _tokens_as_postgres(text)
        if again is None:
            raise
        try:
            return _plan_all(text, dialect, POSTGRES, again)
        except SyntaxFailure:
            raise failure from None


def _tokens_as_postgres(text: str) -> list[Token] | None:
    try:
        return POSTGRES.tokenize(text)
    except SyntaxFailure:
        return None


def _is_snowflake(dialect: Dialect) -> bool:
    return dialect.transpile and dialect.name == "snowflake"


def _plan_all(
    text: str, dialect: Dialect, reader: Reader, tokens: list[Token]
) -> tuple[Statement, ...]:
    slices = split(tokens, text, scripting=_is_snowflake(dialect))
    return tuple(_plan(text, piece, dialect, reader) for piece in slices)


def _plan(text: str, piece: Slice, dialect: Dialect, reader: Reader) -> Statement:
    if _is_snowflake(dialect):
        try:
            piece.tokens = respelled(piece.tokens)
        except SqlError as error:
            return _session(text, piece, Utility(piece.tokens[0].text.upper(), refused=error))
    words = Words(text, piece.tokens, session_variables=_is_snowflake(dialect))
    if piece.block:
        return _block(text, piece)
    first, phrase = administration.leading_words(words)
    if _is_snowflake(dialect):
        staged = stage_statements.reader(words, phrase)
        if staged is not None:
            return _staged(text, piece, staged, words)
        if (decided := accepted.read(words)) is not None:
            return _accepted(text, piece, decided)
    routine = routines.READERS.get(phrase) if _is_snowflake(dialect) else None
    if routine is not None:
        statement = _routine(text, piece, routine, words)
        if statement is not None:
            return statement
        words = Words(text, piece.tokens, session_variables=_is_snowflake(dialect))
    special = _SPECIAL.get(first)
    if special is not None:
        return special(text, piece, dialect, reader, words)
    parser = PARSERS.get(phrase) or PARSERS.get(first)
    if parser is not None:
        return _session(text, piece, parser(words))
    read = administration.READERS.get(phrase) or administration.READERS.get(first)
    if read is not None:
        judgement = read(words)
        if judgement is not None:
            return Statement(
                Route(judgement.engine),
                judgement.kind,
                text[piece.start : piece.end],
                piece.start,
                sql=judgement.sql,
                tag=judgement.kind,
                writes=judgement.writes,
                ddl=judgement.ddl,
                refused=judgement.refused,
                trace=traces.of_kind(judgement.kind),
                touched=judgement.touched,
                relayed=judgement.relayed,
            )
    return _query(text, piece, dialect, reader)


def _accepted(text: str, piece: Slice, decided: accepted.Accepted) -> Statement:
    """A statement about Snowflake's cloud: nothing is done for it."""
    return Statement(
        Route.DUCKDB,
        decided.kind,
        text[piece.start : piece.end],
        piece.start,
        sql="SELECT 1 LIMIT 0",
        tag=decided.kind,
        refused=decided.refused,
        notice=decided.notice,
    )


def _block(text: str, piece: Slice) -> Statement:
    try:
        block, length = read_block(text, piece.tokens)
    except SqlError as error:
        if error.sqlstate != "0A000":
            raise
        return _session(text, piece, Utility(piece.block, refused=error))
    if length < len(piece.tokens):
        raise at_or_near(text, piece.tokens[length])
    return _session(text, piece, Utility("CALL", action=RunBlock(block)))


def _staged(
    text: str, piece: Slice, read: Callable[[Words], stage_statements.Read], words: Words
) -> Statement:
    """A statement about stages or file formats."""
    try:
        found = read(words)
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        return _session(text, piece, Utility(piece.tokens[0].text.upper(), refused=error))
    statement = _session(text, piece, Utility(found.kind, found.tag, found.action))
    return replace(statement, writes=found.writes)


def _routine(
    text: str, piece: Slice, read: Callable[[Words], routines.Read], words: Words
) -> Statement | None:
    """CREATE FUNCTION and its kin; None where other readers are to judge."""
    try:
        found = read(words)
    except SqlError as error:
        if error.sqlstate != "0A000":
            if piece.tokens[0].text.upper() == "CREATE":
                return None  # another grammar's CREATE FUNCTION, which sqlglot may read
            raise
        return _session(text, piece, Utility(words.text[piece.start :].split()[0], refused=error))
    if found is None:
        return None
    kind, action = found
    statement = _session(text, piece, Utility(kind, action=action))
    parameters = highest_parameter(piece.tokens) if kind == "CALL" else 0
    return replace(statement, writes=True, parameters=parameters)


def _session(text: str, piece: Slice, utility: Utility) -> Statement:
    return Statement(
        Route.SESSION,
        utility.kind,
        text[piece.start : piece.end],
        piece.start,
        action=utility.action,
        tag=utility.tag,
        refused=utility.refused,
    )


def _copy(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    utility = read_copy(words)
    statement = _session(text, piece, utility)
    action = utility.action
    if not isinstance(action, CopyStatement):
        return statement
    writes = action.direction == "FROM"
    if action.table is not None:
        if administration.is_control_relation(action.table):
            return replace(
                statement,
                route=Route.POSTGRES,
                action=None,
                writes=writes,
                trace=traces.Trace.NOTHING,
            )
        *schema, table = action.table
        if schema and schema[-1] == "public":
            action = replace(action, table=(*schema[:-1], "main", table))
        return replace(statement, route=Route.DUCKDB, action=action, writes=writes)
    bracketed = _bracketed(piece)
    first = bracketed.tokens[0] if bracketed.tokens else None
    if first is not None and first.text.upper() == "TABLE":
        inner = _table(text, bracketed, dialect, reader, words)
    else:
        inner = _query(text, bracketed, dialect, reader)
    if inner.route is Route.POSTGRES:
        return replace(
            statement,
            route=Route.POSTGRES,
            action=None,
            writes=inner.writes,
            trace=inner.trace,
            sets=inner.sets,
        )
    if inner.kind not in _COPIED:
        raise at_or_near(text, first)
    refused = inner.refused
    if inner.route is Route.SESSION and refused is None:
        refused = SqlError("0A000", "COPY of a statement that takes several steps")
    if inner.parameters and refused is None:
        refused = SqlError("42P02", f"there is no parameter ${inner.parameters}")
    action = replace(action, query=inner.sql)
    return replace(
        statement,
        route=Route.DUCKDB,
        action=action,
        sql=inner.sql,
        writes=inner.writes,
        refused=statement.refused or refused,
        federated=inner.federated,
        needs=inner.needs,
        varies=inner.varies,
    )


_COPIED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})


def _bracketed(piece: Slice) -> Slice:
    """The statement within the first brackets of `piece`."""
    tokens = piece.tokens
    start = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.L_PAREN)
    depth = 0
    for index in range(start, len(tokens)):
        kind = tokens[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            inner = tokens[start + 1 : index]
            return Slice(inner, tokens[start].end + 1, tokens[index].start)
    raise AssertionError("brackets were matched when COPY was read")


_EXPLAIN_OPTIONS = name_set(
    "analyze verbose costs settings generic_plan buffers serialize wal timing summary memory"
)


def _explain(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    words.step()
    analyze, layout = False, ""
    if words.word == "(" and words.word_at(1) not in ("SELECT", "WITH", "(", "VALUES"):
        for option in words.list_in_brackets():
            name, _, value = option.partition(" ")
            on = value.strip().lower() not in ("off", "false", "0")
            if name.lower() == "format":
                layout = value.strip().lower()
            elif name.lower() == "analyze":
                analyze = on
            elif name.lower() not in _EXPLAIN_OPTIONS:
                raise SqlError("42601", f'unrecognized EXPLAIN option "{name}"')
    elif words.accept("USING"):
        layout = words.name()
    else:
        analyze = bool(words.accept_any("ANALYZE", "ANALYSE"))
        words.accept("VERBOSE")
    if words.token is None:
        raise words.fail()
    rest = [token for token in piece.tokens if token.start >= words.token.start]
    inner = _plan(text, Slice(rest, rest[0].start, piece.end), dialect, reader)
    whole = replace(
        inner,
        kind="EXPLAIN",
        text=text[piece.start : piece.end],
        start=piece.start,
        tag="EXPLAIN",
        action=None,
        writes=analyze and inner.writes,
        ddl=False,
        touched=inner.touched if analyze else (),
    )
    if inner.route not in (Route.DUCKDB, Route.FEDERATED):
        return whole
    if inner.sql == "" and inner.refused is None:
        raise at_or_near(text, rest[0])
    keyword = ANALYZE if analyze else EXPLAIN
    shape = AS_JSON if layout == "json" else ""
    return replace(whole, sql=f"{keyword}{shape}{inner.sql}")


def _table(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    """`TABLE t` is `SELECT * FROM t`."""
    at = piece.tokens[0]
    spelled = [(TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM")]
    tokens = [Token(kind, word, at.line, at.col, at.start, at.end) for kind, word in spelled]
    return _query(text, replace(piece, tokens=tokens + piece.tokens[1:]), dialect, reader)


def _show(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    if _is_snowflake(dialect) and is_show(words):
        return statement(text, piece, read_show(words, dialect.database), "SHOW")
    return _session(text, piece, PARSERS["SHOW"](words))


def _describe(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    asked = read_describe(words, dialect.database) if _is_snowflake(dialect) else None
    if asked is None:
        return _query(text, piece, dialect, reader)
    return statement(text, piece, asked, "DESCRIBE")


_SPECIAL = {
    "COPY": _copy,
    "EXPLAIN": _explain,
    "TABLE": _table,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
}

_PARSED_STARTS = name_set(
    """
    SELECT WITH VALUES INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE COMMENT FROM DESCRIBE
    DESC SUMMARIZE PIVOT UNPIVOT (
    """
)


def _read(text: str, piece: Slice, reader: Reader) -> tuple[exp.Expr, Reader] | None:
    """The tree and the grammar that read it; None for what only Postgres can read.

    A tree may be `exp.Command`: known by its first words and by nothing else.
    """
    failure: SyntaxFailure | None = None
    tree: exp.Expr | None = None
    try:
        tree = reader.parse(text, own_functions(piece.tokens, reader))
        if reader is POSTGRES:
            postgres_grammar.check(text, piece.tokens, tree)
        if kind_and_tag(tree) is not None:
            return tree, reader
        if not isinstance(tree, exp.Command):
            failure = at_or_near(text, piece.tokens[0])
    except SyntaxFailure as error:
        failure = error
    if reader is not POSTGRES:
        # Blanks in place of what comes before keep the offsets those of the message.
        alone = " " * piece.start + text[piece.start : piece.end]
        try:
            again = POSTGRES.parse(alone, POSTGRES.tokenize(alone))
            if kind_and_tag(again) is not None:
                return again, POSTGRES
        except SyntaxFailure as error:
            if failure is not None and error.offset > failure.offset:
                failure = error
    if administration.concerns_only_control_plane(piece.tokens):
        return None
    if failure is not None:
        rest = text[piece.end :]
        semicolon = len(text) - len(rest.lstrip())
        if failure.offset == len(text) and text[semicolon : semicolon + 1] == ";":
            raise SyntaxFailure('syntax error at or near ";"', semicolon)
        raise failure
    return tree, reader


def own_functions(tokens: list[Token], reader: Reader) -> list[Token]:
    """The tokens with those changed that sqlglot's grammar of Postgres would mix up.

    It makes an EXTRACT of date_part, and reads one number of what is in an interval's quotes.
    """
    if reader is not POSTGRES:
        return tokens
    made: list[Token] = []
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.VAR and token.text.lower() == "date_part":
            made.append(_like(token, TokenType.VAR, DATE_PART))
        elif token.token_type == TokenType.STRING and _is_whole_interval(tokens, index):
            opening = made.pop()
            made += [_like(opening, TokenType.VAR, "CAST"), _like(opening, TokenType.L_PAREN, "(")]
            made += [token, _like(token, TokenType.ALIAS, "AS")]
            made += [_like(token, TokenType.INTERVAL, "INTERVAL")]
            made += [_like(token, TokenType.R_PAREN, ")")]
        else:
            made.append(token)
    return made


_UNITS = name_set("YEAR MONTH DAY HOUR MINUTE SECOND")


def _is_whole_interval(tokens: list[Token], index: int) -> bool:
    """Whether a string is an interval without a unit behind it."""
    before = tokens[index - 1] if index else None
    if before is None or before.token_type != TokenType.INTERVAL:
        return False
    return index + 1 == len(tokens) or tokens[index + 1].text.upper() not in _UNITS


def _like(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end)


def _not_numbered(node: exp.Expr) -> bool:
    """DuckDB's grammar makes a placeholder of `$1`, Snowflake's makes one of `:1`."""
    return not isinstance(node, exp.Placeholder) or not node.name.isdecimal()


def _query(text: str, piece: Slice, dialect: Dialect, reader: Reader) -> Statement:
    source = text[piece.start : piece.end]
    if not piece.tokens or piece.tokens[0].text.upper() not in _PARSED_STARTS:
        raise at_or_near(text, piece.tokens[0] if piece.tokens else None)
    read = _read(text, piece, reader)
    if read is None:
        return _for_postgres(text, piece)
    tree, grammar = read
    if isinstance(tree, exp.Command) and (named := with_named_check(piece.tokens, source)):
        tree = without_its_name(grammar.parse(named, grammar.tokenize(named)))
    if isinstance(tree, exp.Command):
        edited = altered_by_words(piece.tokens)
        return _edited(text, piece, edited) if edited is not None else _unknown(text, piece)
    name_renamed_column(tree)
    if isinstance(tree, exp.Create) and (executed := executed_in(text, piece, tree)) is not None:
        return _session(text, piece, executed)
    if grammar.name == "snowflake" and _may_be_several(tree, piece.tokens):
        several = _several(text, piece, tree, *kind_and_tag(tree), dialect, grammar)
        if several is not None:
            return several
    rewritten = dialect.transpile and dialect.name != "duckdb"
    numbered = grammar.name == "snowflake" and "$" in source
    try:
        kind, tag = kind_and_tag(tree)
        if numbered:
            number_columns(tree, bare=dialect.numbered)
        if rewritten:
            name_columns(tree, text, postgres=dialect.name == "postgres")
        if isinstance(tree, exp.Create) and without_rows(tree):
            tag = kind
        nodes = list(tree.dfs())
        kinds = {node.__class__ for node in nodes}
        if rewritten and exp.Null in kinds:
            nulls_are_text(tree)
            nodes = list(tree.dfs())
        if exp.Anonymous in kinds and (
            name_schemas(nodes) | name_for_duckdb(nodes) | put_context_queries(nodes)
        ):
            nodes = list(tree.dfs())
        if asks_only_who(nodes, piece.tokens):
            settled = Settled(dialect, source)
        else:
            settled = _settled(nodes, dialect, source)
        if settled.changed:
            nodes = list(tree.dfs())
        if rewritten and not _is_snowflake(dialect) and any(type(n) in postgres.WHO for n in nodes):
            settled.needs.add("role")
        scalar = is_scalar(nodes)
        decides = needs_types if dialect.name == "postgres" else writes_literals
        typed = rewritten and decides(tree, nodes)
        facts = collect(list(filter(_not_numbered, nodes)) if grammar is DUCKDB else nodes)
        engine, refused = decide(facts)
    except RecursionError as error:
        raise too_complex() from error
    except SqlError as error:
        return _refused(text, piece, kind, tag, error)
    several = isinstance(tree, (exp.Drop, exp.TruncateTable))
    if several and engine == DUCKDB_ENGINE and refused is None:
        several = several_dropped(text, piece, tree, kind)
        if several is not None:
            return _session(text, piece, several)
    changed = ()
    if engine != POSTGRES_ENGINE and refused is None:
        if is_ddl(tree):
            changed = touched(tree, piece.tokens, text)
        elif facts.creates:
            changed = EVERYTHING
    sql, then, divided, anew = "", (), None, None
    relations: tuple[Relation, ...] = ()
    if engine != POSTGRES_ENGINE and refused is None:
        if engine == BOTH_ENGINES:
            calls = [(node, call_text(node) or "") for node in outermost(facts.calls)]
            named = [*(relation for _, relation in facts.control_tables)]
            relations = tuple(dict.fromkeys([*named, *(("", text) for _, text in calls)]))
            refused = _federated_kind(kind, bool(calls))
            put_stand_ins(facts.control_tables, nodes)
            put_calls(calls)
        try:
            anew = _rebuilds(tree, dialect, grammar) if rewritten else None
            if anew is not None and not anew.native:
                sql = "SELECT 1 LIMIT 0"  # what is done instead is known when it runs
            elif anew is not None and (native := nullability(anew)) is not None:
                sql = native
            elif _is_snowflake(dialect) and is_ddl(tree):
                divided, then = _divided(tree, dialect, grammar)
                nodes = list(divided.first.dfs())
                sql = _write(divided.first, nodes, source, dialect, grammar, changed=True)
            else:
                if rewritten and (bool(then := tuple(take_all(tree))) | keep_names(tree)):
                    nodes = list(tree.dfs())
                sql = _write(tree, nodes, source, dialect, grammar, changed=bool(relations))
        except SqlError as error:
            refused = hinted(error, kind.partition(" ")[2])
    elif engine == POSTGRES_ENGINE and settled.named:
        message = "IDENTIFIER, session variables and RESULT_SCAN are not supported here"
        hint = "Write out the names of the control plane's relations."
        refused = SqlError("0A000", message, hint=hint)
    if then or anew is not None or (divided is not None and divided.copies):
        changed = tuple(replace(one, deep=True) for one in changed)
    last = divided.first if divided is not None else tree
    altered = alters(last) or drops(last) if sql else None
    trace, sets = traces.of_tree(nodes, facts.runtime)
    relayed = None
    if engine == POSTGRES_ENGINE and facts.control:
        relayed = catalog_question(piece.tokens, text)
    return Statement(
        Route(engine),
        kind,
        source,
        piece.start,
        sql=sql,
        relayed=relayed,
        tag=divided.tag or tag if divided is not None else tag,
        writes=facts.writes,
        ddl=is_ddl(tree),
        touched=changed,
        parameters=_parameters(piece, source, numbered and dialect.numbered),
        refused=refused,
        scalar=scalar and not settled.needs,
        then=then,
        copies=(divided.copies if divided is not None else None) or anew or altered,
        notice=divided.notice if divided is not None else "",
        trace=trace,
        sets=sets,
        needs=frozenset(settled.needs),
        varies=settled.varies,
        federated=relations,
        asks_catalog=facts.asks_catalog,
        typed=typed and engine != POSTGRES_ENGINE,
    )


def _divided(tree: exp.Expr, dialect: Dialect, grammar: Reader) -> tuple[Divided, tuple[str, ...]]:
    """A definition's first statement, and the others as DuckDB's SQL."""
    divided = divide(tree, dialect.database, keys=dialect.keys)
    rewrite = snowflake.rewrite if grammar.name == "snowflake" else snowflake.rewrite_postgres
    then = [
        part if isinstance(part, str) else write_duckdb(rewrite(part, list(part.dfs())))
        for part in divided.then
    ]
    return divided, tuple(then)


def _rebuilds(tree: exp.Expr, dialect: Dialect, grammar: Reader) -> Rebuilds | None:
    """An ALTER TABLE as edits of the table's definition; None for all other statements."""
    if not isinstance(tree, exp.Alter):
        return None
    rules = postgres.rewrite
    if _is_snowflake(dialect):
        known = grammar.name == "snowflake"
        rules = snowflake.rewrite if known else snowflake.rewrite_postgres

    def rewrite(part: exp.Expr) -> exp.Expr:
        return rules(part, list(part.dfs()))

    def define(made: exp.Create) -> tuple[exp.Expr, list[str]]:
        if _is_snowflake(dialect):
            divided, then = _divided(made, dialect, grammar)
            return rewrite(divided.first), list(then)
        then = tuple(take_all(made))
        keep_names(made)
        return rewrite(made), list(then)

    found = rebuilds(tree, rewrite, define)
    if found is not None and len(found.edits) > 1 and not _is_snowflake(dialect):
        found = replace(found, native=False)  # DuckDB takes one change at a time
    return found


_SEVERAL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE TABLE AS"})


def _may_be_several(tree: exp.Expr, tokens: list[Token]) -> bool:
    """Whether there is anything in a statement for `_several` to look at."""
    if isinstance(tree, exp.MultitableInserts) or tree.args.get("overwrite"):
        return True
    return stage_queries.may_read(tokens) or any(
        token.token_type == TokenType.PIVOT or token.text.upper() == "RESULT_SCAN"
        for token in tokens
    )


def _several(
    text: str,
    piece: Slice,
    tree: exp.Expr,
    kind: str,
    tag: str,
    dialect: Dialect,
    grammar: Reader,
) -> Statement | None:
    """A statement that takes more than one of DuckDB's; None for all others."""
    source = text[piece.start : piece.end]
    action: Steps | PivotValues | ResultScan | None = None
    writes = False
    facts = None
    settled = Settled(dialect, source)
    try:
        # The listing just before is a query that the planner itself puts in its place.
        listed = dialect.last_listing is not None
        scan = None if listed else result_scan(text, piece.start, piece.end, piece.tokens)
        if scan is not None and kind in _SEVERAL:
            return Statement(
                Route.SESSION,
                kind,
                source,
                piece.start,
                action=scan,
                tag=tag,
                writes=kind != "SELECT",
            )
        if stage_queries.reads(tree):
            return _over_stages(text, piece, tree, kind, tag, dialect)
        if isinstance(tree, exp.MultitableInserts) or tree.args.get("overwrite"):
            writes = True
            if "$" in source:
                number_columns(tree, bare=dialect.numbered)
            settled = _settled(list(tree.dfs()), dialect, source)
            facts = collect(tree.dfs())
            overwrite = piece.tokens[1].text.upper() == "OVERWRITE"
            parts = dml.parts(tree, overwrite) or []
            written = [
                _write(part, list(part.dfs()), source, dialect, grammar, changed=True)
                for part in parts
            ]
            counted = [i for i, part in enumerate(parts) if isinstance(part, exp.Insert)]
            if isinstance(parts[0], exp.Create):
                written.append(f"DROP TABLE {dml.ROWS}")
            action = Steps(tuple(written), tuple(counted))
        elif scan is not None:
            raise SqlError("0A000", f"{kind} over RESULT_SCAN is not supported")
        elif tree.find(exp.Pivot) is not None:
            found = pivoting.dynamic(tree, piece.tokens)
            if found is not None:
                facts = collect(tree.dfs())
                query = found.values
                settled = _settled(list(query.dfs()), dialect, source)
                values = _write(query, list(query.dfs()), source, dialect, grammar, changed=True)
                before, after = text[piece.start : found.start], text[found.end : piece.end]
                action = PivotValues(values, before, after)
        if action is None or facts is None:
            return None
        if kind not in _SEVERAL:
            raise SqlError("0A000", f"{kind} over values that are read first is not supported")
        engine, refused = decide(facts)
        if engine != "duckdb" and refused is None:
            refused = SqlError("0A000", f"{kind} of this form over the control plane")
        if highest_parameter(piece.tokens) and not dialect.numbered:
            refused = refused or SqlError("0A000", f"parameters in {kind} of this form")
    except SqlError as error:
        return _refused(text, piece, kind, tag, error)
    return Statement(
        Route.SESSION,
        kind,
        source,
        piece.start,
        action=action,
        tag=tag,
        writes=writes,
        refused=refused,
        needs=frozenset(settled.needs),
        varies=settled.varies,
    )


def _over_stages(
    text: str, piece: Slice, tree: exp.Expr, kind: str, tag: str, dialect: Dialect
) -> Statement:
    """A statement that reads files of stages: what it says of them, for the session."""
    source = text[piece.start : piece.end]
    query = None
    if kind in _SEVERAL:
        query = stage_queries.read(source, tree, kind, writes=kind != "SELECT")
    if query is None:
        raise SqlError("0A000", f"{kind} that reads a stage is not supported")
    refused, parameters = None, 0
    if not dialect.numbered and (parameters := highest_parameter(piece.tokens)):
        hint = "In a statement that may have parameters, write t.$1 for a column."
        refused = SqlError("0A000", "parameters in a statement that reads a stage", hint=hint)
    return Statement(
        Route.SESSION,
        kind,
        source,
        piece.start,
        action=query,
        tag=tag,
        writes=kind != "SELECT",
        parameters=parameters,
        refused=refused,
    )


def _parameters(piece: Slice, source: str, numbered: bool) -> int:
    return highest_parameter(piece.tokens) if "$" in source and not numbered else 0


_FEDERATED = name_set("SELECT INSERT UPDATE DELETE MERGE DESCRIBE SUMMARIZE")


def _federated_kind(kind: str, calls: bool) -> SqlError | None:
    """The refusal of a statement over both engines that is of none of the kinds that can be."""
    if kind == "CREATE VIEW" and calls:
        return SqlError(
            "0A000", "a view that calls functions of the control plane is not supported"
        )
    if kind in _FEDERATED or kind in ("CREATE TABLE AS", "CREATE VIEW"):
        return None
    return SqlError("0A000", f"{kind} over relations of the control plane is not supported")


def _settled(nodes: list[exp.Expr], dialect: Dialect, source: str) -> Settled:
    """What the session decides of a statement in Snowflake's dialect."""
    if not _is_snowflake(dialect):
        return Settled(dialect, source)
    return settle(nodes, dialect, source)


def _refused(text: str, piece: Slice, kind: str, tag: str, error: SqlError) -> Statement:
    """A statement that its session's state stops: it is asked again when it runs again."""
    source = text[piece.start : piece.end]
    return Statement(Route.DUCKDB, kind, source, piece.start, tag=tag, refused=error, varies=True)


_CHANGING = frozenset(
    {
        *(TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE),
        *(TokenType.CREATE, TokenType.DROP, TokenType.ALTER, TokenType.TRUNCATE),
    }
)


def _for_postgres(text: str, piece: Slice) -> Statement:
    """A statement that only Postgres can read, about nothing but its own relations."""
    word = piece.tokens[0].text.upper()
    kind = "SELECT" if word == "WITH" else word
    return Statement(
        Route.POSTGRES,
        kind,
        text[piece.start : piece.end],
        piece.start,
        tag=kind,
        relayed=catalog_question(piece.tokens, text),
        writes=any(token.token_type in _CHANGING for token in piece.tokens),
        parameters=highest_parameter(piece.tokens),
    )


def _write(
    tree: exp.Expr,
    nodes: list[exp.Expr],
    source: str,
    dialect: Dialect,
    grammar: Reader,
    *,
    changed: bool,
) -> str:
    """changed: the tree is not that of `source` any more."""
    if not dialect.transpile or dialect.name == "duckdb":
        if grammar.name == "duckdb" and not changed and not postgres.names_public(nodes):
            return source
        return write_duckdb(postgres.rewrite_public(tree, nodes))
    if grammar.name == "snowflake":
        return write_duckdb(snowflake.rewrite(tree, nodes))
    if dialect.name == "snowflake":
        return write_duckdb(snowflake.rewrite_postgres(tree, nodes))
    return write_duckdb(postgres.rewrite(tree, nodes))


_OBJECT_STARTS = name_set("CREATE ALTER DROP")
_QUALIFIERS = name_set(
    """
    OR REPLACE TEMP TEMPORARY TRANSIENT VOLATILE LOCAL GLOBAL UNLOGGED UNIQUE RECURSIVE SECURE
    MATERIALIZED FOREIGN EXTERNAL DYNAMIC HYBRID ICEBERG PERSISTENT EVENT ACCESS DEFAULT TEXT USER
    CONSTRAINT TRUSTED PROCEDURAL TABLE
    """
)
_OBJECTS = name_set(
    """
    ACCESS ACCOUNT AGGREGATE ALERT API APPLICATION AUTHENTICATION CAST CATALOG COLLATION COMPUTE
    CONNECTION CONVERSION DATABASE DATASET DEFAULT DOMAIN EVENT EXTENSION EXTERNAL FAILOVER FILE
    FOREIGN FUNCTION GIT GROUP IMAGE INDEX INTEGRATION LANGUAGE LARGE MACRO MANAGED MASKING
    MATERIALIZED MODEL NETWORK NOTEBOOK NOTIFICATION OPERATOR ORGANIZATION OWNED PACKAGES PASSWORD
    PIPE POLICY PRIVILEGES PROCEDURE PROJECTION PUBLICATION REPLICATION RESOURCE ROLE ROUTINE ROW
    RULE SCHEMA SECRET SECURITY SEMANTIC SEQUENCE SERVER SERVICE SESSION SHARE STAGE STATISTICS
    STORAGE STREAM STREAMLIT SUBSCRIPTION SYSTEM TABLE TABLESPACE TAG TASK TEXT TRANSFORM TRIGGER
    TYPE USER VIEW WAREHOUSE
    """
)


def _no_object(tokens: list[Token]) -> Token | None:
    """What stands where a kind of object should."""
    for token in tokens[1:]:
        word = token.text.upper()
        if word in _OBJECTS:
            return None
        if word not in _QUALIFIERS:
            return token
    return None


_UNSUPPORTED_STARTS = name_set("CREATE ALTER DROP COMMENT GRANT REVOKE DESCRIBE DESC")


def _edited(text: str, piece: Slice, edited: Rebuilds) -> Statement:
    """A definition that changes a table in a way that only `proxy.rebuilding` knows."""
    kind = "ALTER TABLE"
    *places, name = edited.table
    schemas: list[str | None] = [*places[-1:]] or [None]
    schemas += [edit.schema for edit in edited.edits if isinstance(edit, SetSchema)]
    return Statement(
        Route.DUCKDB,
        kind,
        text[piece.start : piece.end],
        piece.start,
        sql="SELECT 1 LIMIT 0",
        tag=kind,
        writes=True,
        ddl=True,
        touched=tuple(Touched(schema, name, deep=True, views=True) for schema in schemas),
        copies=edited,
    )


def _unknown(text: str, piece: Slice) -> Statement:
    """A statement of which only the first words are known."""
    words = [token.text.upper() for token in piece.tokens[:3]]
    if words[0] not in _UNSUPPORTED_STARTS:
        raise at_or_near(text, piece.tokens[0])
    if words[0] in _OBJECT_STARTS and (wrong := _no_object(piece.tokens)) is not None:
        raise at_or_near(text, wrong)
    kind = " ".join(word for word in words[:2] if word not in ("OR", "REPLACE"))
    refused = SqlError("0A000", f"this form of {kind} is not supported", position=piece.start + 1)
    hinted(refused, kind.partition(" ")[2])
    source = text[piece.start : piece.end]
    return Statement(
        Route.DUCKDB, kind, source, piece.start, tag=kind, writes=True, ddl=True, refused=refused
    )
