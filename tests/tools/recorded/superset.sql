-- Apache Superset 6.1: its engine specification and its model of a database, on SQLAlchemy 1.4, driven
-- once against a real Postgres with these tables, whose log this is.

--: pg_type 1
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore'

--: statement 2
select pg_catalog.version()

--: statement 3
select current_schema()

--: transaction 4
show transaction isolation level

--: standard_conforming_strings 5 | varying: standard_conforming_strings
show standard_conforming_strings

--: pg_namespace 6 | more
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname

--: pg_database 7 | more
SELECT datname FROM pg_database
WHERE datistemplate = false

--: pg_class 8
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tool' AND c.relkind in ('r', 'p')

--: pg_class 9
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tool' AND c.relkind = 'f'

--: pg_class 10
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tool' AND c.relkind IN ('v', 'm')

--: pg_class 11
SELECT c.oid
            FROM pg_catalog.pg_class c
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE (n.nspname = 'tool')
            AND c.relname = 'orders' AND c.relkind in
            ('r', 'v', 'm', 'f', 'p')

--: pg_attrdef 12
SELECT a.attname,
              pg_catalog.format_type(a.atttypid, a.atttypmod),
              (
                SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)
                FROM pg_catalog.pg_attrdef d
                WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
                AND a.atthasdef
              ) AS DEFAULT,
              a.attnotnull,
              a.attrelid as table_oid,
              pgd.description as comment,
              a.attgenerated as generated,
                              (SELECT json_build_object(
                    'always', a.attidentity = 'a',
                    'start', s.seqstart,
                    'increment', s.seqincrement,
                    'minvalue', s.seqmin,
                    'maxvalue', s.seqmax,
                    'cache', s.seqcache,
                    'cycle', s.seqcycle)
                FROM pg_catalog.pg_sequence s
                JOIN pg_catalog.pg_class c on s.seqrelid = c."oid"
                WHERE c.relkind = 'S'
                AND a.attidentity != ''
                AND s.seqrelid = pg_catalog.pg_get_serial_sequence(
                    a.attrelid::regclass::text, a.attname
                )::regclass::oid
                ) as identity_options
            FROM pg_catalog.pg_attribute a
            LEFT JOIN pg_catalog.pg_description pgd ON (
                pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum)
            WHERE a.attrelid = {orders:oid}
            AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum

--: pg_type 13
SELECT t.typname as "name",
               pg_catalog.format_type(t.typbasetype, t.typtypmod) as "attype",
               not t.typnotnull as "nullable",
               t.typdefault as "default",
               pg_catalog.pg_type_is_visible(t.oid) as "visible",
               n.nspname as "schema"
            FROM pg_catalog.pg_type t
               LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE t.typtype = 'd'

--: pg_type 14
SELECT t.typname as "name",
               -- no enum defaults in 8.4 at least
               -- t.typdefault as "default",
               pg_catalog.pg_type_is_visible(t.oid) as "visible",
               n.nspname as "schema",
               e.enumlabel as "label"
            FROM pg_catalog.pg_type t
                 LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                 LEFT JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid
            WHERE t.typtype = 'e'
        ORDER BY "schema", "name", e.oid

--: pg_class 15
SELECT c.oid
            FROM pg_catalog.pg_class c
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE (n.nspname = 'tool')
            AND c.relname = 'kinds' AND c.relkind in
            ('r', 'v', 'm', 'f', 'p')

--: pg_attrdef 16
SELECT a.attname,
              pg_catalog.format_type(a.atttypid, a.atttypmod),
              (
                SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)
                FROM pg_catalog.pg_attrdef d
                WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
                AND a.atthasdef
              ) AS DEFAULT,
              a.attnotnull,
              a.attrelid as table_oid,
              pgd.description as comment,
              a.attgenerated as generated,
                              (SELECT json_build_object(
                    'always', a.attidentity = 'a',
                    'start', s.seqstart,
                    'increment', s.seqincrement,
                    'minvalue', s.seqmin,
                    'maxvalue', s.seqmax,
                    'cache', s.seqcache,
                    'cycle', s.seqcycle)
                FROM pg_catalog.pg_sequence s
                JOIN pg_catalog.pg_class c on s.seqrelid = c."oid"
                WHERE c.relkind = 'S'
                AND a.attidentity != ''
                AND s.seqrelid = pg_catalog.pg_get_serial_sequence(
                    a.attrelid::regclass::text, a.attname
                )::regclass::oid
                ) as identity_options
            FROM pg_catalog.pg_attribute a
            LEFT JOIN pg_catalog.pg_description pgd ON (
                pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum)
            WHERE a.attrelid = {kinds:oid}
            AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum

--: pg_attribute 17
SELECT a.attname
                FROM pg_attribute a JOIN (
                    SELECT unnest(ix.indkey) attnum,
                           generate_subscripts(ix.indkey, 1) ord
                    FROM pg_index ix
                    WHERE ix.indrelid = {orders:oid} AND ix.indisprimary
                    ) k ON a.attnum=k.attnum
                WHERE a.attrelid = {orders:oid}
                ORDER BY k.ord

