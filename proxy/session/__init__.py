"""One client's session: its frames in, its answers out, its statements, settings and transactions."""
