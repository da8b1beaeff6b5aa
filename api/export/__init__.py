"""Exports of the history as files: one module per format, and the code that writes, resumes and reads them."""
