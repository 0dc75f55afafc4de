"""What statements of Postgres's dialect do with functions, as values for the session.

`proxy.sql.functions.client_functions` reads them, `proxy.functions.client_functions` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.sql.compound import Parameter

Traits = tuple[tuple[str, str | bool], ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """types: those of its parameters, None where only the name is said."""

    name: tuple[str, ...]
    types: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class DefineFunction:
    """CREATE FUNCTION. columns: of RETURNS TABLE; rows: it gives a set; standard: the form of a body
    without quotes, RETURN or ATOMIC; traits: what else is said of it."""

    name: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    returns: str
    columns: tuple[Parameter, ...] | None
    rows: bool
    body: str
    standard: str
    replace: bool
    traits: Traits


@dataclass(frozen=True, slots=True)
class DropClientFunctions:
    functions: tuple[Signature, ...]
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class AlterClientFunction:
    """rename, schema: new, '' for the same. traits: what is said of it now. commented: its comment changes."""

    function: Signature
    rename: str = ""
    schema: str = ""
    traits: Traits = ()
    commented: bool = False
    comment: str | None = None


FunctionAction = DefineFunction | DropClientFunctions | AlterClientFunction
