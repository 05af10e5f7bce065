"""Readers of evidence: one small module for what each tool writes. They recognise it by its content, never its name.

A reader gives values with where they stand, or says what is wrong. It decides nothing, and opens no file.
"""
