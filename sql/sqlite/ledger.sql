-- goshift's ledger: runs, shards, transitions, workers. All times are UTC by the database's clock.
-- Safe to repeat.
CREATE TABLE IF NOT EXISTS goshift_run (
  run_id varchar(36) NOT NULL PRIMARY KEY,
  task_id integer NOT NULL,
  mode varchar(20) NOT NULL,
  params text,
  priority integer NOT NULL DEFAULT 1,
  state varchar(20) NOT NULL,
  attempt integer NOT NULL DEFAULT 0,
  rescues integer NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  worker varchar(150),
  lease_until datetime,
  due_at datetime NOT NULL,
  submitted_at datetime NOT NULL,
  published_at datetime,
  started_at datetime,
  finished_at datetime,
  rerun_of varchar(36),
  rerun_by varchar(36),
  dedup_key varchar(190) UNIQUE,
  submitted_by varchar(190),
  -- at most one active and one pending run a task: NULLs don't collide in a unique key
  active_task integer UNIQUE,
  pending_task integer UNIQUE,
  cancel_requested integer NOT NULL DEFAULT 0,
  -- 0: not dead, 1: to be published to the dead queue, 2: published
  dead_letter integer NOT NULL DEFAULT 0,
  -- what the shards were cut for; another plan starts again
  plan_hash varchar(32),
  split_done integer NOT NULL DEFAULT 0,
  shards_total bigint NOT NULL DEFAULT 0,
  shards_done bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  bytes_done bigint NOT NULL DEFAULT 0,
  rows_estimated bigint,
  reason text,
  remedy text
);
CREATE INDEX IF NOT EXISTS goshift_run_due ON goshift_run (state, due_at);
CREATE INDEX IF NOT EXISTS goshift_run_task ON goshift_run (task_id, submitted_at);

CREATE TABLE IF NOT EXISTS goshift_shard (
  run_id varchar(36) NOT NULL,
  shard_no bigint NOT NULL,
  key_range text NOT NULL,
  state varchar(10) NOT NULL,
  epoch bigint,
  rows_done bigint,
  bytes_done bigint,
  finished_at datetime,
  PRIMARY KEY (run_id, shard_no)
);

CREATE TABLE IF NOT EXISTS goshift_transition (
  id integer PRIMARY KEY AUTOINCREMENT,
  run_id varchar(36) NOT NULL,
  task_id integer NOT NULL,
  from_state varchar(20),
  to_state varchar(20) NOT NULL,
  at datetime NOT NULL,
  worker varchar(150),
  attempt integer NOT NULL,
  epoch bigint NOT NULL,
  reason text
);
CREATE INDEX IF NOT EXISTS goshift_transition_run ON goshift_transition (run_id);

CREATE TABLE IF NOT EXISTS goshift_worker (
  worker varchar(150) NOT NULL PRIMARY KEY,
  host varchar(190) NOT NULL,
  pid bigint NOT NULL,
  version varchar(40) NOT NULL,
  state varchar(20) NOT NULL,
  concurrency integer NOT NULL,
  running integer NOT NULL DEFAULT 0,
  started_at datetime NOT NULL,
  heartbeat_at datetime NOT NULL
);
