"""Which base to fine-tune: what a race of bases is asked, how it stands, and how good its predictions were."""
