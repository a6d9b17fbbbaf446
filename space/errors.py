"""The one base class of everything that is the user's to mend."""


class UserError(ValueError):
    """A mistake in what the user gave: one line that says what, the rule, the value and the remedy.

    The command line prints the line on standard error and exits with status 2.
    """
