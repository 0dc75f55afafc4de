-- What the recorded statements are asked about, the same on both servers.
CREATE SCHEMA tool;
CREATE TABLE tool.customers (
    id SERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, code VARCHAR(3), since DATE DEFAULT '2026-01-01'
);
CREATE TABLE tool.orders (
    id BIGINT PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES tool.customers (id),
    total NUMERIC(12,2) DEFAULT 0,
    note VARCHAR(20) DEFAULT 'none',
    paid BOOLEAN NOT NULL DEFAULT false,
    placed TIMESTAMPTZ DEFAULT now()
);
CREATE TABLE tool.lines (
    order_id BIGINT REFERENCES tool.orders (id),
    n INTEGER,
    price DOUBLE PRECISION CHECK (price >= 0),
    PRIMARY KEY (order_id, n)
);
CREATE TABLE tool.kinds (
    a SMALLINT, b INTEGER, c BIGINT, d REAL, e DOUBLE PRECISION, f NUMERIC(20,10), g NUMERIC(10), h TEXT,
    i VARCHAR(7), j DATE, k TIME, l TIMESTAMP, m TIMESTAMPTZ, n INTERVAL, o BOOLEAN, p BYTEA, q UUID,
    r JSON, s INTEGER[], t TEXT[], u BIGINT
);
CREATE TYPE tool.state AS ENUM ('new', 'done');
CREATE TABLE tool.states (id INTEGER PRIMARY KEY, state tool.state NOT NULL DEFAULT 'new', past tool.state[]);
CREATE VIEW tool.open AS SELECT id, state, past FROM tool.states WHERE state < 'done';
ALTER TYPE tool.state ADD VALUE 'begun' BEFORE 'done';
ALTER TYPE tool.state RENAME VALUE 'done' TO 'ended';
INSERT INTO tool.states VALUES (1, 'begun', '{new,begun}'), (2, 'ended', NULL);
CREATE INDEX orders_by_note ON tool.orders (note, paid);
CREATE UNIQUE INDEX customers_by_code ON tool.customers (code);
CREATE SEQUENCE tool.numbers;
CREATE VIEW tool.dear AS SELECT id, total FROM tool.orders WHERE total > 100;
COMMENT ON SCHEMA tool IS 'of the tools';
COMMENT ON TABLE tool.orders IS 'what was ordered';
COMMENT ON COLUMN tool.orders.total IS 'in euros';
COMMENT ON VIEW tool.dear IS 'above a hundred';
INSERT INTO tool.customers (name, code) VALUES ('Ada', 'ada'), ('Bob', 'bob');
INSERT INTO tool.orders (id, customer_id, total, placed) VALUES (1, 1, 12.50, '2024-05-06 07:08:09+00'), (2, 1, 250, '2024-05-06 07:08:09+00'), (3, 2, 99.99, '2024-05-06 07:08:09+00');
INSERT INTO tool.lines VALUES (1, 1, 12.5), (2, 1, 125), (2, 2, 125)
