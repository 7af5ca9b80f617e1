"""What is installed in an image: one module per kind of package, each reading what its package manager or its compiler left behind."""
