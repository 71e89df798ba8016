"""Pictures in and out: header checks, decoding to 8-bit RGB, encoding with what the file carried beside its pixels.

    payloads   base64 and data URIs → bytes
    formats    which kind of file it is, opening it, foreign errors → problems
    decoding   limits from the header, then a `Picture`
    samples    every pixel mode → RGB, alpha, gray
    exif       orientation and thumbnail inside raw EXIF
    encoding   a `Picture` with new pixels → PNG, JPEG, WebP
    png        writing PNG fast

Nothing here mutates Pillow's global settings, and all of it may be called from several threads at once.
"""

from cleanplate.runtime.images.decoding import PAGES_COUNTED, Header, decode, probe
from cleanplate.runtime.images.encoding import Encoded, OutputFormat, encode
from cleanplate.runtime.images.payloads import from_base64
from cleanplate.runtime.images.pictures import Picture, PictureLimits

__all__ = [
    "PAGES_COUNTED",
    "Encoded",
    "Header",
    "OutputFormat",
    "Picture",
    "PictureLimits",
    "decode",
    "encode",
    "from_base64",
    "probe",
]
