"""The compiler's pages are given back, and only pages that hold nothing but the file."""

import sys

import numpy as np
import pytest
from support.big_mft import build_mft

from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.parse.compiler_pages import _clean_mappings, give_back_compiler_pages
from musefs.pipeline.parse.sub_range import ParseSettings, SubRangeParser

SMAPS = """\
7f0000000000-7f0000001000 r-xp 00000000 fe:00 1 /lib/libllvmlite.so
Rss:                   4 kB
Private_Dirty:         0 kB
7f0000001000-7f0000002000 r--p 00001000 fe:00 1 /lib/libllvmlite.so
Private_Dirty:         4 kB
7f0000002000-7f0000003000 rw-p 00002000 fe:00 1 /lib/libllvmlite.so
Private_Dirty:         0 kB
7f0000003000-7f0000004000 r-xp 00000000 fe:00 2 /lib/libother.so
Private_Dirty:         0 kB
7f0000004000-7f0000005000 rw-p 00000000 00:00 0
Private_Dirty:         0 kB
"""


def test_only_clean_pages_of_the_compiler_are_chosen() -> None:
    assert list(_clean_mappings(SMAPS)) == [(0x7F0000000000, 0x7F0000001000)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_the_parser_goes_on_without_them() -> None:
    mft = np.ascontiguousarray(build_mft(200)).reshape(-1)
    settings = ParseSettings(1024, mft.size, 0, Geometry(4096, 1 << 20))
    first = SubRangeParser(settings).parse(bytearray(mft), 0, mft.size, 0)
    assert give_back_compiler_pages() > 0
    again = SubRangeParser(settings).parse(bytearray(mft), 0, mft.size, 0)
    assert again.entry_count == first.entry_count > 200
