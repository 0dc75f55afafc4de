-- Least privilege: agents call functions and read; operators decide as well; nobody writes a table.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hd_runtime FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA hd_runtime FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA hd_runtime FROM PUBLIC;
REVOKE ALL ON SCHEMA hd_runtime FROM PUBLIC;
