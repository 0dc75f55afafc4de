"""The comparison with TPC-H's printed answers: a wrong answer must not get through."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from proxy.demo.answers import differences

ANSWER = "name|day|revenue|share\nCHINA|1995-03-14|7822103.0000|0.028648741305617557\n"
COLUMNS = ("name", "day", "revenue", "share")
RIGHT = ("CHINA", date(1995, 3, 14), Decimal("7822103.0000"), 0.028648741305617557)


def _with(position: int, value: object) -> list[tuple[object, ...]]:
    return [(*RIGHT[:position], value, *RIGHT[position + 1 :])]


def test_the_answer_itself_is_right() -> None:
    assert differences(ANSWER, COLUMNS, [RIGHT]) == []


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (2, Decimal("7822103")),
        (2, Decimal("7822103.00000000")),
        (2, 7822103),
        (3, Decimal("0.028649")),
        (3, Decimal("0.0286487413")),
        (3, Decimal("0.028648741305617557")),
    ],
)
def test_digits_that_print_the_same_number_are_right(position: int, value: object) -> None:
    assert differences(ANSWER, COLUMNS, _with(position, value)) == []


@pytest.mark.parametrize(
    ("position", "value"),
    [
        pytest.param(0, "China", id="another case"),
        pytest.param(0, "CHINA ", id="a blank more"),
        pytest.param(0, "", id="an empty string"),
        pytest.param(0, None, id="NULL for text"),
        pytest.param(1, date(1995, 3, 15), id="another day"),
        pytest.param(1, datetime(1995, 3, 14), id="a timestamp for a date"),
        pytest.param(2, Decimal("7822103.0001"), id="off by one unit of the last decimal"),
        pytest.param(2, Decimal("-7822103.0000"), id="the other sign"),
        pytest.param(2, Decimal("NaN"), id="not a number"),
        pytest.param(2, 7822104, id="another integer"),
        pytest.param(2, None, id="NULL for a number"),
        pytest.param(2, True, id="a boolean"),
        pytest.param(2, "7822103.0", id="a number as text, printed otherwise"),
        pytest.param(3, Decimal("0.028648"), id="cut off, not rounded"),
        pytest.param(3, Decimal("0.02865"), id="rounded to fewer than six decimals"),
        pytest.param(3, Decimal("0.0286487414"), id="wrong in the last decimal it has"),
        pytest.param(3, 0.02864874130561756, id="another double"),
        pytest.param(3, float("nan"), id="not a number as a double"),
    ],
)
def test_a_wrong_value_is_noticed_and_named(position: int, value: object) -> None:
    (difference,) = differences(ANSWER, COLUMNS, _with(position, value))
    assert difference.startswith(f"row 1, {COLUMNS[position]}: {value!r} where the answer has ")


def test_a_missing_row_and_a_row_too_many_are_noticed() -> None:
    assert differences(ANSWER, COLUMNS, []) == ["0 rows where the answer has 1"]
    assert differences(ANSWER, COLUMNS, [RIGHT, RIGHT]) == ["2 rows where the answer has 1"]


def test_the_order_of_rows_is_part_of_the_answer() -> None:
    answer = "n\n1\n2\n"
    assert differences(answer, ["n"], [(1,), (2,)]) == []
    assert len(differences(answer, ["n"], [(2,), (1,)])) == 2


def test_other_column_names_are_noticed() -> None:
    (difference,) = differences(ANSWER, ["name", "day", "revenue", "mkt_share"], [RIGHT])
    assert "mkt_share" in difference


def test_a_column_too_many_is_noticed() -> None:
    assert differences(ANSWER, [*COLUMNS, "more"], [(*RIGHT, 1)]) != []
