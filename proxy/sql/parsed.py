"""The plan of a statement that has a syntax tree: what of the session it takes, where it goes, its SQL.

The stages are the function's order: names of columns, what the session settles, the route
(`proxy.sql.route`), and what DuckDB is given.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import grammars, recursion, traces
from proxy.sql.by_words import in_session
from proxy.sql.changes.inserting import several_rows, upserts
from proxy.sql.changes.joined_returning import in_steps, names_joined
from proxy.sql.changes.joined_returning import refused as refused_joined
from proxy.sql.changes.row_locks import Locks, taken
from proxy.sql.changes.written_columns import EVERY, columns_set, path_of, target_of
from proxy.sql.classify import Slice, highest_parameter, is_ddl, kind_and_tag
from proxy.sql.context_search import put_context_queries
from proxy.sql.control_plane import name_set
from proxy.sql.definitions.alter_forms import (
    edited_by_words,
    renamed_index,
    with_named_check,
    without_its_name,
)
from proxy.sql.definitions.altering import truncates
from proxy.sql.definitions.create_as import (
    executed_in,
    keep_rows_on_commit,
    of_select_into,
    without_rows,
)
from proxy.sql.definitions.default_texts import note_texts
from proxy.sql.definitions.dropping import several_dropped
from proxy.sql.definitions.edits import name_renamed_column
from proxy.sql.definitions.indexing import texts_as_they_are
from proxy.sql.definitions.storage import leave_out as leave_storage_out
from proxy.sql.definitions.touched import EVERYTHING, Touched, touched
from proxy.sql.duckdb_catalog import name_schemas
from proxy.sql.federated import Relation, call_text, outermost, put_calls, put_stand_ins
from proxy.sql.for_postgres import catalog_question, escaped
from proxy.sql.listing import Listing, listed, take_apart
from proxy.sql.output_names import name_columns, name_index, name_inner_columns
from proxy.sql.output_nulls import nulls_are_text
from proxy.sql.portable import handed_over, is_portable
from proxy.sql.postgres import dialect as postgres
from proxy.sql.postgres import upkeep as postgres_upkeep
from proxy.sql.postgres.typing import needs_types
from proxy.sql.qualified_stars import shorten_stars
from proxy.sql.reading import DUCKDB, Reader, SyntaxFailure, at_or_near, too_complex
from proxy.sql.route import DUCKDB as DUCKDB_ENGINE
from proxy.sql.route import FEDERATED as BOTH_ENGINES
from proxy.sql.route import POSTGRES as POSTGRES_ENGINE
from proxy.sql.route import Facts, asks_only_who, collect, decide
from proxy.sql.scalar import is_scalar
from proxy.sql.sequences import calls_to_set, name_for_duckdb, taken_apart
from proxy.sql.several import may_be_several, refused_here
from proxy.sql.several import several as several_steps
from proxy.sql.snowflake.assigning import writes_texts
from proxy.sql.snowflake.context import Settled, settle
from proxy.sql.snowflake.definitions import hinted
from proxy.sql.snowflake.numbered import number_columns
from proxy.sql.snowflake.type_signs import NO_SIGNS, signs_of
from proxy.sql.snowflake.variant_signs import makes_variants, may_compare, relations_of
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.writing import Definition, define, write

_PARSED_STARTS = name_set(
    """
    SELECT WITH VALUES INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE COMMENT FROM DESCRIBE
    DESC SUMMARIZE PIVOT UNPIVOT (
    """
)


def plan(text: str, piece: Slice, dialect: Dialect, reader: Reader) -> Statement:
    """The plan of a statement, `piece` of the message `text`.

    Raises SqlError 42601 for what cannot be read, 54001 for what is nested too deep; what cannot be done
    is in the plan's `refused`.
    """
    source = text[piece.start : piece.end]
    if not piece.tokens or piece.tokens[0].text.upper() not in _PARSED_STARTS:
        raise at_or_near(text, piece.tokens[0] if piece.tokens else None)
    searched: list[recursion.Clause] = []
    if dialect.name == "postgres" and recursion.may_have(piece):
        piece, searched = recursion.taken_out(text, piece)
    try:
        read = grammars.read(text, piece, reader)
    except SyntaxFailure:
        if dialect.name == "postgres" and (construct := postgres_upkeep.named(piece.tokens)):
            return grammars.refused(text, piece, construct)
        raise
    if read is None:
        return grammars.for_postgres(text, piece, dialect)
    tree, grammar = read
    if isinstance(tree, exp.Command) and (named := with_named_check(piece.tokens, source)):
        tree = without_its_name(grammar.parse(named, grammar.tokenize(named)))
    if isinstance(tree, exp.Command):
        edited = edited_by_words(text, piece)
        return edited if edited is not None else grammars.unknown(text, piece)
    if dialect.name != "duckdb":
        tree = of_select_into(tree)
        if ".*" in source:
            shorten_stars(tree)
    if isinstance(tree, exp.Alter):
        if (renamed := renamed_index(text, piece, tree)) is not None:
            return renamed
        name_renamed_column(tree)
    if isinstance(tree, exp.Create) and (executed := executed_in(text, piece, tree)) is not None:
        return in_session(text, piece, executed)
    if grammar.name == "snowflake" and may_be_several(tree, piece):
        several = several_steps(text, piece, tree, *kind_and_tag(tree), dialect, grammar)
        if several is not None:
            return several
    rewritten = dialect.transpile and dialect.name != "duckdb"
    is_snowflakes = rewritten and dialect.name == "snowflake"
    numbered = grammar.name == "snowflake" and "$" in source
    signs, target, sets = None, None, ""
    kind, tag = kind_and_tag(tree)
    try:
        unsearched = None
        if searched:
            try:
                recursion.put_in(tree, searched)
            except SqlError as error:
                unsearched = error
        if numbered:
            number_columns(tree, bare=dialect.numbered)
        if rewritten:
            if not is_snowflakes and isinstance(tree, exp.Create | exp.Alter):
                note_texts(tree, piece.tokens, text)
            name_columns(tree, text, postgres=not is_snowflakes)
        if isinstance(tree, exp.Create):
            if rewritten:
                name_index(tree, text)
                texts_as_they_are(tree)
            keep_rows_on_commit(tree)
            leave_storage_out(tree)
            tag = kind if without_rows(tree) else tag
        nodes = listed(tree)
        if rewritten and not is_snowflakes and name_inner_columns(nodes, text):
            nodes = listed(tree)
        if rewritten and exp.Null in nodes.kinds and nulls_are_text(tree):
            nodes = listed(tree)
        if exp.Anonymous in nodes.kinds and (
            name_schemas(nodes) | name_for_duckdb(nodes) | put_context_queries(nodes)
        ):
            nodes = listed(tree)
        if is_snowflakes and not asks_only_who(nodes, piece.tokens):
            settled = settle(nodes, dialect, source)
            if settled.changed:
                nodes = listed(tree)
        else:
            settled = Settled(dialect, source)
        if rewritten and not is_snowflakes and not nodes.kinds.isdisjoint(postgres.WHO):
            settled.needs.add("role")
        scalar = is_scalar(nodes)
        typed = rewritten and (writes_texts if is_snowflakes else needs_types)(tree, nodes)
        if is_snowflakes and not typed:
            target, compares = target_of(tree), may_compare(tree, nodes)
            typed = compares or target is not None
            if typed and not (compares and makes_variants(nodes)):
                signs = signs_of(nodes) if compares else NO_SIGNS
                signs = signs if target is None else signs._replace(writes=True)
        setting = calls_to_set(tree, nodes)
        facts = collect(nodes, numbered=grammar is DUCKDB, sets=bool(setting))
        engine, refused = decide(facts)
        refused = refused or (unsearched if engine == DUCKDB_ENGINE else None)
    except RecursionError as error:
        raise too_complex() from error
    except SqlError as error:
        return refused_here(text, piece, kind, tag, error)
    truncated = None
    if isinstance(tree, exp.TruncateTable) and rewritten and not is_snowflakes:
        truncated = truncates(tree)
    if truncated is not None and refused is None and engine == DUCKDB_ENGINE:
        done = {"sql": "SELECT 1 LIMIT 0", "tag": tag, "writes": True, "copies": truncated}
        return Statement(Route.DUCKDB, kind, source, piece.start, **done)
    if refused is None and engine == DUCKDB_ENGINE and isinstance(tree, _DROPPING):
        several = several_dropped(text, piece, tree, kind)
        if several is not None:
            return in_session(text, piece, several)
    apart = rewritten and engine != POSTGRES_ENGINE and names_joined(tree)
    surely = apart and names_joined(tree, surely=True)
    if apart and (is_snowflakes or engine != DUCKDB_ENGINE):
        apart = False
        refused = refused or (refused_joined("", tree) if surely else None)
    alone = _read_alone(facts, nodes) if engine == DUCKDB_ENGINE and kind == "SELECT" else ()
    portable = engine == DUCKDB_ENGINE and is_portable(facts, kind, dialect)
    traced = traces.of_tree(nodes, facts.runtime) if portable else None
    definition: Definition | None = None
    locks: Locks | None = None
    relations: tuple[Relation, ...] = ()
    changed: tuple[Touched, ...] = ()
    sql, ddl = "", is_ddl(tree)
    if engine == POSTGRES_ENGINE:
        if settled.named:
            message = "IDENTIFIER, session variables and RESULT_SCAN are not supported here"
            hint = "Write out the names of the control plane's relations."
            refused = SqlError("0A000", message, hint=hint)
    elif refused is None:
        if ddl:
            changed = touched(tree, piece.tokens, text)
        elif facts.creates:
            changed = EVERYTHING
        if engine == BOTH_ENGINES:
            calls = [(node, call_text(node) or "") for node in outermost(facts.calls)]
            named = [*(relation for _, relation in facts.control_tables)]
            relations = tuple(dict.fromkeys([*named, *(("", text) for _, text in calls)]))
            refused = _federated_kind(kind, bool(calls))
            put_stand_ins(facts.control_tables, nodes)
            put_calls(calls)
        try:
            if ddl:
                definition = define(tree, nodes, source, dialect, grammar, changed=bool(relations))
                sql, nodes = definition.sql, definition.nodes
                if definition.deep:
                    changed = tuple(replace(one, deep=True) for one in changed)
            else:
                if rewritten and engine == DUCKDB_ENGINE and (locks := taken(tree, nodes)):
                    nodes = listed(tree)
                if setting:
                    asked = taken_apart(tree, setting)
                    nodes = listed(tree)
                    sets = write(asked, listed(asked), source, dialect, grammar, changed=True)
                changes = bool(relations or setting)
                sql = write(tree, nodes, source, dialect, grammar, changed=changes)
        except SqlError as error:
            refused = hinted(error, kind.partition(" ")[2])
    more: dict[str, Any] = {
        "sql": sql,
        "tag": tag,
        "writes": facts.writes,
        "scalar": scalar and not settled.needs,
    }
    if facts.numbers:
        more["numbers"] = True
    if settled.reworded:
        more["relayed"] = tree.sql("postgres")
    if alone and not settled.reworded and not settled.named:
        more["reads_alone"] = alone
    if portable:
        more["portable"] = True
        more["trace"], more["sets"] = traced
    if engine != DUCKDB_ENGINE:
        more["asks_catalog"] = facts.asks_catalog
        if facts.asks_positions:
            more["asks_positions"] = True
        more["trace"], more["sets"] = traces.of_tree(nodes, facts.runtime)
        more["federated"] = relations
        if engine == POSTGRES_ENGINE:
            escapes = dialect.name == "snowflake" and dialect.backslashes
            if facts.control and not settled.reworded:
                more["relayed"] = catalog_question(piece.tokens, text, escapes=escapes)
            elif escapes and not settled.reworded:
                more["relayed"] = escaped(piece.tokens, text)
    if facts.others:
        more["calls"] = tuple(facts.others)
    if locks is not None:
        more["writes"], more["locks"] = True, locks
    if isinstance(tree, exp.Delete) and isinstance(tree.this, exp.Table):
        more["deletes"] = path_of(tree.this)
    if isinstance(tree, exp.Update) and isinstance(tree.this, exp.Table):
        more["updates"], more["changes"] = path_of(tree.this), columns_set(tree)
    if isinstance(tree, exp.Insert) and (into := upserts(tree)):
        more["upserts"] = into
        if (conflict := tree.args["conflict"]).expressions:
            more["updates"], more["changes"] = into, columns_set(conflict)
            if tree.args.get("returning"):
                more["changes"] |= {EVERY}
    elif isinstance(tree, exp.Insert) and rewritten and not is_snowflakes and several_rows(tree):
        more["inserts"] = path_of(target) if (target := target_of(tree)) is not None else ()
    if typed and engine != POSTGRES_ENGINE:
        more["typed"] = True
        if signs is not None:
            over = relations_of(nodes)
            if target is not None and (path := path_of(target)) not in over:
                over = (*over, path)
            more["typed_over"], more["typed_by"] = over, signs
        if isinstance(tree, exp.Insert) and (given := grammars.overriding(piece.tokens)):
            more["overriding"] = given
    if ddl:
        more["ddl"] = True
    if definition is not None:
        more["tag"] = definition.tag or tag
        more["then"] = definition.then
        more["copies"] = definition.copies
        more["notice"] = definition.notice
    if changed:
        more["touched"] = changed
    if sets:
        more["setting"] = sets
    if refused is not None:
        more["refused"] = refused
    if settled.needs:
        more["needs"] = frozenset(settled.needs)
    if settled.varies:
        more["varies"] = True
    if "$" in source and not (numbered and dialect.numbered):
        more["parameters"] = highest_parameter(piece.tokens)
    if not ddl:  # what is to be defined may be kept
        take_apart(tree)
    made = Statement(_ROUTES[engine], kind, source, piece.start, **more)
    if apart:
        return in_steps(made, surely)
    if portable and refused is not None:
        with suppress(SqlError):
            return handed_over(made, refused)
    return made


def _read_alone(facts: Facts, nodes: Listing) -> tuple[str, ...]:
    """The one relation that a query reads; () for none or several."""
    if len(facts.analytical) != 1 or facts.control or facts.writes:
        return ()
    tables = nodes.of(exp.Table)
    return path_of(tables[0]) if len(tables) == 1 else ()


_ROUTES = {route.value: route for route in Route}
_DROPPING = (exp.Drop, exp.TruncateTable)


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
