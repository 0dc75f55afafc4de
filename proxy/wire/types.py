"""The one table of types: DuckDB's logical types, Postgres's types, and the way between them.

Why it exists: RowDescription, the encoders, Bind and the catalog must agree on what a column *is*.
They all ask here, so a type is added by adding a line. Nothing in this module does I/O or knows a
connection; a `DuckType` is a plain value that an engine fills in.

What it promises:

- `wire_type` is total over DuckDB's types, except for the few shapes that no Postgres type can
  carry; those raise 0A000 and name the shape.
- Every OID and size is Postgres's own (`pg_type.dat`, version 15).

Where two mappings were possible:

- An integer that does not fit the signed Postgres type of its width takes the next wider one:
  UTINYINT int2, USMALLINT int4, UINTEGER int8, UBIGINT and beyond numeric.
- DuckDB's JSON keeps its text as written, which is what Postgres calls `json` (114). JSONB, a type
  of ours (`proxy.engines.duck.jsonb`), is `jsonb` (3802), and so are STRUCT, MAP, UNION and VARIANT,
  which are values, not texts.
- LIST and ARRAY are arrays of their innermost element. Postgres does not count dimensions in the
  type, so `INTEGER[][]` is `_int4` too; a ragged value is refused where it is encoded.
- A list of MAP, STRUCT, UNION or VARIANT is `_jsonb`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from proxy.errors import SqlError

NO_COLUMNS = "_hd_no_columns"
"""The name of the one column, a number, that the engine gives where the client's result has none."""


