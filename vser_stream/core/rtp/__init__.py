"""What a camera sends, from packets to audio without gaps: RTP and SDP without a network."""
