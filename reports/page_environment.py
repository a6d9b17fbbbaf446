"""The templates of pages: escaped, and a name that is missing is an error."""

from __future__ import annotations

import jinja2


def page_environment(package: str) -> jinja2.Environment:
    """The Jinja environment of the templates that lie in ``package``, such as ``reports.run``."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
