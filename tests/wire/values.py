"""Values of every type, as text that both DuckDB and Postgres read; seeded, so a failure repeats."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

Text = str | None


@dataclass(frozen=True)
class Kind:
    """A DuckDB type, the Postgres type it is sent as, and texts of its values.

    expression: how DuckDB makes the value of text `v`, if a cast alone does not do it.
    """

    duck: str
    postgres: str
    texts: Callable[[Random], Iterator[Text]]
    expression: str = ""

    @property
    def value(self) -> str:
        return self.expression or f"v::{self.duck}"

    def generate(self) -> list[Text]:
        return [None, *self.texts(Random(self.duck))]


def integers(low: int, high: int, count: int = 1500) -> Callable[[Random], Iterator[Text]]:
    """All magnitudes alike, and both ends."""

    def texts(random: Random) -> Iterator[Text]:
        yield from map(str, (0, low, high, 9999 % (high + 1), min(10000, high), min(100, high)))
        bits = high.bit_length()
        for _ in range(count):
            yield str(random.randrange(low, high + 1) >> random.randrange(bits))

    return texts


def decimals(width: int, scale: int, count: int = 400) -> Callable[[Random], Iterator[Text]]:
    def texts(random: Random) -> Iterator[Text]:
        most = 10**width - 1
        for unscaled in (0, 1, -1, most, -most):
            yield _point(unscaled, scale)
        for _ in range(count):
            size = random.randrange(most + 1) // 10 ** random.randrange(width)
            zeros = 10 ** random.randrange(min(width, 5))
            yield _point(random.choice((1, -1)) * (size // zeros) * zeros, scale)

    return texts


def _point(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).zfill(scale + 1)
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


def floats(form: str, bits: int, powers: range, tens: range) -> Callable[[Random], Iterator[Text]]:
    """Every power of two and of ten, any pattern of bits, and decimals of all sizes."""

    def texts(random: Random) -> Iterator[Text]:
        yield from ("0", "-0", "nan", "infinity", "-infinity", "1e23", "9007199254740993", "5e-324")
        yield from ("0.0001", "0.00009999999", "1e15", "999999999999999.9", "1e6", "999999.94")
        yield from (repr(2.0**k) for k in powers)
        yield from (f"{sign}1e{k}" for k in tens for sign in ("", "-"))
        for _ in range(2000):
            number = struct.unpack(form, random.getrandbits(bits).to_bytes(bits // 8, "little"))[0]
            if abs(number) < float("inf"):
                yield repr(number)
        for _ in range(2000):
            number = random.uniform(-1, 1) * 10 ** random.randrange(-7, 20)
            yield repr(round(number, random.randrange(8)))
        # Integers beyond the mantissa: here lie the texts half-way between two floats.
        for _ in range(2000):
            yield repr(float(random.getrandbits(random.randrange(20, 70))))

    def readable(random: Random) -> Iterator[Text]:
        # float4's own parser refuses what it would have to call 0 or infinity.
        for text in texts(random):
            size = abs(float(text))
            if bits == 64 or size in (0, float("inf")) or size != size or 2e-45 < size < 3.4e38:
                yield text

    return readable


def strings(random: Random) -> Iterator[Text]:
    yield from (
        "",
        " ",
        "a",
        "é",
        "日本",
        "it's",
        'a"b',
        "a\\b",
        "\t\n\r\x01\x7f",
        "x" * 5000,
        "🦆",
    )
    for _ in range(500):
        yield "".join(random.choice("ab\\\"'{},é日 \n") for _ in range(random.randrange(20)))


def blobs(random: Random) -> Iterator[Text]:
    yield from ("", "00", bytes(range(256)).hex(), "5c5c", "27")
    for _ in range(500):
        yield random.randbytes(random.randrange(40)).hex()


def uuids(random: Random) -> Iterator[Text]:
    yield from ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
    for _ in range(500):
        yield str(uuid.UUID(int=random.getrandbits(128)))


def bits(random: Random) -> Iterator[Text]:
    for count in range(1, 200):
        yield "".join(random.choice("01") for _ in range(count))


def dates(random: Random) -> Iterator[Text]:
    """Days since 1970."""
    yield from map(
        str, (-2_440_588, -719_163, -719_162, -1, 0, 10_957, 11_016, 2_932_896, 2_932_897)
    )
    for _ in range(1000):
        yield str(random.randrange(-719_162, 2_932_897))
    for _ in range(300):
        yield str(random.randrange(-2_440_588, 2_000_000_000))


def usual_moments(random: Random, unit: int = 1) -> Iterator[Text]:
    """Microseconds since 1970, between the years 1 and 9999, with every length of fraction."""
    for _ in range(1500):
        step = 10 ** random.randrange(7)
        yield str(random.randrange(-62_135_596_800_000_000, 253_402_300_800_000_000) // step * step)


def moments(random: Random) -> Iterator[Text]:
    yield from map(str, (-210_866_803_200_000_000, 9_223_371_331_199_999_999, 0, -1, 1))
    yield from usual_moments(random)
    for _ in range(500):
        yield str(random.randrange(-210_866_803_200_000_000, 9_223_371_331_200_000_000))


def recent_moments(random: Random) -> Iterator[Text]:
    """Where zones change their clocks, and far beyond the last change that a file lists."""
    for _ in range(1500):
        yield str(random.randrange(-5_000_000_000, 5_000_000_000) * 1_000_000)
    for _ in range(300):
        yield str(random.randrange(5_000_000_000, 250_000_000_000) * 1_000_000 + 500_000)


def times(random: Random) -> Iterator[Text]:
    yield from ("00:00:00", "24:00:00", "23:59:59.999999")
    for _ in range(800):
        step = 10 ** random.randrange(7)
        micros = random.randrange(86_400_000_000) // step * step
        seconds, fraction = divmod(micros, 1_000_000)
        yield f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def zoned_times(random: Random) -> Iterator[Text]:
    zones = ("+00", "+05:30", "-08", "-05:30:15", "+15:59:59", "-15:59:59", "+00:00:01")
    for time in times(random):
        if time and time < "24":
            yield time + random.choice(zones)


def intervals(random: Random) -> Iterator[Text]:
    yield from ("0 seconds", "1 year", "-1 year", "1 month", "-1 month 1 day", "1 day -00:00:01")
    yield from ("-1 days 00:00:01", "1 year -1 month", "100000 hours", "-1 microsecond")
    yield from ("178956970 years", "-2147483648 days", "2562047 hours", "-00:00:00.5")
    for _ in range(2000):
        parts = [
            f"{random.choice([random.randrange(-3, 4), random.randrange(-3000, 3000)])} {unit}"
            for unit in ("months", "days")
            if random.random() < 0.6
        ]
        if random.random() < 0.7 or not parts:
            size = 10 ** random.randrange(1, 15)
            parts.append(f"{random.randrange(-size, size)} microseconds")
        yield " ".join(parts)


_STRINGS = (
    "",
    "a",
    "bb",
    "b",
    "é",
    "日本",
    "\U0001f600",
    '"',
    "\\",
    "/",
    "\b\f\n\r\t",
    "\x01\x1f\x7f",
)
_NUMBERS = ("0", "-0", "1.50", "-0.00", "1e2", "1.5E-3", "12e+1", "0e5", "0.0e-2", "100200.0300e1")


def documents(random: Random) -> Iterator[Text]:
    """JSON as people write it: blanks, escapes, keys twice and in any order, numbers in any form."""

    def blank() -> str:
        return random.choice(("", "", "", " ", "\n", "\t ", "\r\n"))

    def string() -> str:
        text = "".join(random.choice(_STRINGS) for _ in range(random.randrange(3)))
        return json.dumps(text, ensure_ascii=random.random() < 0.5)

    def value(depth: int) -> str:
        kind = random.randrange(7 if depth < 4 else 5)
        if kind < 2:
            return random.choice(_NUMBERS)
        if kind == 2:
            return random.choice(("true", "false", "null", str(random.randrange(10**30))))
        if kind < 5:
            return string()
        inner = [value(depth + 1) for _ in range(random.randrange(5))]
        if kind == 5:
            return "[" + ",".join(blank() + one + blank() for one in inner) + blank() + "]"
        pairs = (f"{blank()}{string()}{blank()}:{blank()}{one}{blank()}" for one in inner)
        return "{" + blank() + ",".join(pairs) + "}"

    for _ in range(1500):
        yield blank() + value(0) + blank()


KINDS = [
    Kind("BOOLEAN", "bool", lambda random: iter(["t", "f", None, "t"])),
    Kind("TINYINT", "int2", integers(-(2**7), 2**7 - 1)),
    Kind("SMALLINT", "int2", integers(-(2**15), 2**15 - 1)),
    Kind("INTEGER", "int4", integers(-(2**31), 2**31 - 1)),
    Kind("BIGINT", "int8", integers(-(2**63), 2**63 - 1)),
    Kind("UTINYINT", "int2", integers(0, 2**8 - 1)),
    Kind("USMALLINT", "int4", integers(0, 2**16 - 1)),
    Kind("UINTEGER", "int8", integers(0, 2**32 - 1)),
    Kind("UBIGINT", "numeric", integers(0, 2**64 - 1)),
    Kind("HUGEINT", "numeric", integers(-(2**127), 2**127 - 1)),
    Kind("UHUGEINT", "numeric", integers(0, 2**128 - 1)),
    Kind("BIGNUM", "numeric", integers(-(2**3000), 2**3000)),
    *(
        Kind(f"DECIMAL({p},{s})", f"numeric({p},{s})", decimals(p, s))
        for p, s in (
            *((4, 0), (4, 2), (9, 3), (18, 0), (18, 2), (18, 7), (18, 18), (19, 4)),
            *((38, 0), (38, 1), (38, 10), (38, 37), (38, 38)),
        )
    ),
    Kind("FLOAT", "float4", floats("<f", 32, range(-149, 128), range(-44, 39))),
    Kind("DOUBLE", "float8", floats("<d", 64, range(-1074, 1024), range(-307, 309))),
    Kind("VARCHAR", "text", strings),
    Kind("JSON", "json", lambda random: iter(['{"a" : [1,  2]}', "null", '"x"', "1.0", "[]"])),
    Kind("JSONB", "jsonb", documents),
    Kind("ENUM('a', 'b c', 'NULL')", "text", lambda random: iter(["a", "b c", "NULL"] * 40)),
    Kind("BLOB", "bytea", blobs, expression="from_hex(v)"),
    Kind("UUID", "uuid", uuids),
    Kind("BIT", "varbit", bits),
    Kind("DATE", "date", dates, expression="date '1970-01-01' + v::integer"),
    Kind("TIME", "time", times),
    Kind("TIME_NS", "time", times),
    Kind("TIMETZ", "timetz", zoned_times),
    Kind("TIMESTAMP", "timestamp", moments, expression="make_timestamp(v::bigint)"),
    Kind("INTERVAL", "interval", intervals),
]


def nested(random: Random, depth: int) -> tuple[str, Callable[[], str]]:
    """A random type of containers and a maker of its values, as SQL of DuckDB; a fifth are NULL."""
    kind = random.choice([*_LEAVES, *(["LIST", "ARRAY", "STRUCT", "MAP", "UNION"] * bool(depth))])
    if kind in _LEAVES:
        duck = kind
        make = lambda: random.choice(_LEAVES[kind])  # noqa: E731
    elif kind in ("STRUCT", "UNION"):
        members = [nested(random, depth - 1) for _ in range(random.randrange(1, 4))]
        names = ", ".join(f"m{i} {member}" for i, (member, _) in enumerate(members))
        makers, duck = [maker for _, maker in members], f"{kind}({names})"
        write = _struct if kind == "STRUCT" else _union
        make = lambda: write(random, makers)  # noqa: E731
    else:
        inner, maker = nested(random, depth - 1)
        size = random.randrange(1, 4)
        duck, write = {
            "LIST": (f"{inner}[]", lambda: _list(maker, random.randrange(4))),
            "ARRAY": (f"{inner}[{size}]", lambda: _list(maker, size)),
            "MAP": (f"MAP(VARCHAR, {inner})", lambda: _map(maker, random.randrange(3))),
        }[kind]
        make = write
    return duck, lambda: "NULL" if random.random() < 0.2 else f"{make()}::{duck}"


def _list(make: Callable[[], str], size: int) -> str:
    return f"[{', '.join(make() for _ in range(size))}]"


def _map(make: Callable[[], str], size: int) -> str:
    return "MAP {" + ", ".join(f"'k{i}': {make()}" for i in range(size)) + "}"


def _struct(random: Random, makers: list[Callable[[], str]]) -> str:
    return "{" + ", ".join(f"'m{i}': {make()}" for i, make in enumerate(makers)) + "}"


def _union(random: Random, makers: list[Callable[[], str]]) -> str:
    tag = random.randrange(len(makers))
    # Arrow cannot tell a NULL of the first member from a NULL union.
    value = next(v for v in iter(makers[tag], "") if v != "NULL")
    return f"union_value(m{tag} := {value})"


_LEAVES = {
    "INTEGER": ["0", "-7", "2147483647"],
    "VARCHAR": ["''", "'a\"b\\'", "'x\ny'", "'é'", "'null'"],
    "BOOLEAN": ["true", "false"],
    "UUID": ["'00000000-0000-0000-0000-0000000000ff'"],
    "HUGEINT": ["170141183460469231731687303715884105727", "-1"],
}
