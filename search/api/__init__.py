"""The Python API: start a search, load a run, and use its results."""

import warnings

# Of tqdm, which Optuna imports: in a notebook it asks for ipywidgets, for bars that are not shown here.
warnings.filterwarnings("ignore", message="IProgress not found")
