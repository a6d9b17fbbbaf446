"""What a person sees: of one run (``run``), and of published networks, trainings and ablations beyond it (the rest)."""
