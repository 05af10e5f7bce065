"""What of the load's rooms may be loaded without its extra, and by a command's help."""

import subprocess
import sys

import pytest

WITHOUT = ("capacity", "endpoint", "fake", "fake.server", "histogram", "keys", "metrics", "prompts", "stream", "types")


@pytest.mark.parametrize("module", WITHOUT)
def test_it_needs_no_extra(module):
    code = f"import sys; sys.modules['aiohttp'] = None; import mens_console.load.{module}"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


def test_the_knobs_alone_load_no_server():
    code = "import sys, mens_console.load.fake.knobs; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_the_fake_server_is_offered_by_its_package_and_nothing_else_is():
    from mens_console.load import fake

    assert all(getattr(fake, name).__module__.startswith("mens_console.load.fake") for name in fake.__all__)
    with pytest.raises(AttributeError, match="no attribute 'aiohttp'"):
        fake.aiohttp  # noqa: B018
