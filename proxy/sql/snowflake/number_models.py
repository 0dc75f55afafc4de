"""Snowflake's number format models ('$99,999.00', '0XXX', 'TM9'), for printing and for reading.

A model is taken apart once, when the statement is planned; what is left to do for each row is an
expression over DuckDB's text functions. Fixed-position models are printed as the reference's "SQL
format models" says: blanks for what 9 does not show, # for too many digits, the sign right before
the first digit unless S or MI gives it a place. Exponents (EE) and % are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, data_type, duck, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import scalar_text

_D = exp.DType
_KEPT = frozenset(" ;:-=/()")


@dataclass(slots=True)
class Model:
    """A fixed-position model: what stands before, in and behind the point."""

    before: str = ""
    whole: str = ""
    fraction: str = ""
    after: str = ""
    sign: str = ""
    sign_leads: bool = True
    dollar: bool = False
    blank_zero: bool = False
    compact: bool = False
    point: bool = False

    @property
    def hexadecimal(self) -> bool:
        return "X" in self.whole.upper()

    @property
    def digits(self) -> int:
        return sum(mark != "," for mark in self.whole)

    @property
    def zeros(self) -> int:
        """How many digits are there at least, in front of the point."""
        marks = self.whole.replace(",", "")
        return len(marks) - marks.index("0") if "0" in marks else 0


def parsed(written: str) -> Model | None:
    """The model, None where it is none of fixed positions."""
    model = Model()
    at = 0
    while at < len(written):
        rest = written[at:].upper()
        started = bool(model.whole or model.fraction or model.point)
        taken = 1
        if rest[0] == '"':
            end = written.find('"', at + 1)
            if end < 0:
                return None
            literal, taken = written[at + 1 : end], end + 1 - at
            if started:
                model.after += literal
            else:
                model.before += literal
        elif rest.startswith("FM") and not started:
            model.compact, taken = True, 2
        elif rest.startswith("MI") or rest[0] == "S":
            if model.sign or (not started and model.dollar and rest[0] == "S"):
                return None
            model.sign = "MI" if rest[0] == "M" else "S"
            model.sign_leads, taken = not started, len(model.sign)
        elif model.sign and not model.sign_leads and rest[0] not in _KEPT:
            return None
        elif rest[0] == "$" and not started:
            model.dollar = True
        elif rest[0] == "B" and not started:
            model.blank_zero = True
        elif rest[0] in ".D" and not model.point and not model.after:
            model.point = True
        elif rest[0] in "09" and not model.after:
            if model.point:
                model.fraction += rest[0]
            else:
                model.whole += rest[0]
        elif rest[0] == "X" and not model.point and not model.after:
            model.whole += written[at]
        elif rest[0] in ",G" and model.whole and not model.point and not model.after:
            model.whole += ","
        elif rest[0] in _KEPT:
            if started:
                model.after += rest[0]
            else:
                model.before += rest[0]
        else:
            return None
        at += taken
    mixed = model.hexadecimal and (model.point or "9" in model.whole or "," in model.whole)
    return None if mixed or not (model.whole or model.fraction) else model


def _joined(*parts: exp.Expr) -> exp.Expr:
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made)


def printed(value: exp.Expr, source: exp.Expr) -> exp.Expr | None:
    """TO_CHAR of a number by a literal model; None where the model is not a number's."""
    written = source.name
    upper = written.upper()
    quoted = [part for i, part in enumerate(upper.split('"')) if i % 2 == 0]
    minimal = "".join(quoted).strip()
    if minimal in ("TM9", "TME", "TM"):
        if minimal == "TM":
            raise unsupported("format element TM", source, "Use TM9 or TME.")
        pieces = written.split('"')
        before = pieces[1] if len(pieces) > 3 else ""
        after = pieces[-2] if len(pieces) > 1 else ""
        macro = "positional_" if minimal == "TM9" else "scientific_"
        return _joined(text(before), sf(macro, value), text(after))
    model = parsed(written)
    if model is None:
        return None
    made = _hexadecimal(value, model) if model.hexadecimal else _fixed(value, model)
    return _joined(text(model.before), made, text(model.after))


def _hexadecimal(value: exp.Expr, model: Model) -> exp.Expr:
    fill = "0" if model.zeros else ("" if model.compact else " ")
    macro = "signed_hex_" if model.sign else "unsigned_hex_"
    made = sf(macro, value, number(model.digits), text(fill))
    lower = any(mark == "x" for mark in model.whole)
    return duck("lower", made) if lower else made


