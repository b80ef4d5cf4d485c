"""Benchmarks, answers, scores and the report."""
