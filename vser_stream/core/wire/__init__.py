"""What goes over the wire: topics and documents."""
