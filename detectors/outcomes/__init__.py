"""How well a model predicts, once labels tell: mergeable counts of outcomes, and the metrics they give."""
