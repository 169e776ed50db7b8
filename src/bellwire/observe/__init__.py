"""How a running server is seen from outside: its clock, its log lines, its metrics."""
