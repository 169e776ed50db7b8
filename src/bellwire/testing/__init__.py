"""What people test their integrations with; the top layer, beside the command line."""