def _fixed(value: exp.Expr, model: Model) -> exp.Expr:
    """sign, $ and digits, blanks in front; then the fraction; each by a macro."""
    rounded = exp.Cast(this=value, to=data_type(_D.DECIMAL, 38, len(model.fraction)))
    rounded.meta["plain"] = True
    marks = model.whole.replace(",", "")
    whole = sf(
        "whole_digits_of_",
        rounded,
        number(len(marks)),
        number(model.zeros),
        number(int(model.blank_zero)),
    )
    if "," in model.whole:
        whole = _grouped(whole, model.whole)
    kept = model.fraction.rfind("0") + 1
    fraction: exp.Expr = text("")
    if model.point:
        fraction = sf(
            "fraction_of_", rounded.copy(), number(len(marks)), number(len(model.fraction)),
            number(kept),
        )  # fmt: skip
    signs = {
        "": ("-", ""),
        "S": ("-", "+"),
        "MI": ("-", "" if model.compact else " "),
    }
    minus, plus = signs[model.sign]
    sign = sf("sign_of_", rounded.copy(), text(minus), text(plus))
    dollar = text("$" if model.dollar else "")
    width = len(model.whole) + int(model.dollar)
    if model.sign and not model.sign_leads:
        head = _padded(_joined(dollar, duck("ltrim", whole)), width, model)
        return _compacted(_joined(head, fraction, sign), model)
    if model.sign == "MI":
        head = _padded(_joined(dollar, duck("ltrim", whole)), width, model)
        return _compacted(_joined(sign, head, fraction), model)
    head = _padded(_joined(sign, dollar, duck("ltrim", whole)), width + 1, model)
    return _compacted(_joined(head, fraction), model)


def _padded(value: exp.Expr, width: int, model: Model) -> exp.Expr:
    return value if model.compact else duck("lpad", value, number(width), text(" "))


def _compacted(value: exp.Expr, model: Model) -> exp.Expr:
    return duck("replace", value, text(" "), text("")) if model.compact else value


def _grouped(whole: exp.Expr, marks: str) -> exp.Expr:
    """Commas where the model has them, between digits that are shown."""
    parts: list[exp.Expr] = []
    at = 1
    for group in marks.split(","):
        if parts:
            parts.append(
                sf("comma_after_", duck("substr", whole.copy(), number(at - 1), number(1)))
            )
        parts.append(duck("substr", whole.copy(), number(at), number(len(group))))
        at += len(group)
    return _joined(*parts)


def pattern_of(written: str) -> tuple[str, int, int] | None:
    """(regular expression, least, most digits before the point) of a model for reading."""
    model = parsed(written)
    if model is None or model.hexadecimal or model.before or model.after:
        return None
    groups = [len(group) for group in model.whole.split(",")]
    whole = f"[0-9]{{0,{groups[-1]}}}"
    for index in range(len(groups) - 2, -1, -1):
        rest = ",?".join(f"[0-9]{{{group}}}" for group in groups[index + 1 :])
        whole = f"(?:[0-9]{{1,{groups[index]}}},?{rest}|{whole})"
    least = model.fraction.rfind("0") + 1
    fraction = f"(?:\\.[0-9]{{{least},{len(model.fraction)}}})" if model.point else ""
    if fraction and not least:
        fraction += "?"
    currency = "\\$" if model.dollar else ""
    leading, trailing = "[+-]?\\s*", ""
    if model.sign:
        mark = "[+-]" if model.sign == "S" else "[+-]?"
        leading, trailing = (f"{mark}\\s*", "") if model.sign_leads else ("", f"\\s*{mark}")
    return f"\\s*{leading}{currency}{whole}{fraction}{trailing}\\s*", model.zeros, model.digits


def read(value: exp.Expr, source: exp.Expr, *, safe: bool) -> exp.Expr:
    """The digits of a text that follows a literal model, or one of several with | between.

    NULL for another text if `safe`, else an error.
    """
    value = scalar_text(value)
    found: list[exp.Expr] = []
    for written in source.name.split("|"):
        upper = written.strip().upper()
        if upper and set(upper) == {"X"}:
            found.append(sf("hexadecimal_", value.copy(), number(len(upper))))
        elif upper in ("TM9", "AUTO"):
            found.append(sf("plain_digits_", value.copy()))
        else:
            pattern = pattern_of(written.strip())
            if pattern is None:
                raise unsupported(f"the number format '{written}'", source)
            shape, least, most = pattern
            found.append(sf("digits_", value.copy(), text(shape), number(least), number(most)))
    digits = duck("coalesce", *found) if len(found) > 1 else found[0]
    return digits if safe else sf("must_be_number_", digits, value.copy())


def decimal(value: exp.Expr, precision: int, scale: int, *, safe: bool) -> exp.Expr:
    """The number of a text of digits."""
    if safe:
        return exp.TryCast(this=value, to=data_type(_D.DECIMAL, precision, scale))
    return cast(value, _D.DECIMAL, precision, scale)
