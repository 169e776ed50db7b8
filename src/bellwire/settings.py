"""Each setting once: type, unit, default, help, secret or not."""
