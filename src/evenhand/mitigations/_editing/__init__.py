"""What methods of model editing share: subjects, linear maps, values, second moments, and the algebra."""
