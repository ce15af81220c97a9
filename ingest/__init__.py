"""MQTT messages enter, committed rows leave; a message is acknowledged after its rows are committed, never before."""
