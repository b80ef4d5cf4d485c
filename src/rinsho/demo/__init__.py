"""Embedded notes, lexicon, grammar and run file; all written for rinsho (CC0)."""
