"""Evaluation: how right a network is, overall and group by group."""
