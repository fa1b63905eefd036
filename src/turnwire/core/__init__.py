"""Decisions: no I/O, no clock, no threads, no randomness.  Time is an argument.

Read ``turn``, ``lane`` and ``connection`` (the tables), then ``chain`` (the proof), ``planner``
(who goes where), ``endings`` (how turns end) and ``pool`` (the verbs).  ``serving`` is the same
conversation from the server's side.
"""
