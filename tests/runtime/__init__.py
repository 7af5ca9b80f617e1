"""A package, because it has a conftest of its own."""
