"""Outgoing sockets: the webhook sender, the resolver behind it, and the guard that says where it may connect."""
