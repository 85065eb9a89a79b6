"""Predictions of the past: files of them, read as the columns that stage 1 counts."""
