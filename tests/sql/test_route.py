"""Which engine answers, and what no client may reach."""

from __future__ import annotations

import pytest

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, Statement, plan_message


def plan(text: str, dialect: str = "snowflake", transpile: bool = True) -> Statement:
    (statement,) = plan_message(text, Dialect(dialect, transpile))
    return statement


POSTGRES = [
    "select * from hd_runtime.tasks",
    'select * from "hd_runtime"."tasks" t where t.id = 1',
    "select * from HD_RUNTIME.TASKS",
    "select t.id from hd_runtime.tasks t join hd_runtime.task_attempts a on a.task_id = t.id",
    "select * from claim_next_task('agent-1')",
    "select * from hd_runtime.claim_next_task('agent-1', array['a'])",
    "select heartbeat($1, $2)",
    "select explain('a')",
    "insert into hd_runtime.tasks values (1)",
    "update hd_runtime.tasks set priority = 1",
    "create table hd_runtime.x (a int)",
    "drop table hd_runtime.tasks",
    "truncate hd_runtime.tasks",
    "select * from pg_catalog.pg_class",
    "select * from pg_class c, pg_namespace n where n.oid = c.relnamespace",
    "select * from information_schema.tables where table_name = 'T'",
    "with t as (select * from pg_class) select * from t",
    "select version()",
    "select pg_backend_pid()",
    "select pg_catalog.set_config('search_path', '', false)",
    "select current_setting('server_version_num')",
    "select has_table_privilege('t', 'select')",
    "select 'orders'::regclass",
    "select 'orders'::pg_catalog.regclass::pg_catalog.oid",
    "select 'orders'::regclass::oid",
    "select to_regclass('orders')",
    "SELECT n.nspname FROM pg_catalog.pg_namespace n"
    " WHERE n.nspname !~ '^pg_' AND n.nspname OPERATOR(pg_catalog.~) '^(a)$'"
    " COLLATE pg_catalog.default ORDER BY 1",
    "with recursive tree (o) as (select t.oid from pg_type t where t.oid = any($1::oid[])"
    " union all select p.typelem from pg_type p, tree where tree.o = p.oid) select * from tree",
    "listen x",
    "notify x, 'y'",
    "create role r login",
    "grant select on hd_runtime.tasks to r",
    "grant select on orders to r",
    "revoke all on all tables in schema main from r",
    "alter table orders owner to r",
    "grant a to b",
    "comment on table hd_runtime.tasks is 'x'",
    "copy hd_runtime.tasks to stdout",
    "copy (select * from hd_runtime.tasks) to stdout",
    "explain select * from hd_runtime.tasks",
    "create trigger t before insert on hd_runtime.tasks for each row execute function hd_runtime.f()",
    "call hd_runtime.p()",
    "vacuum hd_runtime.tasks",
]


@pytest.mark.parametrize("text", POSTGRES)
@pytest.mark.parametrize("dialect", ["snowflake", "postgres"])
def test_the_control_plane_is_postgres_and_its_text_goes_over_unchanged(
    text: str, dialect: str
) -> None:
    statement = plan(text, dialect)
    assert (statement.route, statement.text, statement.sql) == ("postgres", text, "")
    assert statement.refused is None


def test_comments_of_schemas_are_kept_where_the_dialect_shows_them() -> None:
    text = "comment on schema s is 'x'"
    assert plan(text, "postgres").route == "postgres"
    assert plan(text, "snowflake").route == "duckdb"


DUCKDB = [
    "select 1",
    "select now(), current_timestamp, current_date",
    "select * from orders",
    "select * from s.orders",
    "select * from pg_orders",
    "with pg_class as (select 1 as a) select a from pg_class",
    "with c as (select 1 as a) select * from (select * from c) d",
    "select hd_runtime.a from t as hd_runtime",
    "select 'hd_runtime.tasks' as claim_next_task",
    "select * from duckdb_tables()",
    "select * from range(3)",
    "select * from (values (1)) v",
    "insert into t select 1",
    "vacuum",
    "analyze t",
    "checkpoint",
    "call dbgen(sf=0.01)",
]


@pytest.mark.parametrize("text", DUCKDB)
def test_everything_else_is_duckdb(text: str) -> None:
    statement = plan(text)
    assert statement.route == "duckdb"
    assert statement.refused is None
    assert statement.sql


FEDERATED = [
    "select * from orders o join hd_runtime.tasks t on t.id = o.task_id",
    "select * from orders where id in (select id from hd_runtime.tasks)",
    "insert into orders select * from hd_runtime.tasks",
    "create table t as select * from hd_runtime.tasks",
    "create view v as select * from hd_runtime.tasks",
    "update orders set a = t.id from hd_runtime.tasks t",
    "delete from orders where id in (select id from hd_runtime.tasks)",
    "merge into orders o using hd_runtime.tasks t on t.id = o.id when matched then delete",
    "explain select * from orders, hd_runtime.tasks",
    "select * from orders, pg_class",
    "select * from orders, pg_catalog.pg_class",
]


