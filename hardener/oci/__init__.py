"""OCI types, parsed and printed, without I/O."""
