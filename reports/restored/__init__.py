"""Restored pictures as a page: before and after, under one slider."""

from reports.restored.page import Shown, write_page

__all__ = ["Shown", "write_page"]
