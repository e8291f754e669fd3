"""keras-nlp BERT for item texts."""
