"""Worker processes that train networks, their messages, and whether a failure is the network's or the machine's."""
