"""What drives a verdict: its score taken apart, and what fires beside it."""
