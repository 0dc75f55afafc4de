"""Those of dbt's own functional tests for adapters that ask the most of a server, as they are."""

from __future__ import annotations

from typing import Any

from dbt.tests.adapter.basic.test_docs_generate import BaseDocsGenReferences
from dbt.tests.adapter.concurrency.test_concurrency import BaseConcurrency
from dbt.tests.adapter.constraints.test_constraints import (
    BaseIncrementalConstraintsRollback,
    BaseModelConstraintsRuntimeEnforcement,
)
from dbt.tests.adapter.empty.test_empty import MetadataWithEmptyFlag
from dbt.tests.adapter.grants.test_model_grants import BaseModelGrants
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import (
    BaseIncrementalOnSchemaChange,
)
from dbt.tests.adapter.materialized_view.basic import MaterializedViewBasic
from dbt.tests.adapter.persist_docs.test_persist_docs import BasePersistDocs
from dbt.tests.adapter.relations.test_changing_relation_type import BaseChangeRelationTypeValidator
from dbt.tests.adapter.simple_snapshot.test_snapshot import BaseSnapshotCheck
from dbt.tests.adapter.store_test_failures_tests.test_store_test_failures import (
    BaseStoreTestFailures,
)
from dbt.tests.adapter.utils.test_last_day import BaseLastDay


class TestReferences(BaseDocsGenReferences):
    pass


class TestConcurrency(BaseConcurrency):
    pass


class TestRollback(BaseIncrementalConstraintsRollback):
    pass


class TestKeys(BaseModelConstraintsRuntimeEnforcement):
    pass


class TestMetadata(MetadataWithEmptyFlag):
    pass


class TestGrants(BaseModelGrants):
    pass


class TestSchemaChange(BaseIncrementalOnSchemaChange):
    pass


class TestMaterializedViews(MaterializedViewBasic):
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


class TestPersistDocs(BasePersistDocs):
    pass


class TestRelationTypes(BaseChangeRelationTypeValidator):
    pass


class TestSnapshots(BaseSnapshotCheck):
    pass


class TestStoredFailures(BaseStoreTestFailures):
    pass


class TestLastDay(BaseLastDay):
    pass
