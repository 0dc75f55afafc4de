"""Where the documents of a JSON file begin and end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.staging.documents import DocumentReader


def read(data: str, strip: bool = False, block: int = 0) -> list[tuple[str, int]]:
    raw = data.encode()
    size = block or max(len(raw), 1)
    found: list[tuple[str, int]] = []
    blocks = (raw[at : at + size] for at in range(0, len(raw), size))
    for documents in DocumentReader(strip).read(blocks):
        found += zip(documents.texts.to_pylist(), documents.lines.tolist(), strict=True)
    return found


@pytest.mark.parametrize(
    ("data", "strip", "expected"),
    [
        ('{"a":1}\n{"a":2}\n', False, [('{"a":1}', 1), ('{"a":2}', 2)]),
        ('{"a":1}{"a":2}', False, [('{"a":1}', 1), ('{"a":2}', 1)]),
        ('{"a":\n 1}\n\n[2]', False, [('{"a":\n 1}', 1), ("[2]", 4)]),
        (
            '{"a":"}{\\"]"} 1 null "x y"',
            False,
            [('{"a":"}{\\"]"}', 1), ("1", 1), ("null", 1), ('"x y"', 1)],
        ),
        ('[{"a":1},\n{"a":[2]}]', True, [('{"a":1}', 1), ('{"a":[2]}', 2)]),
        ('[1, [2, 3], "a,b"] [4]', True, [("1", 1), ("[2, 3]", 1), ('"a,b"', 1), ("4", 1)]),
        ('{"a":[1,2]}', True, [('{"a":[1,2]}', 1)]),
        ("[]", True, []),
        ("[]", False, [("[]", 1)]),
        ("", False, []),
        (" \n ", True, []),
        ('{"a":', False, [('{"a":', 1)]),
    ],
)
@pytest.mark.parametrize("block", [0, 1, 4])
def test_documents(data: str, strip: bool, expected: list, block: int) -> None:
    assert read(data, strip, block) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.integers(1, 9), st.sampled_from([None, 1]))
@settings(max_examples=200, deadline=None)
def test_what_was_written_is_found_again(documents: list, block: int, indent: int | None) -> None:
    lines = "\n".join(json.dumps(one, indent=indent, ensure_ascii=False) for one in documents)
    assert [json.loads(text) for text, _ in read(lines, block=block)] == documents
    array = json.dumps(documents, indent=indent, ensure_ascii=False)
    assert [json.loads(text) for text, _ in read(array, True, block)] == documents
