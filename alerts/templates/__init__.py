"""What messages say, where the alerting file says it: Jinja2 templates, in a sandbox with a budget."""
