"""Checks that a server keeps Midspan's contract: the same for every host, over plain HTTP, standard library only."""
