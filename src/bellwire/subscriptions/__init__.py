"""Life-cycle rules of subscriptions: pure decisions over records, with time passed in."""
