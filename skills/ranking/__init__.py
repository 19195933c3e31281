"""Evidence -> loss and cost -> ranked recommendations. `shortlist.build` is where it comes together."""
