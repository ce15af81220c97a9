"""Families over HTTP: absences, rescue cards and links in pages enter; whether somebody is watched over leaves."""
