"""What long trainings showed: reproductions, ablations, and the noise that their differences have."""
