"""A statement that is one in Snowflake and several here, or one only once something was read.

INSERT ALL, INSERT OVERWRITE, PIVOT over ANY, RESULT_SCAN and queries over stages: what they say is put
into an action for the session (`proxy.session.compound`, `proxy.staging`), which runs the steps.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.classify import Slice, highest_parameter
from proxy.sql.compound import PivotValues, ResultScan, Steps
from proxy.sql.listing import Listing, listed
from proxy.sql.reading import Reader
from proxy.sql.results import result_scan
from proxy.sql.route import collect, decide
from proxy.sql.snowflake import dml, pivoting, stage_queries
from proxy.sql.snowflake.context import Settled, settle
from proxy.sql.snowflake.numbered import number_columns
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.writing import is_snowflake, write

_SEVERAL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE TABLE AS"})


def may_be_several(tree: exp.Expr, piece: Slice) -> bool:
    """Whether there is anything in a statement for `several` to look at."""
    if isinstance(tree, exp.MultitableInserts) or tree.args.get("overwrite"):
        return True
    said = piece.said
    if not ("@" in said or "PIVOT" in said or "RESULT_SCAN" in said or "INFER_SCHEMA" in said):
        return False
    return stage_queries.may_read(piece.tokens) or any(
        token.token_type == TokenType.PIVOT or token.text.upper() == "RESULT_SCAN"
        for token in piece.tokens
    )


def several(
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
        scan = result_scan(text, piece.start, piece.end, piece.tokens, dialect.variables)
        if scan is not None and scan.back == -1 and dialect.last_listing is not None:
            scan = None
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
            settled = settled_by(listed(tree), dialect, source)
            facts = collect(listed(tree))
            overwrite = piece.tokens[1].text.upper() == "OVERWRITE"
            parts = dml.parts(tree, overwrite) or []
            written = [
                write(part, listed(part), source, dialect, grammar, changed=True) for part in parts
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
                facts = collect(listed(tree))
                query = found.values
                settled = settled_by(listed(query), dialect, source)
                values = write(query, listed(query), source, dialect, grammar, changed=True)
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
        return refused_here(text, piece, kind, tag, error)
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


def settled_by(nodes: Listing, dialect: Dialect, source: str) -> Settled:
    """What the session decides of a statement in Snowflake's dialect."""
    if not is_snowflake(dialect):
        return Settled(dialect, source)
    return settle(nodes, dialect, source)


def refused_here(text: str, piece: Slice, kind: str, tag: str, error: SqlError) -> Statement:
    """A statement that its session's state stops: it is asked again when it runs again."""
    source = text[piece.start : piece.end]
    return Statement(Route.DUCKDB, kind, source, piece.start, tag=tag, refused=error, varies=True)
