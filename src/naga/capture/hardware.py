"""The processor, the memory and the graphics cards, as Linux names them without a process being started."""

import os
from contextlib import suppress
from pathlib import Path

from naga.record.schema import Gpu

_NVIDIA, _DRM = Path("/proc/driver/nvidia"), Path("/sys/class/drm")
_VENDORS = {"0x1002": "AMD", "0x8086": "Intel"}


def cpu_model() -> str | None:
    """Name the processor; None where the system does not say."""
    with suppress(OSError, UnicodeError), Path("/proc/cpuinfo").open() as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    return None


def memory_bytes() -> int | None:
    """Return the size of the main memory."""
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def gpus() -> tuple[Gpu, ...]:
    """List the graphics cards whose drivers are loaded, including those that the run may not use."""
    found = []
    driver = (_text(_NVIDIA / "version") or "").partition("Module")[2].split()[:1]
    for card in sorted(_NVIDIA.glob("gpus/*/information")):
        about = dict(line.split(":", 1) for line in (_text(card) or "").splitlines() if ":" in line)
        name, uuid = about.get("Model", "NVIDIA").strip(), about.get("GPU UUID", "").strip()
        found.append(Gpu(name=name, uuid=uuid or None, driver=driver[0] if driver else None))
    for device in sorted(_DRM.glob("card[0-9]/device")):
        vendor = _VENDORS.get(_text(device / "vendor") or "")
        if vendor and (memory := _text(device / "mem_info_vram_total")):  # of its own: not part of the processor
            name = _text(device / "product_name") or f"{vendor} {_text(device / 'device')}"
            found.append(Gpu(name=name, memory_bytes=int(memory), uuid=_text(device / "unique_id")))
    return tuple(found)


def _text(file: Path) -> str | None:
    with suppress(OSError, UnicodeError):
        return file.read_text().strip() or None
    return None
