"""Pure judgement: a window of statistics and a reference in, a verdict out."""
