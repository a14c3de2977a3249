"""An RTSP camera made of gst-rtsp-server; run by Debian's Python, which has its bindings.

Prints its port once it serves. Plays a raw 16 kHz mono file in an endless loop at ``/pcma``,
``/pcmu``, ``/opus``, ``/aac`` and ``/l16``; ``/av`` has a film and a tone, ``/video`` no sound.
"""

from __future__ import annotations

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")

from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first

SOURCE = (
    "multifilesrc location={raw} loop=true ! rawaudioparse format=pcm pcm-format=s16le sample-rate=16000 "
    "num-channels=1 ! audioconvert ! audioresample ! audio/x-raw,channels=1,rate="
)
FILM = (
    "videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=10/1 ! avenc_mpeg4 ! "
    "rtpmp4vpay config-interval=1 name=pay0 pt=96"
)
MOUNTS = {
    "/pcma": SOURCE + "8000 ! alawenc ! rtppcmapay name=pay0 pt=8 max-ptime=20000000",
    "/pcmu": SOURCE + "8000 ! mulawenc ! rtppcmupay name=pay0 pt=0 max-ptime=20000000",
    "/opus": SOURCE + "48000 ! opusenc bitrate=32000 ! rtpopuspay name=pay0 pt=96",
    "/aac": SOURCE + "16000 ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name=pay0 pt=96",
    "/l16": SOURCE + "16000 ! rtpL16pay name=pay0 pt=96",
    "/av": FILM + " audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "/video": FILM,
}


def authentication(user: str, password: str, *, digest: bool) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if digest:
        auth.add_digest(user, password, token)
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def factory(launch: str) -> GstRtspServer.RTSPMediaFactory:
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f"( {launch} )")
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)  # noqa: FBT003 - GObject has no keywords
    permissions.add_permission_for_role("user", "media.factory.construct", True)  # noqa: FBT003 - as above
    made.set_permissions(permissions)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    parser.add_argument("--port", default="0")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--digest", action="store_true")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    if arguments.user:
        server.set_auth(authentication(arguments.user, arguments.password, digest=arguments.digest))
    for path, launch in MOUNTS.items():
        made = factory(launch.format(raw=arguments.raw))
        if not arguments.user:
            made.set_permissions(None)
        server.get_mount_points().add_factory(path, made)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - the answer to the parent
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
