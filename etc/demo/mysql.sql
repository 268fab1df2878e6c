-- In MariaDB or MySQL: the demo's own database, 20,000 customers and 120,000 orders.
DROP DATABASE IF EXISTS goshift_demo;
CREATE DATABASE goshift_demo CHARACTER SET utf8mb4;
USE goshift_demo;

-- Numbers from 0 to 999,999, in a form that both servers know.
CREATE TABLE digit (d int NOT NULL PRIMARY KEY);
INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE VIEW number AS
SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS i
FROM digit a, digit b, digit c, digit e, digit f, digit g;

CREATE TABLE customers (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(40) NOT NULL,
  city varchar(40),
  balance decimal(12,2) NOT NULL,
  note text,
  created_at datetime NOT NULL
);
INSERT INTO customers
SELECT i + 1,
  CONCAT('Customer ', i + 1),
  ELT(1 + i % 5, NULL, 'Zürich', '上海', 'São Paulo', 'Osaka'),
  (i * 7919) % 10000000 / 100,
  IF(i % 3 = 0, CONCAT('says "hi" 👋,', CHAR(10), 'it''s line two'), NULL),
  '2020-01-01' + INTERVAL i MINUTE
FROM number WHERE i < 20000;

CREATE TABLE orders (
  order_no varchar(20) NOT NULL PRIMARY KEY,
  customer_id bigint unsigned NOT NULL,
  amount decimal(10,2) NOT NULL,
  weight double,
  paid tinyint(1) NOT NULL,
  ordered_at datetime(6) NOT NULL
);
INSERT INTO orders
SELECT CONCAT('NO-', LPAD(i * 37, 8, '0')),
  1 + (i * 31) % 20000,
  (i * 104729) % 1000000 / 100,
  IF(i % 10 > 0, i / 7e0, NULL),
  i % 4 > 0,
  '2022-01-01' + INTERVAL i * 300000007 MICROSECOND
FROM number WHERE i < 120000;
