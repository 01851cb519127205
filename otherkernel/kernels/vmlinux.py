"""The uncompressed kernel inside a bzImage, cached: booting it saves the guest the unpacking.

The layout is that of Linux's Documentation/arch/x86/boot.rst (setup_sects, payload_offset,
payload_length); each compressor is known by its magic number.
"""

import bz2
import hashlib
import lzma
import os
import struct
import zlib
from pathlib import Path

from otherkernel import cache
from otherkernel.errors import KernelFileError

_ELF = b"\x7fELF"
_LZ4_BLOCK = 8 << 20  # the legacy frame's fixed block size
# What unpacking raises, and reading tables that are cut off.
_DAMAGED = (zlib.error, lzma.LZMAError, struct.error, ValueError, EOFError)
_PVH_NOTE = 18  # XEN_ELFNOTE_PHYS32_ENTRY: where QEMU may enter an ELF kernel


def _lz4_legacy(data: bytes) -> bytes:
    """Unpacks lz4's legacy frame, which is what the kernel build writes; no library reads it."""
    import lz4.block  # noqa: PLC0415  (a kernel is unpacked once, and booted often)

    blocks = []
    offset = 4
    while offset + 4 <= len(data):
        (size,) = struct.unpack_from("<I", data, offset)
        offset += 4
        if offset + size > len(data):
            break  # what follows the last block is the unpacked size that the build appends
        block = data[offset : offset + size]
        try:
            blocks.append(lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK))
        except lz4.block.LZ4BlockError as error:
            raise ValueError(str(error)) from error
        offset += size
        if len(blocks[-1]) < _LZ4_BLOCK:
            break
    return b"".join(blocks)


def _decompress(payload: bytes) -> bytes:
    """Unpacks a bzImage's payload; the size that the build appends to it is ignored."""
    if payload.startswith(_ELF):
        return payload
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(payload)
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(b"\x5d\x00\x00"):
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(payload)
    if payload.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard  # noqa: PLC0415

        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(payload)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
    if payload.startswith(b"\x02\x21\x4c\x18"):
        return _lz4_legacy(payload)
    raise KernelFileError(f"unknown compression, magic {payload[:4].hex()}")


def _payload(image: bytes) -> bytes:
    """Cuts the compressed kernel out of a bzImage."""
    if len(image) < 0x250 or image[0x202:0x206] != b"HdrS":
        raise KernelFileError("neither a vmlinux (ELF) nor an x86 vmlinuz (bzImage)")
    (version,) = struct.unpack_from("<H", image, 0x206)
    if version < 0x208:
        raise KernelFileError("its boot protocol is older than 2.08 (Linux 2.6.26)")
    setup = (image[0x1F1] or 4) + 1
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = setup * 512 + offset
    if start + length > len(image):
        raise KernelFileError("the kernel is cut off: its file is shorter than it says")
    return image[start : start + length]


def _has_pvh_entry(elf: bytes) -> bool:
    """Tells whether QEMU can boot this ELF kernel directly, from its ELF notes."""
    if elf[:5] != _ELF + b"\x02":
        return False
    (table,) = struct.unpack_from("<Q", elf, 32)
    entry_size, entries = struct.unpack_from("<HH", elf, 54)
    for index in range(entries):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, table + index * entry_size)
        if kind != 4:  # PT_NOTE
            continue
        end = offset + size
        while offset + 12 <= end:
            name_size, value_size, note = struct.unpack_from("<III", elf, offset)
            name = elf[offset + 12 : offset + 12 + name_size]
            if note == _PVH_NOTE and name == b"Xen\0":
                return True
            offset += 12 + (name_size + 3 & ~3) + (value_size + 3 & ~3)
    return False


def bootable(kernel: Path, unread: list[Path] | None = None) -> Path:
    """Return what QEMU should boot for a vmlinuz or vmlinux.

    That is the uncompressed kernel, unpacked into the cache if need be, or the file itself where
    the kernel was built without the entry point that QEMU needs for that (CONFIG_PVH).

    Args:
        kernel: The file.
        unread: See `cache.filled`.

    Raises:
        KernelFileError: The file cannot be read, or is no x86-64 kernel.
    """
    try:
        info = kernel.stat()
        with kernel.open("rb") as file:
            elf = file.read(len(_ELF)) == _ELF
    except OSError as error:
        raise KernelFileError(f"{kernel}: {error.strerror}: give the path of a vmlinuz") from error
    if elf:
        try:
            found = _has_pvh_entry(kernel.read_bytes())
        except struct.error as error:
            raise KernelFileError(f"{kernel}: the kernel is cut off or damaged") from error
        if not found:
            raise KernelFileError(f"{kernel}: an ELF kernel without CONFIG_PVH: give its vmlinuz")
        return kernel

    def fill(part: Path) -> None:
        try:
            elf = _decompress(_payload(kernel.read_bytes()))
            found = _has_pvh_entry(elf)
        except KernelFileError as error:
            raise KernelFileError(f"{kernel}: {error}") from error
        except _DAMAGED as error:
            raise KernelFileError(f"{kernel}: the kernel is cut off or damaged: {error}") from error
        # An empty file records that there is nothing better than the image.
        (part / "vmlinux").write_bytes(elf if found else b"")

    # To read all of it at each boot would take as long as all else that the host does.
    look = f"{kernel.resolve()} {info.st_ino} {info.st_size} {info.st_mtime_ns}"
    name = hashlib.sha256(os.fsencode(look)).hexdigest()
    unpacked = cache.filled(f"vmlinux/{name}", fill, prune=True, unread=unread) / "vmlinux"
    return unpacked if unpacked.stat().st_size else kernel
