"""The door for programs: start a search, read a run back, and everything that a run leaves behind."""

import warnings

# Of tqdm, which Optuna imports: in a notebook it asks for ipywidgets, for bars that are not shown here.
warnings.filterwarnings("ignore", message="IProgress not found")
