-- Three rows of the task table: read this table there, write it here, with these params.
-- "demo" + "shop" is the key demo_shop under "from" in etc/demo.json.
INSERT INTO task_def_sync_manager
  (id, from_app, from_db_type, from_db, from_table, to_app, to_db_type, to_db, to_table,
   params, online_status, task_desc, task_status, owner)
VALUES
  (1, 'demo', 'sqlite', 'shop', 'customers', 'demo', 'sqlite', 'warehouse', 'customers',
   '{"split": {"pk": ["id"]}, "worker_num": 4, "read_batch": 5000, "write_batch": 500}',
   1, 'an integer key', '', 'demo'),
  (2, 'demo', 'sqlite', 'shop', 'orders', 'demo', 'sqlite', 'warehouse', 'orders_copy',
   '{"pk": {"src": "order_no", "dest": "order_no"}, "worker_num": 4, "read_batch": 10000}',
   1, 'a text key, and the other form of params', '', 'demo'),
  (3, 'demo', 'sqlite', 'shop', 'events', 'demo', 'sqlite', 'warehouse', 'events',
   '', 1, 'a key of two columns, no params at all', '', 'demo');
