"""How good and how dear one network is: exact costs, images and metrics, training, evaluation."""
