"""Blocks of Snowflake Scripting, and what they ask of their session."""
