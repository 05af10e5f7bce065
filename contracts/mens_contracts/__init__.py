"""What producers and the console agree on: pydantic models, exported as JSON Schemas. Imports nothing of ours."""
