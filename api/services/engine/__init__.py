"""The engine under the eleven services: declared lifecycles enter, records that can only follow them leave."""
