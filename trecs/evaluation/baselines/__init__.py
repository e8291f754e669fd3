"""What a model has to beat: counts, neighbours, linear models and factorisations."""
