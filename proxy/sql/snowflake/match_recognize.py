"""MATCH_RECOGNIZE as window functions around one function that matches rows.

Why it exists: DuckDB has no row patterns. The clause's table is numbered in the order of PARTITION BY
and ORDER BY. DEFINE's conditions, which in Snowflake look at rows by their distance alone, become
window functions over these numbers, and one bit each of a number a row; `row_matching` takes a
partition's numbers and says which rows make which matches. MEASURES become window functions over
the rows of each match, RUNNING ones up to their row.

What a row of ONE ROW PER MATCH shows is what the last row of the match has. What the reference leaves
open is refused: measures that it gives no value for at an empty match, symbols within PREV and NEXT.
"""

from __future__ import annotations

import json

from sqlglot import exp

from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.match_nodes import SO_FAR, WHOLE, frame, with_children, wrong
from proxy.sql.snowflake.registry import duck, number, text, unsupported
from proxy.sql.snowflake.row_functions import (
    ENDS,
    FINAL,
    OFFSETS,
    OWN_FUNCTIONS,
    PLAIN_AGGREGATES,
    RUNNING,
    Navigated,
    called,
    is_aggregate,
    is_classifier,
    looks_around,
    navigated_function,
    offset_call,
    operands,
    own_window,
    refuse_within,
)
from proxy.sql.snowflake.row_patterns import RowPattern, read_pattern

_ID, _MASK, _FIRST, _LISTS = "_mr_id", "_mr_mask", "_mr_first", "_mr_lists"
_PLACE, _MATCH, _SEQUENCE, _CODE = "_mr_row", "_mr_match", "_mr_sequence", "_mr_code"
_LAST = "_mr_last"
_HIDDEN = (_ID, _FIRST, _PLACE, _MATCH, _SEQUENCE, _CODE, _LAST)

_MOST_SYMBOLS = 62  # bits of a BIGINT, without its sign


def reshape(clause: exp.Expr) -> None:
    """Put what a MATCH_RECOGNIZE means in the place of it, in place.

    Raises SqlError 42601 for what it cannot say, 0A000 for what has no answer here.
    """
    select = clause.parent
    if not isinstance(clause, exp.MatchRecognize) or not isinstance(select, exp.Select):
        raise unsupported("MATCH_RECOGNIZE here", clause)
    if select.args.get("joins") or select.args.get("laterals"):
        raise unsupported("MATCH_RECOGNIZE behind a join here", clause, "Put it in a subquery.")
    _Clause(clause, select).put()


def _column(name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name))


def _named(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value, name, copy=False)


