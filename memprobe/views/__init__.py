"""Findings out: what people and programs get to see. Each optional dependency lives in one module."""
