"""An application of Django's, for `test_django`."""
