"""FHIR R4, read only: what other systems in health understand."""
