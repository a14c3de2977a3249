"""This box and whoever watches over it: systemd, clocks, HTTP, sockets, certificates."""
