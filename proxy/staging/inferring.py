"""INFER_SCHEMA and CREATE TABLE ... USING TEMPLATE: a table's columns from the files it will hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql.snowflake import stage_actions as act

if TYPE_CHECKING:
    from proxy.compound import Answer
    from proxy.staging.statements import Stages


async def infer(stages: Stages, action: act.InferSchema) -> Answer:
    raise SqlError("0A000", "INFER_SCHEMA is not supported")


async def template(stages: Stages, action: act.Template) -> Answer:
    raise SqlError("0A000", "USING TEMPLATE is not supported")
