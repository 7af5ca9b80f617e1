"""From what a user asks for to what is executed: the seam between the command line and the executor."""
