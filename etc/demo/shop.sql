-- The demo's source: 20,000 customers, 120,000 orders, 100,000 events.
PRAGMA journal_mode = WAL;
BEGIN;

CREATE TABLE customers (
  id integer PRIMARY KEY,
  name varchar(40) NOT NULL,
  city varchar(40),
  balance decimal(12,2) NOT NULL,
  note text,
  created_at datetime NOT NULL
);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO customers
SELECT i,
  'Customer ' || i,
  CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'Zürich' WHEN 2 THEN '上海' WHEN 3 THEN 'São Paulo' ELSE 'Osaka' END,
  printf('%d.%02d', (i * 7919) % 100000, i % 100),
  CASE WHEN i % 3 = 0 THEN 'says "hi" 👋,' || char(10) || 'it''s line two' END,
  datetime('2020-01-01', i || ' minutes')
FROM n;

CREATE TABLE orders (
  order_no varchar(20) PRIMARY KEY,
  customer_id integer NOT NULL,
  amount decimal(10,2) NOT NULL,
  weight double,
  paid boolean NOT NULL,
  ordered_at datetime NOT NULL
);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO orders
SELECT printf('NO-%08d', i * 37),
  1 + (i * 31) % 20000,
  printf('%d.%02d', (i * 104729) % 10000, i % 100),
  CASE WHEN i % 10 > 0 THEN i / 7.0 END,
  i % 4 > 0,
  datetime('2022-01-01', (i * 5) || ' minutes')
FROM n;

CREATE TABLE events (
  customer_id integer NOT NULL,
  seq integer NOT NULL,
  kind varchar(20) NOT NULL,
  happened_at datetime(6) NOT NULL,
  payload blob,
  PRIMARY KEY (customer_id, seq)
);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
INSERT INTO events
SELECT 1 + i / 50,
  i % 50,
  CASE i % 3 WHEN 0 THEN 'view' WHEN 1 THEN 'click' ELSE 'buy' END,
  strftime('%Y-%m-%d %H:%M:%S', '2023-01-01', (i * 3) || ' seconds') || printf('.%06d', (i * 7919) % 1000000),
  CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN x'00ff00' ELSE randomblob(24) END
FROM n;

COMMIT;
