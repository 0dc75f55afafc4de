"""MATCH_RECOGNIZE beside a plain matcher: backtracking as the standard words it, row by row.

The plain matcher below tries the ways to match in the order of their preference and takes the first.
It is compared with the server's, on tables and patterns that hypothesis makes up: first the matching
alone, then whole clauses with their measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.row_matching import matched
from proxy.sql.snowflake.row_patterns import read_pattern

from .cases import Runner

Tree = Any
Row = frozenset[str]
"""The symbols that a row may be."""

SYMBOLS = ("A", "B", "C", "D")  # D is defined nowhere: every row is one


# --- the plain matcher ----------------------------------------------------------------------------


def ways(tree: Tree, rows: list[Row], at: int) -> Iterator[list[tuple[str, bool]]]:
    """The ways in which the rows from `at` on match, the preferred ones first."""
    match tree:
        case "^":
            if at == 0:
                yield []
        case "$":
            if at == len(rows):
                yield []
        case str():
            if at < len(rows) and (tree == "D" or tree in rows[at]):
                yield [(tree, False)]
        case ("not shown", inner):
            for way in ways(inner, rows, at):
                yield [(symbol, True) for symbol, _ in way]
        case ("one after the other", first, second):
            for way in ways(first, rows, at):
                for rest in ways(second, rows, at + len(way)):
                    yield way + rest
        case ("either", first, second):
            yield from ways(first, rows, at)
            yield from ways(second, rows, at)
        case ("in any order", first, second):
            yield from ways(("one after the other", first, second), rows, at)
            yield from ways(("one after the other", second, first), rows, at)
        case ("repeated", inner, least, most, greedy):
            yield from repeated(inner, least, most, greedy, rows, at)


def repeated(
    inner: Tree, least: int, most: int | None, greedy: bool, rows: list[Row], at: int
) -> Iterator[list[tuple[str, bool]]]:
    def again() -> Iterator[list[tuple[str, bool]]]:
        if most == 0:
            return
        for way in ways(inner, rows, at):
            if least or way:
                fewer = None if most is None else most - 1
                begun = at + len(way)
                for rest in repeated(inner, max(least - 1, 0), fewer, greedy, rows, begun):
                    yield way + rest

    if greedy or least:
        yield from again()
    if not least:
        yield []
    if not (greedy or least):
        yield from again()


@dataclass
class Match:
    """start: its first row. way: symbol, and whether it is excluded, of each of its rows."""

    start: int
    way: list[tuple[str, bool]]


def matches(tree: Tree, rows: list[Row], skip: str) -> list[Match]:
    """All matches in one partition. skip: "past", "next", or "first" or "last" and a symbol.

    Raises ValueError where there is nothing to skip to.
    """
    found: list[Match] = []
    at = 0
    while at < len(rows):
        way = next(ways(tree, rows, at), None)
        if way is None:
            at += 1
            continue
        found.append(Match(at, way))
        if not way or skip == "next":
            at += 1
        elif skip == "past":
            at += len(way)
        else:
            direction, symbol = skip.split()
            mapped = [place for place, (name, _) in enumerate(way) if name == symbol]
            if not mapped or mapped[0 if direction == "first" else -1] == 0:
                raise ValueError
            at += mapped[0 if direction == "first" else -1]
    return found


# --- what is made up ------------------------------------------------------------------------------

names = st.sampled_from(SYMBOLS)


def larger(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    counts = st.integers(0, 2)
    return st.one_of(
        st.tuples(st.just("one after the other"), inner, inner),
        st.tuples(st.just("one after the other"), inner, inner),
        st.tuples(st.just("either"), inner, inner),
        st.tuples(st.just("in any order"), inner, inner),
        st.tuples(st.just("not shown"), inner),
        st.builds(
            lambda one, least, more, greedy: (
                "repeated",
                one,
                least,
                None if more is None else least + more,
                greedy,
            ),
            inner,
            counts,
            st.one_of(st.none(), counts),
            st.booleans(),
        ),
    )


patterns = st.recursive(
    st.one_of(names, names, names, names, st.sampled_from(["^", "$"])), larger, max_leaves=7
)
rows_ = st.lists(st.frozensets(st.sampled_from("ABC")), max_size=8)
partitions_ = st.lists(rows_, min_size=1, max_size=4)
skips = st.one_of(
    st.sampled_from(["past", "past", "next"]),
    st.builds("{} {}".format, st.sampled_from(["first", "last"]), names),
)


def spelled(tree: Tree) -> str:
    """A pattern in SQL."""
    match tree:
        case str():
            return tree
        case ("not shown", inner):
            return "{- " + spelled(inner) + " -}"
        case ("one after the other", first, second):
            return f"({spelled(first)} {spelled(second)})"
        case ("either", first, second):
            return f"({spelled(first)} | {spelled(second)})"
        case ("in any order", first, second):
            return f"PERMUTE({spelled(first)}, {spelled(second)})"
        case ("repeated", inner, least, most, greedy):
            short = {(0, None): "*", (1, None): "+", (0, 1): "?"}
            upto = "" if most is None else most
            bounds = f"{{{least},{upto}}}"
            if least == most:
                bounds = f"{{{least}}}"
            return f"({spelled(inner)}){short.get((least, most), bounds)}{'' if greedy else '?'}"
    raise AssertionError(tree)


def symbols_in(tree: Tree) -> set[str]:
    if isinstance(tree, str):
        return {tree} - {"^", "$"}
    return set().union(*(symbols_in(part) for part in tree[1:] if isinstance(part, (str, tuple))))


# --- matching alone -------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(patterns, partitions_, skips, st.booleans())
def test_rows_are_matched_as_by_backtracking(
    tree: Tree, partitions: list[list[Row]], skip: str, unmatched: bool
) -> None:
    pattern = read_pattern(SNOWFLAKE.tokenize(spelled(tree) + " "))
    program = json.dumps(
        {
            "pattern": pattern.tree,
            "bits": ["ABC".find(symbol) for symbol in pattern.symbols],
            "skip": skip.split()[0],
            "to": pattern.numbers(skip[-1]) if " " in skip else (),
            "unmatched": unmatched,
        }
    )
    masks = [[sum(1 << "ABC".index(s) for s in row) for row in rows] for rows in partitions]
    given_ = (pa.array([program] * len(masks)), pa.array(masks, pa.list_(pa.int64())))
    try:
        want = [expected(tree, rows, skip, unmatched) for rows in partitions]
    except ValueError:
        with pytest.raises(ValueError, match="AFTER MATCH SKIP"):
            matched(*given_)
        return
    got = matched(*given_).to_pylist()
    for lists, partition in zip(got, want, strict=True):
        shown = []
        for row, number, place, code in zip(*lists, strict=True):
            symbol = pattern.symbols[code >> 1] if code >= 0 else None
            shown.append((number, row, place, symbol, code >= 0 and bool(code & 1)))
        assert sorted(shown, key=str) == sorted(partition, key=str)


def expected(tree: Tree, rows: list[Row], skip: str, unmatched: bool) -> list[tuple[Any, ...]]:
    """(number of the match or 0, row, place in the match, symbol, excluded)."""
    made: list[tuple[Any, ...]] = []
    alone = set(range(len(rows)))
    for number, one in enumerate(matches(tree, rows, skip), start=1):
        alone -= {one.start, *range(one.start, one.start + len(one.way))}
        if not one.way:
            made.append((number, one.start, 0, None, False))
        for place, (symbol, excluded) in enumerate(one.way):
            made.append((number, one.start + place, place + 1, symbol, excluded))
    return made + [(0, row, 0, None, False) for row in sorted(alone) if unmatched]


def test_a_pattern_with_many_ways_takes_no_longer() -> None:
    """(A+)+ B over rows that are all A has 2^n ways to fail."""
    pattern = read_pattern(SNOWFLAKE.own_tokens("((A+)+)+ B"))
    program = json.dumps(
        {"pattern": pattern.tree, "bits": [0, 1], "skip": "past", "to": [], "unmatched": False}
    )
    masks = pa.array([[1] * 5000, [1] * 5000 + [2]], pa.list_(pa.int64()))
    none, all_ = matched(pa.array([program] * 2), masks).to_pylist()
    assert none == [[], [], [], []]
    assert all_[1] == [1] * 5001


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", "42601"),
        ("A |", "42601"),
        ("A{3,2}", "42601"),
        ("A{}", "42601"),
        ("(A", "42601"),
        ("{- A", "42601"),
        ("A B)", "42601"),
        ("'A'", "42601"),
        ("A{100000}", "54001"),
        ("(A{100} B){100}", "54001"),
        ("PERMUTE(A, B, C, D, E, F, G)", "0A000"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, state: str) -> None:
    with pytest.raises(SqlError) as caught:
        read_pattern(SNOWFLAKE.tokenize(text + " "))
    assert caught.value.sqlstate == state


def test_alternatives_bind_tighter_than_concatenation() -> None:
    """ "The alternative operator has precedence over the concatenation operator" (the reference)."""
    loose, tight = (
        read_pattern(SNOWFLAKE.tokenize(text + " ")).tree for text in ("A B | C D", "A (B | C) D")
    )
    assert loose == tight


# --- whole clauses --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


_MEASURES = """
    match_number() as mn, classifier() as cl,
    first(v) as f, last(v) as l, prev(v) as p, next(v) as n,
    first(b.v) as fb, last(b.v) as lb, sum(v) as s, count(*) as c, count(b.*) as cb,
    sum(b.v) as sb, min(a.v) as ma, final count(*) as fc, final last(b.v) as flb,
    running sum(b.v) as rsb, first(classifier()) as fcl, last(v) - first(v) as d
