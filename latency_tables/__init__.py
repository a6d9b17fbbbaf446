"""What an operator costs on a phone, and how to measure one."""
