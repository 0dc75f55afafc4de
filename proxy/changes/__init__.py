"""Statements that change rows: what they set off, whom they wait for, what they are taken apart into."""
