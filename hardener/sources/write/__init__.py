"""Services to text: a compose file, a `docker run` line, the flags of `harden run`. What a target cannot say is named, never dropped."""
