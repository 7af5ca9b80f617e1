"""From what a user asks for to a container: the seam between the command line, the policies and the executor."""
