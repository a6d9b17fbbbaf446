"""What one run leaves: the front as tables and plots, pictures, and the page."""
