"""Videos to frames."""

from dlcreg.data.video.files import SUFFIXES, NotAVideoError, videos_in
from dlcreg.data.video.opening import open_video

__all__ = ["SUFFIXES", "NotAVideoError", "open_video", "videos_in"]
