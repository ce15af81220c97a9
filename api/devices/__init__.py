"""Devices, their bindings, credentials, commands and health."""
