CREATE TABLE task_def_sync_manager (
  id integer PRIMARY KEY AUTOINCREMENT,
  from_app varchar(50),
  from_db_type varchar(50),
  from_db varchar(64),
  from_table varchar(255) DEFAULT '',
  to_app varchar(50),
  to_db_type varchar(20),
  to_db varchar(64),
  to_table varchar(255),
  params text,
  online_status integer,
  task_desc text,
  task_status varchar(100),
  owner varchar(100),
  create_time datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  update_time datetime NOT NULL DEFAULT CURRENT_TIMESTAMP
);
