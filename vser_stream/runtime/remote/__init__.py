"""What people ask over MQTT."""
