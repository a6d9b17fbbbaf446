"""Long trainings: one configuration, one protocol, many steps; reproductions, ablations, queues."""
