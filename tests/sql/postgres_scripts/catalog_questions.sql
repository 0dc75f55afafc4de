-- names longer than 63 bytes are cut
CREATE TABLE abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_1234567890_orders (id int);
INSERT INTO abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_1234567890_other VALUES (1);
SELECT * FROM abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789;
SELECT 1 AS "Abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_12345678éé";
CREATE TABLE "éééééééééééééééééééééééééééééééééééééééé" (a int);
SELECT relname, octet_length(relname::text) FROM pg_class WHERE relnamespace = 'scripted'::regnamespace ORDER BY 1;
DROP TABLE abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_1234567890_orders;
-- what Postgres keeps for itself
CREATE TABLE t (ctid int);
CREATE TABLE t (a int);
ALTER TABLE t ADD COLUMN xmin int;
CREATE SCHEMA pg_mine;
CREATE VIEW v AS SELECT a, a FROM t;
CREATE VIEW v (x, y) AS SELECT a, a FROM t;
CREATE TABLE made AS SELECT 1 AS one, 2 AS one;
SELECT column_name FROM information_schema.columns WHERE table_schema = 'scripted' ORDER BY table_name, ordinal_position;
-- a search_path is shown as it may be set
SET search_path = "$user", scripted, "Odd, one";
SHOW search_path;
SET search_path TO 'scripted';
SHOW search_path;
SET search_path = '';
SHOW search_path;
SET search_path = scripted;
CREATE SCHEMA "Odd, one";
SET search_path = "Odd, one", scripted;
CREATE TABLE here (id serial, n int);
INSERT INTO here (n) VALUES (7) RETURNING id;
SELECT current_schemas(false)::text, relnamespace::regnamespace FROM pg_class WHERE relname = 'here';
SET search_path = scripted;
SELECT * FROM "Odd, one".here;
DROP SCHEMA "Odd, one" CASCADE;
-- comments in any string
CREATE TABLE t (a int);
CREATE TYPE mood AS ENUM ('sad', 'glad');
COMMENT ON TABLE t IS E'two\nlines, a \\ and it''s';
COMMENT ON COLUMN t.a IS E'a\ttab';
COMMENT ON TYPE mood IS 'how one feels';
SELECT obj_description('t'::regclass), col_description('t'::regclass, 1), obj_description('mood'::regtype);
COMMENT ON TYPE mood IS NULL;
COMMENT ON TABLE t IS NULL;
SELECT obj_description('t'::regclass), obj_description('mood'::regtype);
-- documents and users as defaults
CREATE TABLE t (a text DEFAULT current_user, b json DEFAULT '[]'::json, c jsonb DEFAULT '{}'::jsonb, d json DEFAULT '{"a": "it''s"}');
ALTER TABLE t ALTER c SET DEFAULT '[1]'::jsonb;
ALTER TABLE t ADD COLUMN e jsonb DEFAULT '{"k": 1}'::jsonb NOT NULL;
ALTER TABLE t ADD COLUMN f json DEFAULT '{}'::json;
SELECT column_name, column_default FROM information_schema.columns WHERE table_schema = 'scripted' AND table_name = 't' ORDER BY ordinal_position;
INSERT INTO t DEFAULT VALUES RETURNING b, c, d, e, f;
-- VALUES of views and tables
CREATE VIEW v AS VALUES (1, 'a'), (2, 'b');
CREATE TABLE t AS VALUES (1, 'a');
CREATE VIEW w AS VALUES (1) UNION ALL SELECT 2;
SELECT column2 FROM v ORDER BY column1;
SELECT column1 + 1 AS more FROM t;
SELECT column1 FROM w ORDER BY 1;
-- views over what the search_path finds elsewhere
CREATE SCHEMA elsewhere;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE base (id int PRIMARY KEY, m mood);
CREATE VIEW near AS SELECT id FROM base;
CREATE VIEW elsewhere.far AS SELECT near.id, b.m FROM near JOIN base b ON b.id = near.id;
CREATE VIEW elsewhere.typed AS SELECT id FROM base WHERE m = 'sad'::mood;
SELECT view_name, table_schema, table_name FROM information_schema.view_table_usage WHERE view_schema = 'elsewhere' ORDER BY 1, 3;
SELECT pg_get_viewdef('elsewhere.far'::regclass);
ALTER TABLE base RENAME TO base2;
ALTER VIEW near RENAME COLUMN id TO number;
SELECT view_name, table_schema, table_name FROM information_schema.view_table_usage WHERE view_schema = 'elsewhere' ORDER BY 1, 3;
SELECT id FROM elsewhere.far;
DROP VIEW elsewhere.far;
DROP SCHEMA elsewhere CASCADE;
-- indexes named after their functions
CREATE TABLE t (name varchar(10), id int, at timestamp);
CREATE INDEX ON t (lower(name), id);
CREATE INDEX ON t USING btree (upper((name)::text));
CREATE INDEX ON t ((id + 1));
CREATE INDEX ON t ((coalesce(name, '')));
SELECT relname FROM pg_class WHERE relnamespace = 'scripted'::regnamespace AND relkind = 'i' ORDER BY 1;
SELECT pg_get_indexdef('t_upper_idx'::regclass);
-- names that are taken
CREATE SEQUENCE taken;
CREATE SEQUENCE taken;
CREATE TABLE one (a int);
CREATE TABLE two (a int);
ALTER TABLE one RENAME TO two;
