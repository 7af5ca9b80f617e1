"""Credentials, judged by value: what is written, not what it is called, decides; a name only adds to the evidence.

`detect` is the entrance: `judge` for one key and value, `scan` for a longer text. The same detectors serve Dockerfiles, compose files
and images.
"""
