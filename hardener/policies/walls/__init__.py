"""The keys of `runtime:`, each judged and enforced on a specification; a module for each side of a container."""
