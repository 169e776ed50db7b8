"""Sending rules: when a notification is tried, in which order, when again, and when it counts as settled. No I/O."""
