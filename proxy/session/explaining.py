"""A plan of DuckDB's in the shape of EXPLAIN (FORMAT JSON) of Postgres's.

Why it exists: pgAdmin, DataGrip, DBeaver and agents' tools draw plans, and read `Plan`, `Node Type`,
`Plan Rows` and `Plans` of the one document. The operators, and what DuckDB says of each, are DuckDB's.
It has no costs and no startup: `Total Cost` is how many rows the operator and those below it are
expected to pass on, which is what DuckDB's optimizer weighs; `Startup Cost` and `Plan Width` are 0.
"""

from __future__ import annotations

import json
from typing import Any

_TYPES = {
    "COLUMN_DATA_SCAN": "Values Scan",
    "DUMMY_SCAN": "Result",
    "FILTER": "Result",
    "HASH_GROUP_BY": "Aggregate",
    "HASH_JOIN": "Hash Join",
    "INDEX_SCAN": "Index Scan",
    "LIMIT": "Limit",
    "NESTED_LOOP_JOIN": "Nested Loop",
    "ORDER_BY": "Sort",
    "PERFECT_HASH_GROUP_BY": "Aggregate",
    "PROJECTION": "Result",
    "SEQ_SCAN": "Seq Scan",
    "TABLE_SCAN": "Seq Scan",
    "UNGROUPED_AGGREGATE": "Aggregate",
    "UNION": "Append",
    "WINDOW": "WindowAgg",
}
"""DuckDB's operators that Postgres has too; any other keeps its own name: `Top N`."""

Node = dict[str, Any]


def as_postgres(text: str, *, analyzed: bool) -> str:
    """text: DuckDB's JSON. analyzed: whether the statement was run. JSON: a list of one document."""
    found = json.loads(text)
    if analyzed and not found.get("children"):  # INSERT ... VALUES is not measured
        document = {"Plan": _node({"name": "RESULT"}, analyzed=False)}
    elif analyzed:
        (top,) = found["children"]  # EXPLAIN itself
        plan = _node(top["children"][0], analyzed=True)
        document = {"Plan": plan, "Execution Time": _milliseconds(found["latency"])}
    else:
        document = {"Plan": _node(found[0], analyzed=False)}
    return json.dumps([document], indent=2)


def _node(node: Node, *, analyzed: bool) -> Node:
    name = node["operator_name" if analyzed else "name"].strip()
    said = dict(node.get("extra_info") or {})
    below = [_node(child, analyzed=analyzed) for child in node.get("children") or ()]
    rows = int(said.pop("Estimated Cardinality", 0) or 0)
    made: Node = {
        "Node Type": _TYPES.get(name, name.replace("_", " ").title()),
        "Parallel Aware": False,
        "Async Capable": False,
    }
    table = said.pop("Table", None)
    if isinstance(table, str):
        *_, schema, relation = ["", *table.split(".")]
        made |= {
            "Relation Name": relation,
            "Schema": "public" if schema == "main" else schema,
            "Alias": relation,
        }
    made |= {
        "Startup Cost": 0.0,
        "Total Cost": float(rows + sum(child["Total Cost"] for child in below)),
        "Plan Rows": rows,
        "Plan Width": 0,
    }
    if analyzed:
        spent = _milliseconds(node["operator_timing"]) + sum(n["Actual Total Time"] for n in below)
        made |= {
            "Actual Startup Time": 0.0,
            "Actual Total Time": round(spent, 3),
            "Actual Rows": float(node["operator_cardinality"]),
            "Actual Loops": 1,
        }
    filters = said.pop("Filters", None)
    if filters is not None:
        made["Filter"] = filters if isinstance(filters, str) else " AND ".join(map(str, filters))
    made |= said
    if below:
        made["Plans"] = below
    return made


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
