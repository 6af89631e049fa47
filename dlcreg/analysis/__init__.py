"""From the poses of a video to tracks, files and figures."""
