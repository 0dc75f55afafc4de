"""Snowflake Scripting: from a block's tokens to its tree."""
