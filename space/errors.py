"""The base class of all errors that the user can fix."""


class UserError(ValueError):
    """A user error: one line with the subject, the rule, the value and the remedy.

    The command line prints it on standard error and exits with status 2.
    """


def first_line(error: BaseException) -> str:
    """The error's text in one line, with its type if the text alone says little."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, RuntimeError | ValueError | UserError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
