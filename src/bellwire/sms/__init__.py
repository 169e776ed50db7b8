"""Rules of High Volume SMS: segments, keywords, numbers, error codes, sharing of throughput. No I/O."""
