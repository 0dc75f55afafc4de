"""What the bytes of a CSV file mean, in Snowflake's format and for every option of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import SqlError
from proxy.sql.snowflake.file_formats import resolve
from proxy.staging.delimited import DelimitedReader

QUOTED = {"FIELD_OPTIONALLY_ENCLOSED_BY": '"'}


def read(data: str, width: int = 2, block: int = 0, **options: Any) -> list[list[str | None]]:
    """The fields of each record; [the message] for one that is wrong."""
    return [fields for _, fields in _records(data, width, block, options)]


def _records(
    data: str, width: int, block: int, options: dict[str, Any]
) -> Iterator[tuple[int, list[str | None]]]:
    reader = DelimitedReader(resolve(options), width)
    raw = data.encode()
    size = block or max(len(raw), 1)
    blocks = (raw[at : at + size] for at in range(0, len(raw), size))
    for records in reader.read(blocks):
        errors = records.errors.to_pylist()
        columns = [column.to_pylist() for column in records.columns]
        for n, line in enumerate(records.lines.tolist()):
            if errors[n] is not None:
                yield line, [errors[n]]
            else:
                yield line, [column[n] for column in columns[: records.counts[n]]]


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        ("1,x\n2,y\n", {}, [["1", "x"], ["2", "y"]]),
        ("1,x\r\n2,y", {}, [["1", "x"], ["2", "y"]]),
        ("1\n1,2,3\n", {}, [["1"], ["1", "2"]]),
        (",\n", {}, [[None, None]]),
        (",\n", {"EMPTY_FIELD_AS_NULL": "FALSE"}, [["", ""]]),
        ('"",\n', QUOTED, [["", None]]),
        ("\\N,N\n", {}, [[None, "N"]]),
        ("\\N,NULL\n", {"NULL_IF": ("NULL", "x")}, [["N", None]]),
        ('"NULL",x\n', {**QUOTED, "NULL_IF": ("NULL",)}, [[None, "x"]]),
        ("a\\,b,c\\\\d\n", {}, [["a,b", "c\\d"]]),
        ("a\\,b\n", {"ESCAPE_UNENCLOSED_FIELD": "NONE"}, [["a\\", "b"]]),
        ("a\\\nb,c\n", {}, [["a\nb", "c"]]),
        ("a\\tb,\\\\n\n", {}, [["a\tb", "\\n"]]),
        ('"a,b","c\nd"\n', QUOTED, [["a,b", "c\nd"]]),
        ('"a,b"\n', {}, [['"a', 'b"']]),
        ('"say ""hi""",""""\n', QUOTED, [['say "hi"', '"']]),
        ('5" pipe,a"b"c\n', QUOTED, [['5" pipe', 'a"b"c']]),
        ('"a\\",b\n', QUOTED, [["a\\", "b"]]),
        ('"a\\"b",c\n', {**QUOTED, "ESCAPE": "\\"}, [['a"b', "c"]]),
        ("'it''s',x\n", {"FIELD_OPTIONALLY_ENCLOSED_BY": "'"}, [["it's", "x"]]),
        (' "a" , b \n', {**QUOTED, "TRIM_SPACE": "TRUE"}, [["a", "b"]]),
        ('" a ",  \n', {**QUOTED, "TRIM_SPACE": "TRUE"}, [[" a ", None]]),
        (' "a",b\n', QUOTED, [[' "a"', "b"]]),
        ("a|b\n", {"FIELD_DELIMITER": "|"}, [["a", "b"]]),
        ("a\tb\n", {"FIELD_DELIMITER": "\\t"}, [["a", "b"]]),
        ("a\x01b\n", {"FIELD_DELIMITER": "0x01"}, [["a", "b"]]),
        ("a||b|c\n", {"FIELD_DELIMITER": "||"}, [["a", "b|c"]]),
        ("a|||b\n", {"FIELD_DELIMITER": "||"}, [["a", "|b"]]),
        ("a,b\n", {"FIELD_DELIMITER": "NONE"}, [["a,b"]]),
        ("a,b;c,d", {"RECORD_DELIMITER": ";"}, [["a", "b"], ["c", "d"]]),
        ("a,b<>c,d<>", {"RECORD_DELIMITER": "<>"}, [["a", "b"], ["c", "d"]]),
        ("a\n\nb\n", {}, [["a"], [None], ["b"]]),
        ("a\n\nb\n", {"SKIP_BLANK_LINES": "TRUE"}, [["a"], ["b"]]),
        ("h\ni\na,b\n", {"SKIP_HEADER": "2"}, [["a", "b"]]),
        ("h", {"SKIP_HEADER": "1"}, []),
        ("h,i\na,b\n", {"PARSE_HEADER": "TRUE"}, [["a", "b"]]),
        ("é,ü\n", {}, [["é", "ü"]]),
        ("", {}, []),
    ],
)
@pytest.mark.parametrize("block", [0, 1, 3])
def test_fields(data: str, options: dict[str, Any], expected: list, block: int) -> None:
    assert read(data, block=block, **options) == expected


@pytest.mark.parametrize("data", ['"a"x,1\nok,2\n', '"a""x,1\n', '""a,1\nok,2\n', '"a" ,1\nok,2\n'])
def test_a_quote_that_does_not_end_its_field_is_an_error(data: str) -> None:
    found = read(data, **QUOTED)
    assert len(found[0]) == 1
    assert "closing quote" in str(found[0][0])
    assert found[1:] in ([["ok", "2"]], [])


def test_lines_are_those_of_the_file() -> None:
    data = 'h\n"a\nb",1\nc,2\n\nd,3\n'
    found = list(_records(data, 2, 0, {**QUOTED, "SKIP_HEADER": "1"}))
    assert [line for line, _ in found] == [2, 4, 5, 6]


def _slowly(data: str) -> list[list[str | None]]:
    """Character by character: enclosed by quotes, no escapes, nothing is NULL."""
    records: list[list[str | None]] = []
    record: list[str | None] = []
    at = 0
    while at < len(data):
        wrong = False
        if data[at] == '"':
            field, at, closed = "", at + 1, False
            while at < len(data):
                if data[at] != '"':
                    field, at = field + data[at], at + 1
                elif data[at + 1 : at + 2] == '"':
                    field, at = field + '"', at + 2
                else:
                    at, closed = at + 1, True
                    break
            wrong = not closed or (at < len(data) and data[at] not in ",\n")
            if wrong:
                return records  # what comes after is anybody's guess
        else:
            end = min((i for i in (data.find(c, at) for c in ",\n") if i >= 0), default=len(data))
            field, at = data[at:end], end
        record.append(field)
        ending = data[at : at + 1]
        at += 1
        if ending != ",":
            records.append(record)
            record = []
        elif at == len(data):
            record.append("")
            records.append(record)
    return records


@given(st.text(alphabet='a",\n', max_size=40), st.integers(1, 7))
@settings(max_examples=300, deadline=None)
def test_every_text_is_read_as_character_by_character(data: str, block: int) -> None:
    plain = {**QUOTED, "NULL_IF": (), "EMPTY_FIELD_AS_NULL": "FALSE"}
    plain["ESCAPE_UNENCLOSED_FIELD"] = "NONE"
    found = read(data, width=41, block=block, **plain)
    expected = _slowly(data)
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("options", "sqlstate"),
    [
        ({"TYPE": "ORC"}, "0A000"),
        ({"TYPE": "NOSUCH"}, "22023"),
        ({"NOSUCH": "1"}, "22023"),
        ({"SKIP_HEADER": "x"}, "22023"),
        ({"FIELD_OPTIONALLY_ENCLOSED_BY": "x"}, "22023"),
        ({"PARSE_HEADER": "TRUE", "SKIP_HEADER": "1"}, "22023"),
        ({"FIELD_DELIMITER": "\n"}, "22023"),
        ({"ENCODING": "KLINGON"}, "22023"),
        ({"MULTI_LINE": "FALSE"}, "0A000"),
        ({"TYPE": "JSON", "STRIP_NULL_VALUES": "TRUE"}, "0A000"),
        ({"TYPE": "JSON", "SKIP_HEADER": "1"}, "22023"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], sqlstate: str) -> None:
    with pytest.raises(SqlError) as caught:
        resolve(options)
    assert caught.value.sqlstate == sqlstate
