"""From the operators that torch traces to those that a phone engine runs."""
