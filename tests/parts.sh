# shellcheck shell=bash
# Sourced by run.sh and matrix.sh: the Debian packages with the real parts that tests talk to, but the broker
# (deploy/venv.sh): RTSP camera, virtual microphone, synthetic voice, certificates, a network of its own.
parts=(python3-venv mosquitto-clients openssl espeak-ng flac iproute2 strace
  libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins
  python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-rtsp-server-1.0
  gstreamer1.0-rtsp gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav)
