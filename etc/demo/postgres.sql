-- In PostgreSQL: the demo's own schema, and 100,000 events.
DROP SCHEMA IF EXISTS goshift_demo CASCADE;
CREATE SCHEMA goshift_demo;

CREATE TABLE events (
  customer_id bigint NOT NULL,
  seq integer NOT NULL,
  kind text NOT NULL,
  urgent boolean NOT NULL,
  happened_at timestamptz NOT NULL,
  payload bytea,
  PRIMARY KEY (customer_id, seq)
);
INSERT INTO events
SELECT 1 + i / 50,
  i % 50,
  (ARRAY['view', 'click', 'buy'])[1 + i % 3],
  i % 7 = 0,
  timestamptz '2023-01-01 00:00:00+00' + i * interval '3.000007 seconds',
  CASE WHEN i % 4 > 0 THEN decode(md5(i::text), 'hex') || '\x00ff'::bytea END
FROM generate_series(0, 99999) AS i;