@dataclass(frozen=True, slots=True)
class DuckType:
    """A DuckDB logical type as an engine reports it.

    id: DuckDB's name of the type (`INTEGER`, `DECIMAL`, `LIST`, ...).
    alias: the name that was given to it; `JSON` and `JSONB` are VARCHARs with an alias.
    width, scale: of a DECIMAL.
    children: element of LIST and ARRAY; key and value of MAP; members of STRUCT and UNION.
    names: names of the members of STRUCT and UNION; the values of ENUM.
    """

    id: str
    alias: str | None = None
    width: int = 0
    scale: int = 0
    children: tuple[DuckType, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def is_document(self) -> bool:
        """Whether it is a JSON text: JSON or JSONB."""
        return self.id == "VARCHAR" and self.alias in _ALIASES

    def __str__(self) -> str:
        if self.id == "DECIMAL":
            return f"DECIMAL({self.width},{self.scale})"
        if self.id in ("LIST", "ARRAY") and self.children:
            return f"{self.children[0]}[]"
        return self.alias or self.id


@dataclass(frozen=True, slots=True)
class PgType:
    """A Postgres type: a row of pg_type.

    size: typlen; -1 is a length that varies, -2 a C string.
    array_oid: the type whose elements these are, 0 if there is none.
    element_oid: for an array type the type of its elements, otherwise 0.
    duck: the DuckDB type that a value of it is cast to, None where DuckDB has none. `DECIMAL`
        stands without precision: DuckDB would read that as DECIMAL(18,3), so whoever casts must
        add precision and scale from the value's own digits.
    """

    oid: int
    name: str
    size: int
    array_oid: int = 0
    element_oid: int = 0
    duck: str | None = None


@dataclass(frozen=True, slots=True)
class WireType:
    """What RowDescription says of one column.

    modifier: atttypmod; -1 is none, numeric(p,s) is `((p << 16) | s) + 4`, varchar(n) is n + 4.
    """

    oid: int
    size: int
    modifier: int = -1


# oid, name, typlen, oid of the array type, DuckDB type to cast a value to
_SCALARS: tuple[tuple[int, str, int, int, str | None], ...] = (
    (16, "bool", 1, 1000, "BOOLEAN"),
    (17, "bytea", -1, 1001, "BLOB"),
    (18, "char", 1, 1002, "VARCHAR"),
    (19, "name", 64, 1003, "VARCHAR"),
    (20, "int8", 8, 1016, "BIGINT"),
    (21, "int2", 2, 1005, "SMALLINT"),
    (23, "int4", 4, 1007, "INTEGER"),
    (24, "regproc", 4, 1008, None),
    (25, "text", -1, 1009, "VARCHAR"),
    (26, "oid", 4, 1028, "UINTEGER"),
    (28, "xid", 4, 1011, None),
    (114, "json", -1, 199, "JSON"),
    (142, "xml", -1, 143, None),
    (650, "cidr", -1, 651, None),
    (700, "float4", 4, 1021, "FLOAT"),
    (701, "float8", 8, 1022, "DOUBLE"),
    (705, "unknown", -2, 0, "VARCHAR"),
    (790, "money", 8, 791, None),
    (829, "macaddr", 6, 1040, None),
    (869, "inet", -1, 1041, None),
    (1042, "bpchar", -1, 1014, "VARCHAR"),
    (1043, "varchar", -1, 1015, "VARCHAR"),
    (1082, "date", 4, 1182, "DATE"),
    (1083, "time", 8, 1183, "TIME"),
    (1114, "timestamp", 8, 1115, "TIMESTAMP"),
    (1184, "timestamptz", 8, 1185, "TIMESTAMPTZ"),
    (1186, "interval", 16, 1187, "INTERVAL"),
    (1266, "timetz", 12, 1270, "TIMETZ"),
    (1560, "bit", -1, 1561, "BIT"),
    (1562, "varbit", -1, 1563, "BIT"),
    (1700, "numeric", -1, 1231, "DECIMAL"),
    (2205, "regclass", 4, 2210, None),
    (2206, "regtype", 4, 2211, None),
    (2249, "record", -1, 2287, None),
    (2275, "cstring", -2, 1263, "VARCHAR"),
    (2278, "void", 4, 0, None),
    (2950, "uuid", 16, 2951, "UUID"),
    (3802, "jsonb", -1, 3807, "JSONB"),
)

# The names that SQL text uses beside pg_type's own.
_SQL_NAMES: dict[str, str] = {
    "bigint": "int8",
    "bit varying": "varbit",
    "boolean": "bool",
    "char": "bpchar",
    "character": "bpchar",
    "character varying": "varchar",
    "decimal": "numeric",
    "dec": "numeric",
    "double precision": "float8",
    "float": "float8",
    "int": "int4",
    "integer": "int4",
    "real": "float4",
    "smallint": "int2",
    "string": "text",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}


def _pg_types() -> Iterator[PgType]:
    for oid, name, size, array_oid, duck in _SCALARS:
        yield PgType(oid, name, size, array_oid, 0, duck)
        if array_oid:
            yield PgType(array_oid, "_" + name, -1, 0, oid, duck and duck + "[]")


BY_OID: dict[int, PgType] = {t.oid: t for t in _pg_types()}
BY_NAME: dict[str, PgType] = {t.name: t for t in BY_OID.values()}

# pg_type's "char" is one byte; SQL's unquoted char is bpchar. A name in SQL text is looked up with
# `pg_type_named`, so the second meaning wins there.
_BY_SQL_NAME: dict[str, PgType] = BY_NAME | {sql: BY_NAME[name] for sql, name in _SQL_NAMES.items()}

# DuckDB type id -> name of the Postgres type.
_SCALAR_OF_DUCK: dict[str, str] = {
    "BOOLEAN": "bool",
    "TINYINT": "int2",
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "UTINYINT": "int2",
    "USMALLINT": "int4",
    "UINTEGER": "int8",
    "UBIGINT": "numeric",
    "HUGEINT": "numeric",
    "UHUGEINT": "numeric",
    "BIGNUM": "numeric",
    "FLOAT": "float4",
    "DOUBLE": "float8",
    "DECIMAL": "numeric",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time",
    "TIME_NS": "time",
    "TIME_TZ": "timetz",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP_TZ": "timestamptz",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "BIT": "varbit",
    "ENUM": "text",
    "STRUCT": "jsonb",
    "MAP": "jsonb",
    "UNION": "jsonb",
    "VARIANT": "jsonb",
    "GEOMETRY": "bytea",
    "SQLNULL": "text",
}

# Alias of VARCHAR -> name of the Postgres type.
_ALIASES = {"JSON": "json", "JSONB": "jsonb"}

LISTS = frozenset({"LIST", "ARRAY"})
FLOATS = frozenset({"FLOAT", "DOUBLE"})
# Whole and decimal numbers of any width.
EXACT_NUMBERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM", "DECIMAL"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    }
)
TIMES = frozenset({"TIME", "TIME_NS", "TIME_TZ"})
DATES = frozenset(
    {
        *("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP_TZ"),
        "INTERVAL",
    }
)


