"""生活照护: meals, baths, housework and care visits."""
