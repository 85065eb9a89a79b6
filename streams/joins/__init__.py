"""Delayed labels: predictions and labels are joined by id, and give outcomes by the time of the prediction."""
