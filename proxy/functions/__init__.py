"""The client's own functions and procedures, and calls of them."""