--: pg_constraint 18
SELECT conname
           FROM  pg_catalog.pg_constraint r
           WHERE r.conrelid = {orders:oid} AND r.contype = 'p'
           ORDER BY 1

--: pg_constraint 19
SELECT r.conname,
                pg_catalog.pg_get_constraintdef(r.oid, true) as condef,
                n.nspname as conschema
          FROM  pg_catalog.pg_constraint r,
                pg_namespace n,
                pg_class c

          WHERE r.conrelid = {orders:oid} AND
                r.contype = 'f' AND
                c.oid = confrelid AND
                n.oid = c.relnamespace
          ORDER BY 1

--: pg_class 20
SELECT
                  i.relname as relname,
                  ix.indisunique, ix.indexprs,
                  a.attname, a.attnum, c.conrelid, ix.indkey::varchar,
                  ix.indoption::varchar, i.reloptions, am.amname,
                  pg_get_expr(ix.indpred, ix.indrelid),
                  ix.indnkeyatts as indnkeyatts
              FROM
                  pg_class t
                        join pg_index ix on t.oid = ix.indrelid
                        join pg_class i on i.oid = ix.indexrelid
                        left outer join
                            pg_attribute a
                            on t.oid = a.attrelid and a.attnum = ANY(ix.indkey)
                        left outer join
                            pg_constraint c
                            on (ix.indrelid = c.conrelid and
                                ix.indexrelid = c.conindid and
                                c.contype in ('p', 'u', 'x'))
                        left outer join
                            pg_am am
                            on i.relam = am.oid
              WHERE
                  t.relkind IN ('r', 'v', 'f', 'm', 'p')
                  and t.oid = {orders:oid}
                  and ix.indisprimary = 'f'
              ORDER BY
                  t.relname,
                  i.relname

--: pg_description 21
SELECT
                pgd.description as table_comment
            FROM
                pg_catalog.pg_description pgd
            WHERE
                pgd.objsubid = 0 AND
                pgd.objoid = {orders:oid}

--: search_path 22
set search_path = "tool"

--: orders 23 | varying: placed
SELECT
  *
FROM tool.orders
ORDER BY
  id

--: orders 24
SELECT
  DATE_TRUNC('SECOND', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 25
SELECT
  DATE_TRUNC('MINUTE', placed) + INTERVAL '30 SECONDS' * FLOOR(EXTRACT(SECOND FROM placed) / 30) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 26
SELECT
  DATE_TRUNC('QUARTER', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 27
SELECT
  DATE_TRUNC('HOUR', placed) + INTERVAL '10 MINUTES' * FLOOR(EXTRACT(MINUTE FROM placed) / 10) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 28
SELECT
  DATE_TRUNC('HOUR', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 29
SELECT
  DATE_TRUNC('DAY', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 30
SELECT
  DATE_TRUNC('HOUR', placed) + INTERVAL '5 MINUTES' * FLOOR(EXTRACT(MINUTE FROM placed) / 5) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 31
SELECT
  DATE_TRUNC('WEEK', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 32
SELECT
  DATE_TRUNC('MINUTE', placed) + INTERVAL '5 SECONDS' * FLOOR(EXTRACT(SECOND FROM placed) / 5) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 33
SELECT
  DATE_TRUNC('HOUR', placed) + INTERVAL '30 MINUTES' * FLOOR(EXTRACT(MINUTE FROM placed) / 30) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 34 | varying: g
SELECT
  placed AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 35
SELECT
  DATE_TRUNC('MONTH', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 36
SELECT
  DATE_TRUNC('YEAR', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: placed 37
SELECT
  DATE_TRUNC('HOUR', placed) + INTERVAL '15 MINUTES' * FLOOR(EXTRACT(MINUTE FROM placed) / 15) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 38
SELECT
  DATE_TRUNC('MINUTE', placed) AS g,
  COUNT(*)
FROM tool.orders
GROUP BY
  1
LIMIT 1

--: orders 40 | postgres
SELECT
  DATE_TRUNC('MONTH', placed) AS __timestamp,
  note AS note,
  SUM(total) AS s
FROM tool.orders
JOIN (
  SELECT
    note AS note__,
    SUM(total) AS mme_inner__
  FROM tool.orders
  WHERE
    paid IS FALSE
    AND placed >= TO_TIMESTAMP('2020-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
    AND placed < TO_TIMESTAMP('2030-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
  GROUP BY
    note
  ORDER BY
    mme_inner__ DESC
  LIMIT 5
) AS series_limit
  ON note = note__
WHERE
  placed >= TO_TIMESTAMP('2020-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
  AND placed < TO_TIMESTAMP('2030-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
  AND paid IS FALSE
GROUP BY
  note,
  DATE_TRUNC('MONTH', placed)
LIMIT 100