@lru_cache(maxsize=4096)
def wire_type(duck: DuckType) -> WireType:
    """What RowDescription says of a column of this DuckDB type.

    Raises SqlError 0A000 for a type that has no counterpart.
    """
    if duck.id in LISTS:
        element = pg_type(element_type(duck))
        return WireType(element.array_oid, -1, _modifier(element_type(duck)))
    found = pg_type(duck)
    return WireType(found.oid, found.size, _modifier(duck))


def varchar(length: int) -> WireType:
    """What RowDescription says of a column that is varchar(length)."""
    return WireType(BY_NAME["varchar"].oid, -1, length + 4)


def pg_type(duck: DuckType) -> PgType:
    """The Postgres type of a DuckDB type. Raises SqlError 0A000 where there is none."""
    if duck.id in LISTS:
        return BY_OID[pg_type(element_type(duck)).array_oid]
    if duck.id == "VARCHAR" and duck.alias in _ALIASES:
        return BY_NAME[_ALIASES[duck.alias]]
    name = _SCALAR_OF_DUCK.get(duck.id)
    if name is None:
        raise SqlError("0A000", f"type {duck} has no representation on the wire")
    return BY_NAME[name]


def duck_scalar(name: str) -> str | None:
    """The Postgres type of DuckDB's SQL name of one that is no list, without its digits: `DOUBLE`."""
    return _SCALAR_OF_DUCK.get(_DUCK_SPELLINGS.get(name, name))


def plain_type(name: str) -> DuckType | None:
    """The type of DuckDB's SQL name of one that is all there is to say of it: no digits, nothing in it."""
    found = _DUCK_SPELLINGS.get(name, name)
    return DuckType(found) if found in _SCALAR_OF_DUCK and found not in _MORE_TO_SAY else None


_MORE_TO_SAY = frozenset({"DECIMAL", "ENUM", "STRUCT", "MAP", "UNION", "SQLNULL"})
_DUCK_SPELLINGS = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMP_TZ", "TIME WITH TIME ZONE": "TIME_TZ"}
SPELLED = {name: written for written, name in _DUCK_SPELLINGS.items()}
"""What DuckDB's SQL calls types that have another name in its catalog."""


def spelled(duck: DuckType) -> str:
    """A type as a table's definition says it, in DuckDB's SQL."""
    if duck.id == "ENUM":
        values = ["'" + value.replace("'", "''") + "'" for value in duck.names]
        return f"ENUM({', '.join(values)})"
    if duck.id in LISTS:
        return f"{spelled(duck.children[0])}[]"
    return SPELLED.get(duck.id) or str(duck)


def element_type(duck: DuckType) -> DuckType:
    """The innermost element of a LIST or ARRAY of any depth."""
    while duck.id in LISTS:
        if not duck.children:
            raise SqlError("0A000", f"type {duck.id} does not say what its elements are")
        duck = duck.children[0]
    return duck


def pg_type_named(name: str) -> PgType | None:
    """The type that SQL text calls `name` (lower case, no modifier), `int[]` forms included."""
    if name.endswith("[]"):
        element = pg_type_named(name.removesuffix("[]").rstrip())
        return BY_OID.get(element.array_oid) if element else None
    return _BY_SQL_NAME.get(name)


def duck_type_name(oid: int) -> str | None:
    """The DuckDB type that a parameter of Postgres type `oid` is cast to, arrays included.

    None if the type is unknown here or DuckDB has no such type. numeric gives a bare `DECIMAL`,
    to which the caller adds precision and scale (see `PgType.duck`).
    """
    found = BY_OID.get(oid)
    return found.duck if found else None


def _modifier(duck: DuckType) -> int:
    if duck.id == "DECIMAL" and duck.width:
        return ((duck.width << 16) | duck.scale) + 4
    return -1