@pytest.mark.parametrize("text", FEDERATED)
@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb"])
def test_a_statement_that_reads_both_sides_is_federated(text: str, dialect: str) -> None:
    statement = plan(text, dialect)
    assert statement.route == "federated"
    assert statement.refused is None
    (relation,) = statement.federated
    assert f'temp.main."postgres:{".".join(relation)}"' in statement.sql


@pytest.mark.parametrize(
    "text",
    [
        "select claim_next_task(a) from orders",
        "insert into hd_runtime.tasks select * from orders",
        "update hd_runtime.tasks set a = 1 from orders",
        "create table hd_runtime.t as select * from orders",
        "select has_table_privilege(a, 'select') from orders",
        "select a from orders where a = current_setting($1)",
        "select a from orders, explain('x')",
        "create view v as select hd_runtime.default_project() from orders",
        "select a::regclass from orders",
        "create materialized view v as select * from orders, hd_runtime.tasks",
    ],
)
def test_what_is_more_than_reading_both_sides_is_refused(text: str) -> None:
    statement = plan(text)
    assert statement.route == "federated"
    assert statement.refused is not None
    assert statement.refused.sqlstate == "0A000"


def test_a_federated_refusal_says_what_is_mixed() -> None:
    refused = plan("select claim_next_task(a) from orders").refused
    assert refused is not None
    assert "claim_next_task" in refused.message
    assert "orders" in refused.message


GUARDED = [
    "select * from read_csv('/etc/passwd')",
    "select * from read_parquet(['a', 'b'])",
    "select * from glob('*')",
    "select content from read_text('/etc/passwd')",
    "select * from '/etc/passwd.csv'",
    'select * from "/etc/passwd.csv"',
    'select * from "data.parquet"',
    "select * from t where a in (select content from read_blob('x'))",
    "create view v as select * from read_csv('x')",
    "create table t as from read_csv('x')",
    "select getenv('HOME')",
    "select * from query('select 1')",
    "select * from query_table('t')",
    "select * from pragma_table_info('t')",
    "select count(*) from pragma_storage_info('t')",
    "create view v as select * from duckdb_table_sample('t')",
    "select * from json_execute_serialized_sql('{}')",
    "select * from sqlite_scan('a', 'b')",
    "select * from postgres_query('a', 'b')",
    "create or replace macro _sf.main.div_(a, b) as 42",
    "create table _sf.main.t (a int)",
    "create schema _sf.s",
    "drop schema _sf.main cascade",
    "attach 'x.db' as x",
    "detach x",
    "install httpfs",
    "force install httpfs",
    "load httpfs",
    "pragma database_list",
    "export database 'x'",
    "import database 'x'",
    "create secret s (type s3)",
    "create or replace persistent secret s (type s3)",
    "drop secret s",
    "copy t to '/tmp/x'",
    "copy t from '/tmp/x'",
    "copy t from program 'id'",
    "copy (select 1) to '/tmp/x'",
]


@pytest.mark.parametrize("text", GUARDED)
@pytest.mark.parametrize(
    ("dialect", "transpile"),
    [("snowflake", True), ("postgres", True), ("duckdb", True), ("snowflake", False)],
)
def test_files_extensions_secrets_and_hidden_sql_are_refused_in_every_dialect(
    text: str, dialect: str, transpile: bool
) -> None:
    try:
        refused = plan(text, dialect, transpile).refused
    except Exception as error:  # a dialect may not even know the words
        refused = error
    assert getattr(refused, "sqlstate", None) in ("42501", "0A000", "42601")


@pytest.mark.parametrize(
    "text",
    [
        "lock table orders",
        "do $$ begin if true then delete from t; end if; end $$",
        "create extension x",
        "show shares",
        "select * from @stage",
        "create view v as select $1 from @stage",
        "create function f(x int) returns int language javascript as 'x'",
        "create stage s url = 's3://bucket/'",
        "select :name",
    ],
)
def test_what_has_no_faithful_form_is_refused_by_name(text: str) -> None:
    refused = plan(text).refused
    assert refused is not None
    assert refused.sqlstate == "0A000"


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb"])
def test_a_number_of_a_parameter_is_whole(dialect: str) -> None:
    with pytest.raises(SqlError, match=r'after parameter at or near "\$1e5"') as caught:
        plan("select $1e5", dialect)
    assert (caught.value.sqlstate, caught.value.position) == ("42601", 8)


def test_the_public_schema_is_main() -> None:
    assert plan("select * from public.t").sql == "SELECT * FROM main.t"
    assert plan("select * from public.t", "duckdb").sql == "SELECT * FROM main.t"
    assert plan("select * from other.t", "duckdb").sql == "select * from other.t"


def test_duckdb_dialect_and_transpile_off_send_the_text_as_it_is() -> None:
    text = "select  7/2 , list_sum([1,2])"
    assert plan(text, "duckdb").sql == text
    assert plan(text, "snowflake", transpile=False).sql == text
