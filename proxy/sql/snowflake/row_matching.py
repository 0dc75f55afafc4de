"""Row pattern matching: which rows of a partition make which matches (MATCH_RECOGNIZE).

Why it exists: no SQL expression finds the preferred match of a pattern. Here a row is a letter (the
set of symbols that it may be, as bits) and a pattern an automaton; all partitions of a chunk are one
word, in which the first and the last row of a partition are other letters.

Promises: the match is the one that backtracking would find first - alternatives from left to right,
greedy quantifiers longest first, reluctant ones shortest first - but in a time that grows with the
rows read and given, never with the ways to match them. One pass from the end says which steps of
the pattern lead to a match from each row; one pass from the start then takes the first that does.
Both are deterministic machines, made as far as the rows need them, and `itertools.accumulate` runs
them: a state is a dictionary from letters to states.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, takewhile
from operator import attrgetter, getitem
from typing import Any

import numpy as np
import pyarrow as pa

RESULT = "BIGINT[][]"
"""Four lists of one length, of an entry for each row of each match: the row's place in its partition
(0 is the first), the number of its match (1 is the first; 0 for a row of no match), its place in the
match (1 is the first; 0 for the row at which an empty match lies), and twice its symbol's number, +1
if it is excluded (-1 where it has none)."""

MOST_ROWS = 10_000_000
"""Rows that the overlapping matches of one chunk of partitions may have together."""

_PIECE = 1 << 16
_ACCEPT = -1

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class _State(dict[int, "_State"]):
    """A state of a machine: the state that follows by each letter, found out when it is asked for."""

    __slots__ = ("machine", "number")

    def __init__(self, machine: Any, number: int) -> None:
        self.machine = machine
        self.number = number

    def __missing__(self, letter: int) -> _State:
        found: _State = self.machine.after(self, letter)
        self[letter] = found
        return found


_number = attrgetter("number")


def _run(state: _State, letters: Numbers) -> Numbers:
    """The numbers of the states behind each of `letters`, beginning in `state`."""
    numbers = np.empty(len(letters), np.int64)
    for start in range(0, len(letters), _PIECE):
        piece = letters[start : start + _PIECE].tolist()
        states = list(accumulate(piece, getitem, initial=state))
        state = states[-1]
        numbers[start : start + len(piece)] = np.fromiter(
            map(_number, states[1:]), np.int64, len(piece)
        )
    return numbers


class Program:
    """A pattern as an automaton of steps; a step takes one row as one symbol.

    symbols, excluded: of each step. leads: for each step, and last for the beginning, what may come
    next in order of preference: steps, or _ACCEPT; by where that is in the partition.
    """

    def __init__(self, text: str) -> None:
        """text: JSON of pattern, bits (of each symbol in a row's set, -1 if every row may be it),
        skip ("past", "next", "first" or "last"), to (the symbols to skip to), unmatched (whether
        rows of no match are to be given)."""
        spelled = json.loads(text)
        self.bits: list[int] = spelled["bits"]
        self.skip: str = spelled["skip"]
        self.to: frozenset[int] = frozenset(spelled["to"])
        self.unmatched: bool = spelled["unmatched"]
        self._code: list[tuple[Any, ...]] = []
        self.symbols: list[int] = []
        self.excluded: list[bool] = []
        self._compile(spelled["pattern"])
        self._code.append(("accept",))
        begins = [*(place + 1 for place, op in enumerate(self._code) if op[0] == "step"), 0]
        self.first = self._leads(0, start=True, end=False)
        self.within = [self._leads(place, start=False, end=False) for place in begins]
        self.ended = [_ACCEPT in self._leads(place, start=False, end=True) for place in begins]

    def _compile(self, tree: list[Any]) -> None:
        code = self._code
        match tree:
            case ["symbol", symbol, excluded]:
                code.append(("step", len(self.symbols)))
                self.symbols.append(symbol)
                self.excluded.append(excluded)
            case ["sequence", parts]:
                for part in parts:
                    self._compile(part)
            case ["either", parts]:
                ends = []
                for part in parts[:-1]:
                    fork = len(code)
                    code.append(())
                    self._compile(part)
                    ends.append(len(code))
                    code.append(())
                    code[fork] = ("fork", fork + 1, len(code))
                self._compile(parts[-1])
                for end in ends:
                    code[end] = ("fork", len(code), len(code))
            case ["repeat", inner, least, most, greedy]:
                self._repeat(inner, least, most, greedy)
            case [anchor]:
                code.append((anchor,))

    def _repeat(self, inner: list[Any], least: int, most: int | None, greedy: bool) -> None:
        code = self._code
        for _ in range(least):
            self._compile(inner)
        forks = []
        for _ in range(most - least if most is not None else 1):
            forks.append(len(code))
            code.append(())
            self._compile(inner)
        if most is None:
            code.append(("fork", forks[0], forks[0]))
        for fork in forks:
            ways = (fork + 1, len(code))
            code[fork] = ("fork", *(ways if greedy else ways[::-1]))

    def _leads(self, place: int, *, start: bool, end: bool) -> tuple[int, ...]:
        """What may come next at a place of the code, in order of preference."""
        found: list[int] = []
        seen = set()
        waiting = [place]
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            match self._code[place]:
                case ("step", step):
                    found.append(step)
                case ("fork", one, other):
                    waiting += [other, one]
                case ("accept",):
                    found.append(_ACCEPT)
                    break
                case (anchor,):
                    if start if anchor == "start" else end:
                        waiting.append(place + 1)
        return tuple(found)


class _Ahead:
    """The machine from the end: a state is the set of steps that may take a row and lead to a match.

    A letter is twice the number of a set of symbols, +1 for a partition's last row.
    """

    def __init__(self, program: Program, masks: list[int]) -> None:
        self.alive: list[int] = []  # by a state's number, its steps as bits
        self._states: dict[int, _State] = {}
        self._takers = [
            [
                step
                for step, symbol in enumerate(program.symbols)
                if program.bits[symbol] < 0 or mask >> program.bits[symbol] & 1
            ]
            for mask in masks
        ]
        self._ended = program.ended
        self._accepts = [_ACCEPT in leads for leads in program.within]
        self._leads = [sum(1 << step for step in leads if step >= 0) for leads in program.within]
        self.none = self._state(0)

    def _state(self, steps: int) -> _State:
        found = self._states.get(steps)
        if found is None:
            found = self._states[steps] = _State(self, len(self.alive))
            self.alive.append(steps)
        return found

    def after(self, state: _State, letter: int) -> _State:
        takers = self._takers[letter >> 1]
        if letter & 1:
            return self._state(sum(1 << step for step in takers if self._ended[step]))
        alive = self.alive[state.number]
        return self._state(
            sum(1 << s for s in takers if self._accepts[s] or self._leads[s] & alive)
        )


class _Along:
    """The machine from the start: a state is the step that took the last row.

    Its number is twice the step, +1 where a match begins with it; `empty` and `outside` are the
    states behind a row at which an empty match lies, and behind one of no match. A letter is twice
    the number of a state of `_Ahead`, +1 for a partition's first row.
    """

    def __init__(self, program: Program, alive: list[int]) -> None:
        self._program = program
        self._alive = alive
        count = len(program.symbols)
        self._states = [_State(self, number) for number in range(2 * count + 2)]
        self.empty, self.outside = 2 * count, 2 * count + 1
        self.start = self._states[self.outside]

    def after(self, state: _State, letter: int) -> _State:
        alive = self._alive[letter >> 1]
        if state.number < self.empty and not letter & 1:
            step = _first(self._program.within[state.number >> 1], alive)
            if step is not None and step >= 0:
                return self._states[2 * step]
        leads = self._program.first if letter & 1 else self._program.within[-1]
        step = _first(leads, alive)
        if step is None:
            return self.start
        return self._states[self.empty if step == _ACCEPT else 2 * step + 1]


def _first(leads: tuple[int, ...], alive: int) -> int | None:
    """The preferred of what may come next: a step that is alive, or the end of the match."""
    for step in leads:
        if step == _ACCEPT or alive >> step & 1:
            return step
    return None


@lru_cache(maxsize=64)
def _program(text: str) -> Program:
    return Program(text)


def matched(programs: pa.Array, partitions: pa.Array) -> pa.Array:
    """For each partition the rows of its matches, as RESULT says.

    programs: all the same text (see `Program`). partitions: lists of sets of symbols, an entry for
    each row in order. Raises ValueError where AFTER MATCH SKIP has no place to go to, and for
    matches of more than MOST_ROWS rows that overlap.
    """
    lengths = np.diff(partitions.offsets.to_numpy())
    masks = partitions.flatten().to_numpy(zero_copy_only=False)
    lists = 4
    if not len(masks):
        return _nested(np.zeros((lists, 0), np.int64), np.zeros(len(lengths), np.int64))
    program = _program(programs[0].as_py())
    ends = np.cumsum(lengths)
    starts = ends - lengths
    held = lengths > 0
    first, last = np.zeros((2, len(masks)), np.int64)
    first[starts[held]] = 1
    last[ends[held] - 1] = 1
    sets, numbers = np.unique(masks, return_inverse=True)
    ahead = _Ahead(program, sets.tolist())
    alive = _run(ahead.none, (numbers * 2 + last)[::-1])[::-1]
    along = _Along(program, ahead.alive)
    letters = np.ascontiguousarray(alive * 2 + first)
    if program.skip == "past":
        rows, states = np.arange(len(masks)), _run(along.start, letters)
    else:
        rows, states = _overlapping(program, along, letters, ends)
    return _given(program, along, rows, states, starts, lengths)


def _overlapping(
    program: Program, along: _Along, letters: Numbers, ends: Numbers
) -> tuple[Numbers, Numbers]:
    """Rows and their states, match by match, where a match may begin within another one."""
    begun = _beginnings(along, letters)
    codes = array("q")
    begins: list[int] = []
    counts: list[int] = []
    view = memoryview(letters)
    goal = {
        2 * s + new
        for s, symbol in enumerate(program.symbols)
        for new in (0, 1)
        if symbol in program.to
    }
    end = partition = at = 0
    for start in begun.tolist():
        if start < at:
            continue
        while start >= end:
            end = int(ends[partition])
            partition += 1
        run = list(_one_match(along, view[start:end]))
        begins.append(start)
        counts.append(len(run))
        codes.extend(run)
        if len(codes) > MOST_ROWS:
            raise ValueError(f"overlapping matches have more than {MOST_ROWS} rows")
        at = start + 1
        if program.skip != "next" and run[0] != along.empty:
            at = start + _target(program.skip, run, goal)
    counted = np.array(counts, np.int64)
    before = np.cumsum(counted) - counted
    rows = np.arange(len(codes)) + np.repeat(np.array(begins, np.int64) - before, counted)
    states = np.frombuffer(codes, np.int64) if codes else np.zeros(0, np.int64)
    if program.unmatched:
        alone = np.ones(len(letters), bool)
        alone[rows] = False
        others = np.flatnonzero(alone)
        rows = np.concatenate([rows, others])
        states = np.concatenate([states, np.full(len(others), along.outside)])
    return rows, states


def _beginnings(along: _Along, letters: Numbers) -> Numbers:
    """The rows at which a match begins or an empty one lies, if matching starts there."""
    kinds, numbers = np.unique(letters, return_inverse=True)
    begins = [along.start[letter].number != along.outside for letter in kinds.tolist()]
    return np.flatnonzero(np.array(begins)[numbers])


def _one_match(along: _Along, letters: memoryview) -> Iterator[int]:
    """The states of the rows of the match that begins with the first of `letters`."""
    states = map(_number, accumulate(letters, getitem, initial=along.start))
    next(states)
    begun = next(states)
    yield begun
    if begun < along.empty:
        yield from takewhile(lambda number: number < along.empty and not number & 1, states)


def _target(skip: str, run: list[int], goal: set[int]) -> int:
    """The place in a match to go on from."""
    places = (place for place, number in enumerate(run) if number in goal)
    if skip == "last":
        places = (place for place in range(len(run) - 1, -1, -1) if run[place] in goal)
    found = next(places, None)
    if found is None:
        raise ValueError("AFTER MATCH SKIP TO a symbol that no row of the match is mapped to")
    if found == 0:
        raise ValueError("AFTER MATCH SKIP TO the first row of the match would find it again")
    return found


def _given(
    program: Program,
    along: _Along,
    rows: Numbers,
    states: Numbers,
    starts: Numbers,
    lengths: Numbers,
) -> pa.Array:
    """The four lists of each partition. rows, states: match by match."""
    outside = states == along.outside
    if not program.unmatched:
        rows, states, outside = rows[~outside], states[~outside], outside[~outside]
    partition = np.searchsorted(starts + lengths, rows, side="right")
    empty = states == along.empty
    begins = empty | ((states & 1 == 1) & ~outside)
    match = np.cumsum(begins)
    order = np.argsort(partition, kind="stable")
    counts = np.bincount(partition, minlength=len(lengths))
    begun = np.bincount(partition[begins], minlength=len(lengths))
    number = match - (np.cumsum(begun) - begun)[partition]
    opened = np.flatnonzero(begins)
    place = np.arange(len(rows)) + 1
    if len(opened):
        place = place - opened[np.maximum(match - 1, 0)]
    place[empty | outside] = 0
    number[outside] = 0
    symbols = np.array([*program.symbols, -1], np.int64) * 2 + [*program.excluded, 1]
    code = symbols[np.minimum(states >> 1, len(program.symbols))]
    lists = np.stack([rows - starts[partition], number, place, code])[:, order]
    return _nested(lists, counts)


def _nested(lists: Numbers, counts: Numbers) -> pa.Array:
    """A list of lists for each partition. lists: lists x rows, partition by partition."""
    many = len(lists)
    ends = np.cumsum(counts)
    taken = np.concatenate(
        [lists[:, end - count : end].ravel() for end, count in zip(ends, counts, strict=True)]
        or [np.zeros(0, np.int64)]
    )
    inner = np.concatenate([[0], np.cumsum(np.repeat(counts, many))]).astype(np.int32)
    outer = np.arange(0, many * len(counts) + 1, many, dtype=np.int32)
    values = pa.ListArray.from_arrays(pa.array(inner), pa.array(taken))
    return pa.ListArray.from_arrays(pa.array(outer), values)
