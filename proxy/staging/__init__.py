"""Stages: files of the clients' below the data directory, and the ways into and out of tables.

`directory` alone touches the file system, `catalog` keeps what is defined, `delimited`, `documents`
and `columnar` read what files hold, `filling` brings it into DuckDB, and `statements` answers the
clients. DuckDB itself never opens a file for a client: its external access stays locked.
"""
