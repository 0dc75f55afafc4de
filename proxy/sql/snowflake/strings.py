"""Text and regular expressions: where DuckDB's function of that name, or sqlglot's, differs."""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, function, node, renamed, sf, unsupported
from proxy.sql.snowflake.types import as_text

renamed(
    {
        "VECTOR_INNER_PRODUCT": "array_inner_product",
        "VECTOR_L2_DISTANCE": "array_distance",
        "VECTOR_COSINE_SIMILARITY": "array_cosine_similarity",
    }
)


@node(exp.DPipe)
def _concatenation(pipe: exp.DPipe) -> None:
    """What is no text yet becomes one as a cast makes it: 1.0::FLOAT is '1'."""
    for key in ("this", "expression"):
        pipe.set(key, as_text(pipe.args[key]))


@node(exp.Concat)
def _concat(call: exp.Concat) -> None:
    call.set("expressions", [as_text(value) for value in call.expressions])


@function("SHA2", "SHA2_HEX", "SHA2_BINARY")
def _sha2(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) > 1 and arguments[1].name != "256":
        raise unsupported("SHA2 of a digest size other than 256", arguments[1])
    return duck("sha256", arguments[0])


@function("OCTET_LENGTH")
def _octet_length(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("octet_length_", arguments[0])


@function("HASH", "HASH_AGG")
def _hash(arguments: list[exp.Expr]) -> exp.Expr:
    raise unsupported("HASH", arguments[0], "Its values are Snowflake's own; use MD5 or SHA2.")


@node(exp.RegexpReplace)
def _regexp_replace(call: exp.RegexpReplace) -> None:
    occurrence = call.args.get("occurrence")
    position = call.args.get("position")
    if occurrence is not None and occurrence.name != "0":
        raise unsupported("REGEXP_REPLACE of one occurrence", call)
    if position is not None and position.name != "1":
        raise unsupported("REGEXP_REPLACE from a position", call)


@node(exp.RegexpInstr)
def _regexp_instr(call: exp.RegexpInstr) -> None:
    if call.args.get("parameters") is not None or call.args.get("group") is not None:
        raise unsupported("REGEXP_INSTR with parameters", call)


@node(exp.RegexpExtractAll)
def _regexp_extract_all(call: exp.RegexpExtractAll) -> exp.Expr | None:
    if call.args.get("parameters") is not None:
        raise unsupported("REGEXP_SUBSTR_ALL with parameters", call)
    return duck("to_json", call)


@function("RANDOM")
def _random(arguments: list[exp.Expr]) -> exp.Expr:
    if arguments:
        raise unsupported("RANDOM with a seed", arguments[0])
    return sf("random_")
