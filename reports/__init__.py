"""What a person sees of a run: tables, plots, pictures and the page, from finished records."""
