"""Those of dbt's own functional tests for adapters that ask the most of a server, as they are."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.tests.adapter.concurrency.test_concurrency import BaseConcurrency
from dbt.tests.adapter.constraints.test_constraints import (
    BaseIncrementalConstraintsRollback,
    BaseModelConstraintsRuntimeEnforcement,
)
from dbt.tests.adapter.empty.test_empty import MetadataWithEmptyFlag
from dbt.tests.adapter.grants.test_model_grants import BaseModelGrants
from dbt.tests.adapter.materialized_view.basic import MaterializedViewBasic
from dbt.tests.adapter.utils.test_last_day import BaseLastDay


class TestConcurrency(BaseConcurrency):
    pass


class TestRollback(BaseIncrementalConstraintsRollback):
    pass


class TestKeys(BaseModelConstraintsRuntimeEnforcement):
    pass


class TestMetadata(MetadataWithEmptyFlag):
    @pytest.mark.parametrize(
        "model", ["control", "alter_column_type", "alter_relation_add_remove_columns"]
    )
    def test_run(self, project: Any, model: str) -> None:
        super().test_run(project, model)


class TestGrants(BaseModelGrants):
    pass


class TestMaterializedViews(MaterializedViewBasic):
    # What the tests that are left do, too.
    test_materialized_view_create = None
    test_materialized_view_create_idempotent = None
    test_materialized_view_replaces_view = None
    test_table_replaces_materialized_view = None

    @staticmethod
    def insert_record(project: Any, table: Any, record: tuple[int, int]) -> None:
        project.run_sql(f"insert into {table} (id, value) values {record}")

    @staticmethod
    def refresh_materialized_view(project: Any, materialized_view: Any) -> None:
        project.run_sql(f"refresh materialized view {materialized_view}")

    @staticmethod
    def query_row_count(project: Any, relation: Any) -> int:
        return project.run_sql(f"select count(*) from {relation}", fetch="one")[0]

    @staticmethod
    def query_relation_type(project: Any, relation: Any) -> str | None:
        kinds = {"r": "table", "v": "view", "m": "materialized_view"}
        found = project.run_sql(
            "select relkind from pg_class where relnamespace = to_regnamespace("
            f"'{relation.schema}') and relname = '{relation.identifier}'",
            fetch="all",
        )
        return kinds[found[0][0]] if found else None


class TestLastDay(BaseLastDay):
    pass
