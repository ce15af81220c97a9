"""Who may sign in at the broker and speak where: the registry enters, Mosquitto's dynamic security follows it.

rights      an account -> its roles, topic by topic
desired     the registry -> every account that there should be
control     commands of the plugin's control API, over MQTT
reconcile   desired and actual -> the difference, carried out; doing it again changes nothing
seed        the plugin's file for a broker that does not run yet
"""
