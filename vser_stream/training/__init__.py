"""Makes and measures models; needs the extra ``train``; never imported by the daemon."""
