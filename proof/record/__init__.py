"""Outcomes to records: what was seen where, for one kernel or all, and what that covers."""
