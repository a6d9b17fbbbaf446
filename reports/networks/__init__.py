"""What published and designed networks cost, weigh and give, each page made by one command."""
