"""What a proposed change of the catalog may say, adds and means, decided from values alone."""
