"""What is taken out of documents and how they compare: compiled, and in Python as without a compiler."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.engines import document_edits as edits
from proxy.engines import documents
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck import documents as duck_documents
from proxy.engines.duck import jsonb as duck_jsonb

QUERY = """
    SELECT json_member_(d, 'a'), json_member_text_(d, 'a'), json_member_(d, -1), json_member_text_(d, 0),
      json_path_(d, ['a', '0']), json_path_text_(d, ['b', '-1']), hex(jsonb_key_(d)),
      d @> lead(d) OVER (ORDER BY i), lead(d) OVER (ORDER BY i) <@ d, d @> '{"a": {}}', d @> '[1.0]',
      CASE WHEN starts_with(d, '[') THEN json_elements_(d) END,
      CASE WHEN starts_with(d, '[') THEN json_element_texts_(d) END
    FROM docs ORDER BY i
"""


def _document(random_: random.Random, depth: int = 0) -> Any:
    kind = random_.randrange(4 if depth > 3 else 7)
    if kind == 0:
        return random_.choice(["", "x", "é", 'q"\\\n', "\x01", "💡", "a" * 20, "0"])
    if kind == 1:
        return random_.choice([0, 1, -1, 10**30, -0.5, 1.25, 1e-7, 12345678901234567])
    if kind == 2:
        return random_.choice([True, False])
    if kind == 3:
        return None
    if kind == 4:
        return [_document(random_, depth + 1) for _ in range(random_.randrange(4))]
    names = random_.sample(["a", "b", "cc", "é", "", "a.b", '"'], random_.randrange(5))
    return {name: _document(random_, depth + 1) for name in names}


@pytest.fixture(params=["as it is", "in Python"])
def connection(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb_c.Connection]:
    if request.param == "in Python":
        monkeypatch.setattr(duck_documents, "addresses", duck_documents.in_python)
    database = duckdb_c.Database(":memory:", {})
    made = database.connect()
    duck_jsonb.register(made)
    duck_documents.register(made)
    yield made
    made.close()
    database.close()


def _asked(connection: duckdb_c.Connection, texts: list[str]) -> list[tuple[Any, ...]]:
    rows = ", ".join(
        f"({i}, '{text.replace(chr(39), chr(39) * 2)}')" for i, text in enumerate(texts)
    )
    connection.run("CREATE TABLE docs (i INTEGER, d JSONB)")
    connection.run(f"INSERT INTO docs VALUES {rows}")
    return [tuple(row) for row in connection.run(QUERY)]


def test_the_functions_answer_as_the_python_beside_them(connection: duckdb_c.Connection) -> None:
    random_ = random.Random(7)
    texts = [json.dumps(_document(random_)) for _ in range(400)]
    rows = _asked(connection, texts)
    kept = [row[0] for row in connection.run("SELECT CAST(d AS VARCHAR) FROM docs ORDER BY i")]
    for index, (row, document) in enumerate(zip(rows, kept, strict=True)):
        following = kept[index + 1] if index + 1 < len(kept) else None
        within = None if following is None else documents.contains(document, following)
        member = documents.member(document, "a")
        assert row[:7] == (
            member,
            documents.as_text(member),
            documents.element(document, -1),
            documents.as_text(documents.element(document, 0)),
            documents.at_path(document, ["a", "0"]),
            documents.as_text(documents.at_path(document, ["b", "-1"])),
            documents.key(document).hex().upper(),
        )
        assert row[7:9] == (within, within)
        assert row[9:11] == (
            documents.contains(document, '{"a": {}}'),
            documents.contains(document, "[1.0]"),
        )
        if document.startswith("["):
            elements = documents.elements(document)
            assert list(row[11]) == elements
            assert list(row[12]) == [documents.as_text(element) for element in elements]


def test_numbers_that_are_equal_have_one_key() -> None:
    keys = [documents.key(text) for text in ("1", "1.0", "1.00", "[1]", "[1.0]")]
    assert keys[0] == keys[1] == keys[2] != keys[3] == keys[4]
    numbers = [
        "-100",
        "-12",
        "-5.5",
        "-0.01",
        "0",
        "0.001",
        "0.01",
        "0.5",
        "1",
        "1.5",
        "9",
        "10",
        "123",
    ]
    ordered = [documents.key(number) for number in numbers]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (edits.joined('{"a": 1}', '{"bb": 2, "a": 3}'), '{"a": 3, "bb": 2}'),
        (edits.joined("1", "[2]"), "[1, 2]"),
        (edits.without_name('["a", "b", "a"]', "a"), '["b"]'),
        (edits.without_element("[1, 2, 3]", -1), "[1, 2]"),
        (edits.without_path('{"a": [1, {"b": 2}]}', ["a", "1", "b"]), '{"a": [1, {}]}'),
        (edits.with_value('{"a": [1]}', ["a", "5"], "2"), '{"a": [1, 2]}'),
        (edits.with_value('{"a": [1]}', ["a", "-5"], "2"), '{"a": [2, 1]}'),
        (edits.with_value('{"a": [1]}', ["b"], "2", False), '{"a": [1]}'),
        (edits.with_more("[1, 2]", ["0"], "9", True), "[1, 9, 2]"),
        (edits.without_nulls('{"a": null, "b": [null, {"c": null}]}'), '{"b": [null, {}]}'),
    ],
)
def test_a_document_is_changed_where_it_is_said(made: str, expected: str) -> None:
    assert made == expected


# --- VARIANT --------------------------------------------------------------------------------------

IN_ORDER = (
    *("-1.5e300", "-100", "-12.50", "-1E-7", "0", "1e-7", "0.5", "1", "1.9999", "1e1", "123"),
    *("9007199254740992", "9007199254740993", "1.5e40", "false", "true"),
    *('""', '"\\u0000"', '"\\u0000a"', '"10"', '"9"', '"a"', '"a\\u0000"', '"ab"', '"é"', '"💡"'),
    *("[]", "[1]", "[1,2]", "[2]", '["a"]', "{}", '{"a":1}', '{"a":1,"b":0}', '{"a":2}', '{"b":0}'),
    "null",
)
EQUAL = (
    *(("1", "1.0", "1e0", "10E-1", "1.00e+00"), ("0", "-0", "0.0e5"), ("191.2", "1.912e2")),
    *(('"é"', '"\\u00e9"'), ('"/"', '"\\/"'), ('{"a":1,"b":[2]}', '{ "b" : [2.0], "a" : 1 }')),
    ("1.5e40", "15" + "0" * 39),
)


def _of_variants(connection: duckdb_c.Connection, texts: list[str]) -> list[tuple[str, str]]:
    rows = ", ".join(f"({i}, '{text}')" for i, text in enumerate(texts))
    connection.run(f"CREATE TABLE variants AS SELECT i, v::JSON AS v FROM (VALUES {rows}) t(i, v)")
    query = "SELECT hex(variant_key_(v)), variant_plain_(v)::VARCHAR FROM variants ORDER BY i"
    return [(str(key), str(plain)) for key, plain in connection.run(query)]


def test_variants_have_keys_in_their_order_and_one_text_where_they_are_equal(
    connection: duckdb_c.Connection,
) -> None:
    found = _of_variants(connection, list(IN_ORDER))
    keys = [key for key, _ in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    for text, (key, plain) in zip(IN_ORDER, found, strict=True):
        assert key == documents.variant_key(text).hex().upper()
        assert plain == documents.variant_plain(text)
        assert documents.variant_key(plain) == documents.variant_key(text)
    connection.run("DROP TABLE variants")
    for texts in EQUAL:
        assert len(set(_of_variants(connection, list(texts)))) == 1
        assert len({documents.variant_plain(text) for text in texts}) == 1
        connection.run("DROP TABLE variants")


def test_numbers_are_written_with_the_digits_that_they_need() -> None:
    plain = {
        "1.50": "1.5",
        "-0.00120": "-0.0012",
        "1e5": "100000",
        "1.5e-3": "0.0015",
        "1e38": "1e+38",
        "1e37": "1" + "0" * 37,
        "1.25e-40": "1.25e-40",
        "-3e300": "-3e+300",
    }
    assert {text: documents.variant_plain(text) for text in plain} == plain
