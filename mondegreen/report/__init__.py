"""What do people look at? Numbers, figures and pages, made of results: no torch, no victim."""
