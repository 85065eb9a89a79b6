"""How well a model predicts while labels are still to come, by what its scores meant where labels are in."""
