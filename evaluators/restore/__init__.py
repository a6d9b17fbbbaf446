"""Restore: whole photographs through a network, in tiles that together equal the whole."""