"""


def measured(
    match: Match, number: int, upto: int, values: list[int | None], one_row: bool
) -> list[Any]:
    """What _MEASURES are at a row of a match: `upto` is its place, from 1; 0 at an empty match."""

    def of(symbol: str, seen: int) -> list[int | None]:
        return [
            v for v, (name, _) in zip(all_[:seen], match.way[:seen], strict=True) if name == symbol
        ]

    def total(found: list[int | None]) -> int | None:
        known = [v for v in found if v is not None]
        return sum(known) if known else None

    all_ = values[match.start : match.start + len(match.way)]
    seen = len(all_) if one_row else upto
    at = len(all_) if one_row else upto
    last = all_[seen - 1] if seen else None
    first = all_[0] if seen else None
    b, a = of("B", seen), [v for v in of("A", seen) if v is not None]
    final_b = of("B", len(all_))
    return [
        number,
        match.way[at - 1][0] if at else None,
        first,
        last,
        all_[at - 2] if at > 1 else None,
        all_[at] if 0 < at < len(all_) else None,
        b[0] if b else None,
        b[-1] if b else None,
        total(all_[:seen]),
        seen,
        len(b),
        total(b),
        min(a) if a else None,
        len(all_),
        final_b[-1] if final_b else None,
        total(of("B", at)),
        match.way[0][0] if at else None,
        last - first if last is not None and first is not None else None,
    ]


ROWS_PER_MATCH = (
    "one row per match",
    "all rows per match",
    "all rows per match omit empty matches",
    "all rows per match with unmatched rows",
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(patterns, st.data())
def test_clauses_give_what_their_matches_are(
    runner: Runner, tree: Tree, data: st.DataObject
) -> None:
    partitions = data.draw(partitions_)
    skip, shown = data.draw(skips), data.draw(st.sampled_from(ROWS_PER_MATCH))
    if "{-" in spelled(tree) and "unmatched" in shown:
        return
    if not {"A", "B"} <= symbols_in(tree):
        tree = ("one after the other", tree, ("repeated", ("either", "A", "B"), 0, 2, True))
    if " " in skip and skip[-1] not in symbols_in(tree):
        skip = "past"
    values = [
        [data.draw(st.one_of(st.none(), st.integers(0, 9))) for _ in rows] for rows in partitions
    ]
    runner.fresh()
    runner.run("create table t (p int, o int, v int, a boolean, b boolean, c boolean)")
    for number, rows in enumerate(partitions):
        for place, row in enumerate(rows):
            value = values[number][place]
            held = ", ".join(str(symbol in row) for symbol in "ABC")
            v = "null" if value is None else value
            runner.run(f"insert into t values ({number}, {place}, {v}, {held})")
    after = {"past": "past last row", "next": "to next row"}.get(skip, f"to {skip}")
    text = (
        f"select * from t match_recognize(partition by p order by o measures {_MEASURES} {shown}"
        f" after match skip {after} pattern ({spelled(tree)}) define a as a, b as b, c as c)"
    )
    try:
        want = clause(tree, partitions, values, skip, shown)
    except ValueError:
        with pytest.raises(Exception, match="AFTER MATCH SKIP"):
            runner.run(text)
        return
    _, got = runner.run(text)
    made = [(row[0], *row[-18:]) if "one" in shown else (row[0], row[1], *row[-18:]) for row in got]
    assert sorted(map(str, made)) == sorted(map(str, want)), text


def clause(
    tree: Tree,
    partitions: list[list[Row]],
    values: list[list[int | None]],
    skip: str,
    shown: str,
) -> list[tuple[Any, ...]]:
    """The rows of the clause: partition, row unless a row is a match, measures."""
    made: list[tuple[Any, ...]] = []
    for p, rows in enumerate(partitions):
        alone = set(range(len(rows)))
        for number, one in enumerate(matches(tree, rows, skip), start=1):
            alone -= {one.start, *range(one.start, one.start + len(one.way))}
            if shown.startswith("one"):
                made.append((p, *measured(one, number, len(one.way), values[p], True)))
                continue
            if not one.way and "omit" not in shown:
                made.append((p, one.start, *measured(one, number, 0, values[p], False)))
            for place, (_, excluded) in enumerate(one.way, start=1):
                if not excluded:
                    row = measured(one, number, place, values[p], False)
                    made.append((p, one.start + place - 1, *row))
        if "unmatched" in shown:
            made.extend((p, row, *[None] * 18) for row in alone)
    return made
