"""Functions and procedures of the client's own: read from tokens, chosen, written as macros."""
