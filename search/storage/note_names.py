"""What a run remembers of itself beside its trials, by the names of the notes (``Study.note``)."""

ELAPSED_S = "elapsed_s"  # its time by the clock, written down every few seconds
PRUNED_S = "pruning_s"  # seconds that choosing and removing channels took
IS_TIMED = "is_timed"  # whether its time is limited, so that what a training takes matters to a proposal
PREDICTED = "predicted"  # how many proposals a surrogate has made, and how many far outside what it had learnt
GENERATIONS = "generations"  # of shared weights, after the first: when and with what each began
