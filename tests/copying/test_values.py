"""Values of every type go through COPY as they do in Postgres: in, out, in text and in binary."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.copying.both import Both, Failure
from tests.wire.values import KINDS, Kind, Text, integers, strings

# Types whose values the two servers write alike, by the name that both know.
_BY_NAME = {kind.postgres: kind for kind in KINDS if kind.duck not in ("BIGNUM", "UHUGEINT")}


def _moments(zone: str) -> list[str]:
    random = Random(zone)
    found = []
    for _ in range(600):
        year, fraction = random.randrange(1, 10000), random.randrange(10**6)
        clock = f"{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"
        micros = f".{fraction:06}".rstrip("0") if random.random() < 0.7 and fraction else ""
        day = f"{year:04}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"
        found.append(f"{day} {clock}{micros}{random.choice(zone.split('|'))}")
    return found


# What the generators do not write: other spellings of the same type.
_SPELLINGS: dict[str, list[str]] = {
    "bool": ["t", "f", "true", "FALSE", "yes", "no", "on", "off", "1", "0", " t ", "of", "tru"],
    "int2": ["+7", "007", " 12 ", "-0"],
    "int4": ["+7", "007", " 12 ", "-0", "2147483647", "-2147483648"],
    "int8": ["+7", " 9223372036854775807 ", "-9223372036854775808"],
    "float4": ["1e3", "nan", "-inf", "Infinity", "+1.5", ".5", "5.", " 2 ", "16777217", "1e-45"],
    "float8": ["1e3", "nan", "-inf", "Infinity", "+1.5", ".5", "5.", " 2 ", "0e5", "4.9e-324"],
    "numeric(18,2)": [
        "1.005",
        "-1.005",
        "1e2",
        "1.5e-1",
        "+1.5",
        " 1.5 ",
        ".5",
        "5.",
        "1e-200",
        "0." + "9" * 50,
        "0." + "0" * 60,
        "9999999999999999.99",
    ],
    "text": ["", " ", "NULL", "é🦆", "a" * 3000],
    "json": ['{"a": [1, 2]}', "1e5", '"x"', "null", " {} ", '{"a":1,"a":2}'],
    "bytea": ["\\x6162", "\\x", "abc", "a\\\\b", "\\101", "\\x 61 62"],
    "uuid": ["{00112233-4455-6677-8899-AABBCCDDEEFF}", "00112233445566778899aabbccddeeff"],
    "varbit": ["0101", "x1F", "b01"],
    "date": ["infinity", "-infinity", "epoch", "20240229", "2024-2-9", "0044-03-15 BC"],
    "time": ["24:00:00", "12:30", "1:2:3", "123015", "allballs", "12:30:15.1234567"],
    "timetz": ["12:30:15+01", "24:00:00-15:59:59", "12:00Z", "12:00:00.5+05:30:15"],
    "timestamp": [
        "infinity",
        "-infinity",
        "epoch",
        "2024-02-29",
        "2024-02-29T12:30:15",
        "2024-02-29 24:00:00",
        "2024-02-29 12:30:15+05",
        "2024-02-29 12:30",
        "0044-03-15 01:02 BC",
        *_moments(""),
    ],
    "timestamptz": [
        "infinity",
        "2024-07-01",
        "2024-03-31 02:30:00",
        "2024-10-27 02:30:00",
        "2024-02-29 12:30:15.25 America/New_York",
        "2024-02-29 12:30:15 EST",
        "2500-07-01 00:00:00",
        *_moments("+00|-05|+05:30|Z|+13|-11:30|"),
        *_moments(""),
    ],
    "interval": ["1 day", "-1 mon 3 days 00:00:01", "P1Y2M", "-00:00:00.5", "@ 1 day ago"],
    "int4[]": ["{1,2,3}", "{}", "{NULL,1}", "{null}", "{ 1 , 2 }", '{"1"}'],
    "text[]": ["{a,b}", '{"a b",NULL,"NULL",""}', '{"\\"",é}', "{}", "{ x y }", '{"{","}",","}'],
    "numeric(5,2)[]": ["{1.5,2.555}", "{NULL}"],
    "timestamptz[]": ['{"2024-07-01 12:00:00+02",NULL}', "{2024-07-01}"],
    "uuid[]": ["{00112233-4455-6677-8899-aabbccddeeff,NULL}", "{}"],
    "bool[]": ["{t,f,NULL}", "{yes}"],
    "bytea[]": ['{"\\\\x6162",NULL}'],
    "date[]": ["{2024-02-29,infinity,NULL}"],
    "json[]": ['{"{\\"a\\": 1}",NULL,2}'],
}
_NAMES = sorted(_SPELLINGS.keys() | (_BY_NAME.keys() - {"numeric"}))


def _texts(name: str) -> list[Text]:
    """Texts of good values, NULL among them."""
    kind = _BY_NAME.get(name)
    made: list[Text] = [] if kind is None else list(_generated(kind))
    if name == "jsonb":
        made = made[:300]  # so few that the table keeps the order in which they came
    return [None, *made, *_SPELLINGS.get(name, [])]


def _generated(kind: Kind) -> Iterator[Text]:
    if kind.expression:
        return iter(())  # its texts are not the value's own
    return iter(kind.generate())


def _line(text: Text) -> bytes:
    if text is None:
        return b"\\N\n"
    raw = text.encode().replace(b"\\", b"\\\\")
    for plain, escaped in ((b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t")):
        raw = raw.replace(plain, escaped)
    return raw + b"\n"


@pytest.mark.parametrize("name", _NAMES)
def test_a_type_goes_in_and_out_as_in_postgres(both: Both, name: str) -> None:
    both.table("copied_values", f"v {name}")
    texts = _texts(name)
    data = b"".join(map(_line, texts))

    assert both.same(lambda side: side.load("COPY copied_values FROM STDIN", data)) == len(texts)
    both.same(lambda side: side.unload("COPY copied_values TO STDOUT").splitlines())
    both.same(lambda side: side.unload("COPY copied_values TO STDOUT (FORMAT csv)").splitlines())
    both.same(lambda side: side.messages("COPY copied_values TO STDOUT (FORMAT binary)"))


@pytest.mark.parametrize("name", _NAMES)
def test_binary_data_of_postgres_goes_in_as_it_came_out(both: Both, name: str) -> None:
    both.table("copied_binary", f"v {name}")
    texts = _texts(name)
    both.theirs.load("COPY copied_binary FROM STDIN", b"".join(map(_line, texts)))
    sent = both.theirs.messages("COPY copied_binary TO STDOUT (FORMAT binary)")

    loaded = both.ours.load("COPY copied_binary FROM STDIN (FORMAT binary)", sent)

    assert loaded == len(texts)
    assert both.ours.messages("COPY copied_binary TO STDOUT (FORMAT binary)") == sent
    both.same(lambda side: side.unload("COPY copied_binary TO STDOUT").splitlines())


_WRONG: dict[str, list[str]] = {
    "bool": ["x", "", "o"],
    "int2": ["32768", "x", "", "1.5", "1 2", "--1"],
    "int4": ["2147483648", "x", "", "1.5", "1e3", "99999999999999999999"],
    "int8": ["9223372036854775808", "x", ""],
    "float4": ["1e39", "1e-46", "x", "", "1.5x"],
    "float8": ["1e400", "1e-400", "x", "", "1e"],
    "numeric(5,2)": ["1000", "999.995", "x", "", "1e10", "--1"],
    "json": ["{", "[1,]", "1,2", "", "NaN", "'x'"],
    "bytea": ["\\x6", "\\xzz", "\\9"],
    "uuid": [
        "x",
        "",
        "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899-aabbccddeef",
    ],
    "varbit": ["2", "x1G"],
    "date": ["2023-02-29", "0000-01-01", "x", "", "2024-13-01"],
    "time": ["25:00:00", "x", "12:60:00"],
    "timestamp": ["2024-02-30 00:00:00", "x", "2024-02-29 12", "2024-02-29 25:00:00"],
    "timestamptz": [
        "2024-02-30 00:00:00",
        "x",
        "2024-02-29 12:30:15+16",
        "2024-02-29 12:00 Nowhere/X",
    ],
    "interval": ["x", "1 parsec"],
    "int4[]": ["{1,x}", "{1", "1", "{1,,2}", "{1}}", ""],
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in _WRONG.items() for t in ts])
def test_a_wrong_value_is_told_as_postgres_tells_it(both: Both, name: str, text: str) -> None:
    both.table("copied_wrong", f"o int4, v {name}")
    data = b"1\t\\N\n2\t" + _line(text) + b"3\t\\N\n"

    answer = both.same(lambda side: side.load("COPY copied_wrong FROM STDIN", data))

    assert isinstance(answer, Failure)
    assert both.ours.rows("SELECT count(*) FROM copied_wrong") == [(0,)]


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_a_numeric_that_duckdb_cannot_hold_is_refused(both: Both, text: str) -> None:
    both.table("copied_nan", "v numeric(10,2)")

    answer = both.ours.load("COPY copied_nan FROM STDIN", text.encode() + b"\n")

    assert isinstance(answer, Failure)
    assert answer.sqlstate == "22003"
    assert answer.where == f'COPY copied_nan, line 1, column v: "{text}"'


def test_every_kind_of_column_of_duckdb_reads_what_it_wrote(both: Both) -> None:
    """Types that Postgres has not: they are sent as its nearest, and must come back unchanged."""
    columns = {
        "UTINYINT": ["0", "255"],
        "USMALLINT": ["0", "65535"],
        "UINTEGER": ["0", "4294967295"],
        "UBIGINT": ["0", "18446744073709551615"],
        "TINYINT": ["-128", "127"],
        "HUGEINT": ["-170141183460469231731687303715884105728", "1"],
        "UHUGEINT": ["340282366920938463463374607431768211455", "0"],
        "BIGNUM": ["-" + "9" * 100, "12"],
        "TIMESTAMP_S": ["2024-02-29 12:30:15", "infinity"],
        "TIMESTAMP_MS": ["2024-02-29 12:30:15.123", "-infinity"],
        "TIMESTAMP_NS": ["2024-02-29 12:30:15.123456", "1970-01-01 00:00:00"],
        "TIME_NS": ["12:30:15.123456", "24:00:00"],
        "ENUM('a', 'b c')": ["a", "b c"],
        "INTEGER[3]": ["{1,2,3}", "{4,NULL,6}"],
        "INTEGER[][]": ["{{1,2},{3,4}}", "{}"],
    }
    connection = both.ours.connection
    connection.execute("SET hatidata.dialect = 'duckdb'")
    for name, texts in columns.items():
        connection.execute(f"CREATE OR REPLACE TABLE copied_own (v {name})")
        data = "".join(f"{text}\n" for text in [*texts, "\\N"]).encode()
        assert both.ours.load("COPY copied_own FROM STDIN", data) == 3, name
        assert both.ours.unload("COPY copied_own TO STDOUT") == data, name
        if name in ("UHUGEINT", "BIGNUM", "HUGEINT"):
            continue  # their binary form has more digits than a numeric of DuckDB's
        binary = both.ours.messages("COPY copied_own TO STDOUT (FORMAT binary)")
        connection.execute("DELETE FROM copied_own")
        assert both.ours.load("COPY copied_own FROM STDIN (FORMAT binary)", binary) == 3, name
        assert both.ours.unload("COPY copied_own TO STDOUT") == data, name
    connection.execute("DROP TABLE copied_own")


@pytest.mark.parametrize(
    ("name", "text", "sqlstate"),
    [
        ("UTINYINT", "256", "22003"),
        ("UTINYINT", "-1", "22003"),
        ("UBIGINT", "18446744073709551616", "22003"),
        ("HUGEINT", "1.5", "22003"),
        ("ENUM('a', 'b')", "c", "22P02"),
        ("TIMESTAMP_NS", "2300-01-01 00:00:00", "22008"),
        ("INTEGER[][]", "{1,2}", "22023"),
        ("STRUCT(a INTEGER)", '{"a": 1}', "0A000"),
        ("MAP(VARCHAR, INTEGER)", "{}", "0A000"),
    ],
)
def test_what_a_column_of_duckdb_cannot_hold_is_refused(
    both: Both, name: str, text: str, sqlstate: str
) -> None:
    connection = both.ours.connection
    connection.execute("SET hatidata.dialect = 'duckdb'")
    connection.execute(f"CREATE OR REPLACE TABLE copied_refused (v {name})")

    answer = both.ours.load("COPY copied_refused FROM STDIN", f"{text}\n".encode())

    assert isinstance(answer, Failure)
    assert answer.sqlstate == sqlstate
    assert both.ours.rows("SELECT count(*) FROM copied_refused") == [(0,)]
    connection.execute("DROP TABLE copied_refused")


def test_the_sessions_zone_is_that_of_times_without_one(both: Both) -> None:
    both.table("copied_zone", "v timestamptz")
    for zone in ("America/New_York", "Asia/Kolkata", "UTC"):
        both.execute(f"SET TimeZone = '{zone}'")
        data = b"2024-07-01 12:00:00\n2024-01-01 12:00:00\n2024-03-10 02:30:00\n"
        both.same(lambda side, data=data: side.load("COPY copied_zone FROM STDIN", data))
    both.same(lambda side: side.unload("COPY copied_zone TO STDOUT"))


def test_integers_and_strings_at_random_in_one_table(both: Both) -> None:
    """Columns side by side, so that one's values cannot be taken for another's."""
    both.table("copied_rows", "a int8, b text, c int2, d text")
    random = Random(7)
    numbers, words = list(integers(-(2**60), 2**60)(random)), list(strings(random))
    small = list(integers(-(2**15), 2**15 - 1)(random))
    rows = [
        (numbers[i], words[i % len(words)], small[i], words[-i % len(words)])
        for i in range(len(small))
    ]
    data = b"".join(b"\t".join(_line(value).rstrip(b"\n") for value in row) + b"\n" for row in rows)

    assert both.same(lambda side: side.load("COPY copied_rows FROM STDIN", data)) == len(rows)
    both.same(lambda side: side.messages("COPY copied_rows TO STDOUT"))
    both.same(lambda side: side.messages("COPY copied_rows TO STDOUT (FORMAT csv)"))
    both.same(lambda side: side.messages("COPY copied_rows TO STDOUT (FORMAT binary)"))