class _Clause:
    """One MATCH_RECOGNIZE."""

    def __init__(self, clause: exp.MatchRecognize, select: exp.Select) -> None:
        self.clause, self.select = clause, select
        self.partition = [
            one for one in clause.args.get("partition_by") or () if not isinstance(one, exp.Literal)
        ]
        spelled = clause.args.get("pattern")
        if spelled is None:
            raise wrong("PATTERN is missing", clause)
        self.pattern: RowPattern = read_pattern(SNOWFLAKE.tokenize(spelled.name + " "))
        rows = clause.args.get("rows")
        self.rows = rows.name if rows is not None else "ONE ROW PER MATCH"
        self.one_row = self.rows.startswith("ONE")
        self.unmatched = self.rows.endswith("UNMATCHED ROWS")
        # Whether a row that stands for an empty match may be among those that are shown.
        self.shows_empty = self.pattern.may_be_empty() and not self.rows.endswith("EMPTY MATCHES")
        if self.rows.endswith("SHOW EMPTY MATCHES"):
            self.shows_empty = self.pattern.may_be_empty()
        if self.unmatched and self.pattern.excludes:
            raise wrong("WITH UNMATCHED ROWS beside an exclusion {- -}", clause)
        self.source = select.args["from_"].this
        depth = sum(1 for _ in self.source.find_all(exp.MatchRecognize)) + 1
        self.names = [f"_mr_{name}{depth}" for name in ("rows", "sets", "found", "places", "all")]

    # --- symbols ------------------------------------------------------------------------------

    def symbols(self, column: exp.Column) -> tuple[int, ...]:
        """The symbols that stand before a column's name."""
        table = column.args.get("table")
        if not isinstance(table, exp.Identifier) or column.args.get("db") is not None:
            return ()
        return self.pattern.numbers(table.name if table.quoted else table.name.upper())

    def definitions(self) -> dict[int, exp.Expr]:
        """The conditions of the symbols, by their numbers."""
        found: dict[str, exp.Expr] = {}
        for one in self.clause.args.get("define") or ():
            identifier = one.args.get("alias")
            if not isinstance(one, exp.Alias) or not isinstance(identifier, exp.Identifier):
                raise wrong("DEFINE without a condition", self.clause)
            name = identifier.name if identifier.quoted else identifier.name.upper()
            if name in found or name in self.pattern.subsets:
                raise wrong(f"{name} is defined twice", one)
            found[name] = one.this
        return {
            number_: found[name]
            for number_, name in enumerate(self.pattern.symbols)
            if name in found
        }

    # --- the query ----------------------------------------------------------------------------

    def put(self) -> None:
        rows, sets, found, places, all_ = self.names
        definitions = self.definitions()
        if len(definitions) > _MOST_SYMBOLS:
            raise unsupported(f"MATCH_RECOGNIZE of more than {_MOST_SYMBOLS} symbols", self.clause)
        alias = self.source.alias_or_name
        bits = {symbol: bit for bit, symbol in enumerate(definitions)}
        program = text(self._program(bits))
        measured = self._measured(rows, places, alias)
        ctes = [
            (rows, self._numbered(), True),
            (sets, self._sets(rows, alias, definitions, bits), False),
            (found, self._found(sets, program, alias), False),
            (places, self._places(found), False),
            (all_, measured, False),
        ]
        with_ = exp.With(
            expressions=[
                exp.CTE(
                    this=query,
                    alias=exp.TableAlias(this=exp.to_identifier(name)),
                    materialized=True if kept else None,
                )
                for name, query, kept in ctes
            ]
        )
        query = self._shown(all_)
        query.set("with_", with_)
        self.select.set("match", None)
        made = exp.Subquery(this=query, alias=self.clause.args.get("alias") or self._alias())
        self.select.set("from_", exp.From(this=made))

    def _alias(self) -> exp.TableAlias | None:
        name = self.source.alias_or_name
        return exp.TableAlias(this=self._identifier(name)) if name else None

    def _identifier(self, name: str) -> exp.Identifier:
        alias = self.source.args.get("alias")
        own = alias.this if isinstance(alias, exp.TableAlias) else self.source.this
        quoted = isinstance(own, exp.Identifier) and bool(own.args.get("quoted"))
        return exp.Identifier(this=name, quoted=quoted)

    def _table(self, name: str, alias: str = "") -> exp.Table:
        table = exp.Table(this=exp.to_identifier(name))
        if alias:
            table.set("alias", exp.TableAlias(this=self._identifier(alias)))
        return table

    def _program(self, bits: dict[int, int]) -> str:
        after = self.clause.args.get("after")
        words = after.name.split() if after is not None else []
        skip, to = "past", ()
        if words[-1:] == ["ROW"] and words[-2:-1] == ["LAST"] and "PAST" in words:
            words = []
        if words[-2:] == ["NEXT", "ROW"]:
            skip = "next"
        elif words[-2:-1] in (["FIRST"], ["LAST"]):
            skip, name = words[-2].lower(), words[-1]
            to = self.pattern.numbers(name) or self.pattern.numbers(name.upper())
            if not to:
                raise wrong(
                    f"AFTER MATCH SKIP TO {name}, which is no symbol of the pattern,", self.clause
                )
        return json.dumps(
            {
                "pattern": self.pattern.tree,
                "bits": [bits.get(symbol, -1) for symbol in range(len(self.pattern.symbols))],
                "skip": skip,
                "to": to,
                "unmatched": self.unmatched,
            }
        )

    def _numbered(self) -> exp.Select:
        """The table, its rows numbered: partition after partition, each in its order."""
        order = self.clause.args.get("order")
        items = [
            exp.Ordered(this=one.copy(), desc=False, nulls_first=False) for one in self.partition
        ]
        items += [one.copy() for one in (order.expressions if order is not None else ())]
        numbers = exp.Window(this=exp.RowNumber())
        if items:
            numbers.set("order", exp.Order(expressions=items))
        numbered = exp.Select(expressions=[exp.Star(), _named(numbers, _ID)])
        return numbered.from_(self.source, copy=False)

    def _sets(
        self, rows: str, alias: str, definitions: dict[int, exp.Expr], bits: dict[int, int]
    ) -> exp.Select:
        """The numbered rows with the set of symbols that each may be."""
        mask: exp.Expr = exp.cast(number(0), exp.DType.BIGINT)
        mask.meta["plain"] = True
        for symbol, condition in definitions.items():
            holder = exp.Paren(this=condition.copy())
            holder.set("this", self._condition(holder.this, symbol))
            bit = exp.Case(
                ifs=[exp.If(this=holder, true=number(1 << bits[symbol]))], default=number(0)
            )
            mask = duck("add", mask, bit)
        query = exp.Select(expressions=[exp.Star(), _named(mask, _MASK)])
        return query.from_(self._table(rows, alias), copy=False)

    def _found(self, sets: str, program: exp.Expr, alias: str) -> exp.Select:
        """For each partition the lists of the rows of its matches."""
        ordered = exp.Ordered(this=_column(_ID), desc=False, nulls_first=False)
        masks = duck("list", exp.Order(this=_column(_MASK), expressions=[ordered]))
        query = exp.Select(
            expressions=[
                _named(duck("min", _column(_ID)), _FIRST),
                _named(duck("match_rows_", program, masks), _LISTS),
            ]
        ).from_(self._table(sets, alias), copy=False)
        if self.partition:
            query.set("group", exp.Group(expressions=[one.copy() for one in self.partition]))
        return query

    def _places(self, found: str) -> exp.Select:
        lists = [
            _named(duck("unnest", duck("list_extract", _column(_LISTS), number(place))), name)
            for place, name in enumerate((_PLACE, _MATCH, _SEQUENCE, _CODE), start=1)
        ]
        query = exp.Select(expressions=[_column(_FIRST), *lists])
        return query.from_(self._table(found), copy=False)

    def _measured(self, rows: str, places: str, alias: str) -> exp.Select:
        """The rows of the matches with their measures."""
        at = duck("add", _column(_FIRST), _column(_PLACE))
        join = exp.Join(this=self._table(rows, alias), on=exp.EQ(this=_column(_ID), expression=at))
        measures = [self._measure(one) for one in self.clause.args.get("measures") or ()]
        if self.one_row:
            star = [_named(one.copy(), self._shown_name(one)) for one in self.partition]
            if not star and not measures:
                raise wrong(
                    "ONE ROW PER MATCH without PARTITION BY and MEASURES: SELECT with no columns",
                    self.clause,
                )
        else:
            star = [exp.Column(this=exp.Star(), table=self._identifier(alias or rows))]
            star[0].this.set("except_", [_column(_ID)])
        hidden = [_column(name) for name in _HIDDEN if name != _LAST]
        last = exp.Window(this=duck("max", _column(_SEQUENCE)), partition_by=self._match())
        if self.one_row:
            hidden.append(_named(last, _LAST))
        query = exp.Select(expressions=[*star, *measures, *hidden])
        query = query.from_(self._table(places), copy=False)
        query.set("joins", [join])
        return query

    @staticmethod
    def _shown_name(value: exp.Expr) -> str:
        return value.name if isinstance(value, exp.Column) else value.sql("snowflake").lower()

    def _shown(self, all_: str) -> exp.Select:
        """What the clause gives of the measured rows."""
        hidden = [_column(name) for name in _HIDDEN if name != _LAST or self.one_row]
        query = exp.Select(expressions=[exp.Star(except_=hidden)])
        query = query.from_(self._table(all_), copy=False)
        kept: list[exp.Expr] = []
        if self.one_row:
            kept.append(exp.EQ(this=_column(_SEQUENCE), expression=_column(_LAST)))
        elif self.pattern.excludes:
            odd = [2 * symbol + 1 for symbol in range(len(self.pattern.symbols))]
            kept.append(exp.Not(this=_within(odd)))
        if self.rows.endswith("OMIT EMPTY MATCHES"):
            kept.append(exp.GT(this=_column(_SEQUENCE), expression=number(0)))
        if kept:
            query.set("where", exp.Where(this=exp.and_(*kept, copy=False)))
        return query

    # --- DEFINE -------------------------------------------------------------------------------

    def _condition(self, node: exp.Expr, symbol: int) -> exp.Expr:
        """A condition over the numbered rows."""
        if isinstance(node, exp.Query):
            return node
        navigated = navigated_function(node)
        if navigated is not None:
            return self._physical(node, navigated, symbol)
        name = called(node)
        if name in OWN_FUNCTIONS or name in (FINAL.upper(), RUNNING.upper()):
            raise unsupported(f"{name.strip('_')} in DEFINE", node)
        if isinstance(node, exp.Column):
            self._own_column(node, symbol)
            return node
        return with_children(node, lambda child: self._condition(child, symbol))

    def _own_column(self, column: exp.Column, symbol: int) -> None:
        """The symbol that is being defined is mapped to the row at hand."""
        numbers = self.symbols(column)
        if numbers and numbers != (symbol,):
            hint = "DEFINE may look at rows by LAG, LEAD and windows with a frame of their own."
            raise unsupported("a symbol's column in DEFINE", column, hint)
        if numbers:
            column.set("table", None)

    def _physical(self, node: exp.Expr, navigated: Navigated, symbol: int) -> exp.Expr:
        """A function over the rows of the partition."""
        call, window = navigated.call, navigated.window
        name = called(call)
        if name == "FIRST":
            raise unsupported("FIRST in DEFINE", node, "FIRST_VALUE looks at the whole partition.")
        for column in call.find_all(exp.Column):
            self._own_column(column, symbol)
        refuse_within(call)
        if name == "LAST":
            return exp.Paren(this=call.this)  # its frame ends at the row at hand
        if window is not None and own_window(window):
            return node
        made = exp.Window(
            this=offset_call(call), partition_by=[one.copy() for one in self.partition]
        )
        if navigated.ignore is not None:
            made.set("this", navigated.ignore.__class__(this=made.this))
        made.set("order", exp.Order(expressions=[exp.Ordered(this=_column(_ID), desc=False)]))
        spec = window.args.get("spec") if window is not None else None
        if spec is not None:
            made.set("spec", spec.copy())
        elif name in ENDS:
            made.set("spec", frame(WHOLE))
        elif name not in OFFSETS:
            hint = "Write OVER (ROWS BETWEEN ... AND ...)."
            raise unsupported(f"{name} without a frame in DEFINE", node, hint)
        return made

    # --- MEASURES -----------------------------------------------------------------------------

    def _match(self) -> list[exp.Expr]:
        return [_column(_FIRST), _column(_MATCH)]

    def _measure(self, measure: exp.Expr) -> exp.Expr:
        alias = measure.this
        if not isinstance(alias, exp.Alias):
            raise wrong("a measure without a name", self.clause)
        final = self.one_row
        edges = measure.args.get("window_frame")
        if edges:
            final = edges == "FINAL"
        holder = exp.Paren(this=alias.this.copy())
        holder.set("this", self._value(holder.this, final))
        made: exp.Expr = holder.this
        if self.unmatched:
            matched = exp.GT(this=_column(_MATCH), expression=number(0))
            made = exp.Case(ifs=[exp.If(this=matched, true=made)])
        return exp.Alias(this=made, alias=alias.args["alias"].copy())

    def _value(self, node: exp.Expr, final: bool) -> exp.Expr:
        """A measure over the rows of the matches."""
        if isinstance(node, exp.Query):
            return node
        name = called(node)
        if name in (FINAL.upper(), RUNNING.upper()):
            if self.one_row or name == RUNNING.upper() or not looks_around(node.expressions[0]):
                return self._value(node.expressions[0], name == FINAL.upper())
            what = called(node.expressions[0])
            raise unsupported(f"FINAL {what} with ALL ROWS PER MATCH", node)
        navigated = navigated_function(node)
        if navigated is not None:
            return self._over_match(node, navigated, final)
        if name in OWN_FUNCTIONS or is_classifier(node):
            return self._own_function(name or "CLASSIFIER", node)
        if isinstance(node, exp.Column):
            numbers = self.symbols(node)
            if numbers:
                plain = exp.Column(this=node.this.copy())
                return self._end(plain, numbers, last=True, final=final)
            self._refuse_at_empty("a column outside of a function in MEASURES", node)
            return node
        return with_children(node, lambda child: self._value(child, final))

    def _refuse_at_empty(self, what: str, node: exp.Expr) -> None:
        if self.shows_empty:
            hint = "Say ALL ROWS PER MATCH OMIT EMPTY MATCHES, or a pattern of at least one row."
            raise unsupported(f"{what} of a pattern that may match no rows", node, hint)

    def _own_function(self, name: str, node: exp.Expr) -> exp.Expr:
        if name == "MATCH_NUMBER":
            return _column(_MATCH)
        if name == "MATCH_SEQUENCE_NUMBER":
            self._refuse_at_empty("MATCH_SEQUENCE_NUMBER", node)
            return _column(_SEQUENCE)
        names = [text(one) for one in self.pattern.symbols for _ in range(2)]
        at = duck("add", _column(_CODE), number(1))  # 0, of which there is none, without a symbol
        return duck("list_extract", duck("list_value", *names), at)

    def _over_match(self, node: exp.Expr, navigated: Navigated, final: bool) -> exp.Expr:
        """A function over the rows of the match, up to the row at hand or to the last."""
        call, window = navigated.call, navigated.window
        name = called(call)
        if window is not None and own_window(window):
            raise unsupported("OVER with a partition or an order of its own in MEASURES", node)
        spec = window.args.get("spec") if window is not None else None
        numbers = self._symbols_within(call)
        if numbers and (name in OFFSETS or spec is not None):
            raise unsupported(f"a symbol's column in {name} of MEASURES", node)
        if name in ENDS and spec is None and navigated.ignore is None:
            if len(list(operands(call))) != 1:
                raise unsupported(f"{name} with an offset", node)
            return self._end(call.this, numbers, last=ENDS[name], final=final)
        if not (name in OFFSETS or name in ENDS or is_aggregate(call) or name == "ROW_NUMBER"):
            raise unsupported(f"{name} in MEASURES", node)
        made: exp.Expr = offset_call(call)
        if navigated.ignore is not None:
            made = navigated.ignore.__class__(this=made)
        if name in OFFSETS:
            return self._guarded(self._window(made, None))
        if not is_aggregate(call):
            return self._guarded(self._window(made, spec or frame(WHOLE if final else SO_FAR)))
        if self.shows_empty and not isinstance(call, PLAIN_AGGREGATES):
            self._refuse_at_empty(f"{name} in MEASURES", node)
        kept = [_within([code for one in numbers for code in (2 * one, 2 * one + 1)])]
        if not numbers:
            kept = [exp.GT(this=_column(_SEQUENCE), expression=number(0))]
        if numbers or self.shows_empty:
            made = exp.Filter(this=made, expression=exp.Where(this=kept[0]))
        return self._window(made, spec or frame(WHOLE if final else SO_FAR))

    def _symbols_within(self, call: exp.Expr) -> tuple[int, ...]:
        """The symbols before the columns of a function's arguments, which are taken off."""
        refuse_within(call)
        found: set[tuple[int, ...]] = set()
        for column in list(call.find_all(exp.Column)):
            if is_classifier(column):
                column.replace(self._own_function("CLASSIFIER", column))
                continue
            numbers = self.symbols(column)
            found.add(numbers)
            if numbers and isinstance(column.this, exp.Star):
                column.replace(exp.Star())
            elif numbers:
                column.set("table", None)
        for own in list(call.find_all(exp.Anonymous)):
            if called(own) in OWN_FUNCTIONS:
                own.replace(self._own_function(called(own), own))
        if len(found) > 1:
            raise unsupported("a function over columns of several symbols in MEASURES", call)
        return found.pop() if found else ()

    def _end(
        self, value: exp.Expr, numbers: tuple[int, ...], *, last: bool, final: bool
    ) -> exp.Expr:
        """FIRST(value) or LAST(value), of the rows that are mapped to the symbols if there are any."""
        if numbers:
            call = duck("arg_max_null" if last else "arg_min_null", value, _column(_ID))
            mapped = _within([code for one in numbers for code in (2 * one, 2 * one + 1)])
            kept = exp.Filter(this=call, expression=exp.Where(this=mapped))
            return self._window(kept, frame(WHOLE if final else SO_FAR))
        if last and (self.one_row or not final):
            return self._guarded(exp.Paren(this=value))
        call = duck("last_value" if last else "first_value", value)
        return self._guarded(self._window(call, frame(WHOLE)))

    def _window(self, call: exp.Expr, spec: exp.Expr | None) -> exp.Window:
        order = exp.Order(expressions=[exp.Ordered(this=_column(_ID), desc=False)])
        made = exp.Window(this=call, partition_by=self._match(), order=order)
        if spec is not None:
            made.set("spec", spec.copy())
        return made

    def _guarded(self, value: exp.Expr) -> exp.Expr:
        """NULL at an empty match."""
        if not self.shows_empty:
            return value
        there = exp.GT(this=_column(_SEQUENCE), expression=number(0))
        return exp.Case(ifs=[exp.If(this=there, true=value)])


def _within(codes: list[int]) -> exp.In:
    return exp.In(this=_column(_CODE), expressions=[number(code) for code in codes])
