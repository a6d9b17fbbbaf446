"""The one base class of everything that is the user's to mend."""


class UserError(ValueError):
    """A mistake in what the user gave: one line that says what, the rule, the value and the remedy.

    The command line prints the line on standard error and exits with status 2.
    """


def first_line(error: BaseException) -> str:
    """The reason in one line; with the error's type where the text alone says little."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, RuntimeError | ValueError | UserError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
