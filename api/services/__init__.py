"""The eleven smart-care services as data."""
