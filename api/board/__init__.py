"""Every resident of an institution at a glance."""
