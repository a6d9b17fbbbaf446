"""What a person sees: of one run (``run``), and of published networks, trainings and studies beyond it (the rest)."""
