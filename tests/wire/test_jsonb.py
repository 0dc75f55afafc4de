"""The text of a jsonb: the compiled way writes what Python writes, or leaves it to Python."""

from __future__ import annotations

from random import Random

import pytest

from proxy.engines.duck import jsonb as duck_jsonb
from proxy.engines.duck.c import Connection, DuckError
from proxy.engines.duck.errors import sql_error
from proxy.errors import SqlError
from proxy.wire.decoders.documents import jsonb_text

from .values import documents

compiled = pytest.mark.skipif(duck_jsonb.compiled is None, reason="no compiler was there")


def _by_python(text: str) -> str | None:
    try:
        return jsonb_text(text, "")
    except SqlError:
        return None


@compiled
def test_both_ways_write_the_same() -> None:
    for text in documents(Random(7)):
        assert duck_jsonb.compiled.written(text) == _by_python(text or ""), text


@compiled
def test_both_ways_refuse_the_same() -> None:
    """Documents with a character too few, too many, or another: what the compiled way takes is right."""
    random, taken = Random(11), 0
    for text in list(documents(random))[:400]:
        assert text is not None
        at = random.randrange(len(text) + 1)
        for broken in (
            text[:at],
            text[:at] + random.choice('{}[]",:\\0-+.eE1u') + text[at:],
            text[:at] + text[at + 1 :],
        ):
            made = duck_jsonb.compiled.written(broken)
            if made is not None:
                assert made == _by_python(broken), broken
                taken += 1
    assert taken > 50


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("{", "22P02"),
        ("", "22P02"),
        ("[1,]", "22P02"),
        ("01", "22P02"),
        ("NaN", "22P02"),
        (r'"\u0000"', "22P05"),
        (r'"\ud800"', "22P02"),
        ("1e200000", "22003"),
        ("[" * 5000, "54001"),
    ],
)
def test_what_is_no_jsonb_is_refused(duck: Connection, text: str, sqlstate: str) -> None:
    with pytest.raises(DuckError) as caught:
        duck.run(f"SELECT v::JSONB FROM (VALUES ('{{}}'), ('{text}')) AS t(v)")
    assert sql_error(caught.value).sqlstate == sqlstate
    assert duck.run(f"SELECT TRY_CAST(v AS JSONB) FROM (VALUES ('{text}')) AS t(v)") == [(None,)]


def test_far_exponents_and_deep_documents_are_written_too(duck: Connection) -> None:
    deep = "[" * 250 + "]" * 250
    ((far, nested),) = duck.run(f"SELECT '1e500'::JSONB::VARCHAR, '{deep}'::JSONB::VARCHAR")
    assert far == "1" + "0" * 500
    assert nested == deep


def test_a_column_is_written_value_by_value(duck: Connection) -> None:
    texts = [text for text in documents(Random(3)) if text is not None][:200]
    listed = ", ".join("('" + text.replace("'", "''") + "')" for text in texts)
    made = duck.run(f"SELECT v::JSONB::VARCHAR FROM (VALUES {listed}) AS t(v)")
    assert [text for (text,) in made] == [_by_python(text) for text in texts]


def test_a_jsonb_within_json_stays_a_document(duck: Connection) -> None:
    ((one, several),) = duck.run(
        """SELECT to_json('{"a":1}'::JSONB), to_json(['{"a":1}', NULL, '2']::JSONB[])"""
    )
    assert (one, several) == ('{"a": 1}', '[{"a": 1},null,2]')
