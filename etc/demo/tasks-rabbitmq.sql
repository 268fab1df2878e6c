-- Four rows of the task table. "demo" + "shop" is the key demo_shop in etc/demo-rabbitmq.json.
INSERT INTO task_def_sync_manager
  (id, from_app, from_db_type, from_db, from_table, to_app, to_db_type, to_db, to_table,
   params, online_status, task_desc, task_status, owner, create_time, update_time)
VALUES
  (1, 'demo', 'mysql', 'shop', 'orders', 'demo', 'postgres', 'shop', 'orders',
   '{"split": {"pk": ["order_no"]}, "worker_num": 4, "read_batch": 10000, "write_batch": 1000}',
   1, 'MySQL to PostgreSQL, a text key', '', 'demo', NOW(), NOW()),
  (2, 'demo', 'postgres', 'shop', 'events', 'demo', 'mysql', 'shop', 'events',
   '{"worker_num": 4}', 1, 'PostgreSQL to MySQL, a key of two columns', '', 'demo', NOW(), NOW()),
  (3, 'demo', 'mysql', 'shop', 'customers', 'demo', 'mysql', 'shop', 'customers_copy',
   '{"pk": {"src": "id", "dest": "id"}, "worker_num": 2}',
   1, 'MySQL to MySQL', '', 'demo', NOW(), NOW()),
  (4, 'demo', 'postgres', 'shop', 'events', 'demo', 'sqlite', 'archive', 'events',
   '', 1, 'PostgreSQL to a SQLite file', '', 'demo', NOW(), NOW());
