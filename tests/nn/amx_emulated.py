#!/usr/bin/env python3
"""The tests of the AMX kernels on a whole machine that is emulated: a kernel
that grants the tiles, the tests as CTest runs them, the instructions as they
are. Not timed: an emulator says nothing about speed.

usage: amx_emulated.py WORKDIR BUILD BOCHS BOCHS_BIOS KERNEL SYSLINUX [MODEL]

  WORKDIR     made anew; all that is written stays in it
  BUILD       a build folder with tests (cmake --preset dev)
  BOCHS       the emulator, built as docs/testing.md says
  BOCHS_BIOS  the folder bios of its source
  KERNEL      a Linux of 5.16 or later for x86-64 (vmlinuz)
  SYSLINUX    a folder with isolinux.bin and ldlinux.c32
  MODEL       a model file (rag model add makes one): its vectors on the amx
              tier are compared with those on lower ones

Needs xorriso. Ends with 0 when everything passed, else 1.
"""
import os
import re
import shutil
import subprocess
import sys

PROGRAMS = ["t_amx", "t_encoder", "t_kern", "t_arch"]
TIERS = ["amx", "avx512", "avx2"]
TEXTS = [
    "query: where are the settings kept?",
    "query: 설정 파일은 어디에 있나요?",
    "passage: " + "the server returns a response with status code and 답변은 "
    "문서에서 찾은 근거와 함께 표시된다 " * 3,
]
CPU = "sapphire_rapids"
# the 6.1 kernels' memmove needs "fast short rep mov" to come with "enhanced",
# which this emulator says it has switched off: 580 is the former
COMMAND_LINE = (
    "console=ttyS0,115200 clearcpuid=580 mitigations=off lpj=1000000 "
    "tsc=reliable reboot=t panic=-1"
)
SECONDS = 7200


class Archive:
    """An initial file system in cpio's format, "newc"."""

    def __init__(self):
        self.bytes = bytearray()
        self.names = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.lstrip("/")
        if name in self.names:
            return
        self.names.add(name)
        parent = os.path.dirname(name)
        if parent:
            self.add(parent, 0o40755)
        full = name.encode() + b"\0"
        fields = [len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, *device,
                  len(full), 0]
        self.bytes += b"070701" + b"".join(b"%08X" % f for f in fields) + full
        self.pad()
        self.bytes += data
        self.pad()

    def pad(self):
        self.bytes += b"\0" * (-len(self.bytes) % 4)

    def add_file(self, name, path):
        with open(path, "rb") as f:
            self.add(name, 0o100755, f.read())

    def add_program(self, name, path):
        """With the libraries it wants, where it wants them."""
        self.add_file(name, path)
        out = subprocess.run(["ldd", path], capture_output=True, text=True)
        for lib in re.findall(r"(/\S+) \(0x", out.stdout):
            self.add_file(lib, os.path.realpath(lib))


def make_init(work):
    here = os.path.dirname(os.path.abspath(__file__))
    init = os.path.join(work, "init")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-static", "-o", init,
                    os.path.join(here, "emulated_init.c")], check=True)
    return init


def make_files(work, build, model):
    """The file system, and the lines that the machine is to run."""
    archive = Archive()
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                        "data", "nn", "random")
    lines = []
    for d in ["dev", "proc", "tmp"]:
        archive.add(d, 0o40755)
    archive.add("dev/console", 0o20600, device=(5, 1))
    archive.add("dev/null", 0o20666, device=(1, 3))
    archive.add("dev/urandom", 0o20666, device=(1, 9))
    archive.add_file("init", make_init(work))
    data = os.path.normpath(data)
    for name in sorted(os.listdir(data)):
        if os.path.isfile(os.path.join(data, name)):
            archive.add_file(os.path.join(data, name),
                             os.path.join(data, name))
    if model:
        archive.add_file("model", model)
        archive.add("texts", 0o100644, "\n".join(TEXTS).encode())
        archive.add_program("t/encode_lines",
                            os.path.join(build, "tests", "encode_lines"))
        for t in TIERS:
            lines.append(f"RAG_CPU={t} /t/encode_lines /model 2 </texts")
    for p in PROGRAMS:
        archive.add_program("t/" + p, os.path.join(build, "tests", p))
        lines.append("/t/" + p)
    archive.add("list", 0o100644, ("\n".join(lines) + "\n").encode())
    archive.add("TRAILER!!!", 0)
    return bytes(archive.bytes), lines


def make_disc(work, kernel, syslinux, files):
    tree = os.path.join(work, "disc")
    os.makedirs(os.path.join(tree, "isolinux"))
    shutil.copy(kernel, os.path.join(tree, "vmlinuz"))
    for name in ["isolinux.bin", "ldlinux.c32"]:
        shutil.copy(os.path.join(syslinux, name),
                    os.path.join(tree, "isolinux"))
    with open(os.path.join(tree, "files"), "wb") as f:
        f.write(files)
    with open(os.path.join(tree, "isolinux", "isolinux.cfg"), "w") as f:
        f.write("DEFAULT l\nPROMPT 0\nTIMEOUT 1\nLABEL l\n KERNEL /vmlinuz\n"
                f" INITRD /files\n APPEND {COMMAND_LINE}\n")
    disc = os.path.join(work, "disc.iso")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", disc,
                    "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
                    "-no-emul-boot", "-boot-load-size", "4",
                    "-boot-info-table", tree], check=True)
    return disc


def emulate(work, bochs, bios, disc):
    serial = os.path.join(work, "serial.txt")
    config = os.path.join(work, "bochsrc")
    with open(config, "w") as f:
        f.write(f"""config_interface: textconfig
display_library: nogui
megs: 2048
cpu: model={CPU}, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=1
romimage: file={bios}/BIOS-bochs-latest
vgaromimage: file={bios}/VGABIOS-lgpl/VGABIOS-lgpl-latest.bin
ata0-master: type=cdrom, path={disc}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={serial}
log: {work}/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
clock: sync=none
speaker: enabled=0
""")
    with open(os.path.join(work, "bochs.out"), "w") as out:
        machine = subprocess.Popen([bochs, "-q", "-f", config], stdout=out,
                                   stderr=out, stdin=subprocess.DEVNULL)
        # the machine ends by a fault that the emulator stays at
        for _ in range(SECONDS):
            try:
                machine.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                if text_of(serial).find("all run") >= 0:
                    break
        machine.kill()
        machine.wait()
    return text_of(serial)


def text_of(path):
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as f:
        return f.read().decode(errors="replace").replace("\r", "")


def judge(text, lines):
    """What failed."""
    bad = []
    vectors = {}
    for line in lines:
        part = re.search(re.escape("run: " + line) + r"\n(.*?)" +
                         re.escape("end: " + line) + r": ([^\n]*)\n", text,
                         re.S)
        if not part:
            bad.append(f"{line}: did not end")
            continue
        print(f"{line}: {part.group(2)}")
        if part.group(2) != "exit 0":
            bad.append(f"{line}: {part.group(2)}")
        if "encode_lines" in line:
            tier, _, rest = part.group(1).partition("\n")
            print(f"  tier {tier}, {len(rest.split())} numbers")
            if tier != re.search(r"RAG_CPU=(\w+)", line).group(1):
                bad.append(f"{line}: ran on {tier}")
            vectors[tier] = rest
    if len(set(vectors.values())) > 1:
        bad.append("vectors differ between tiers")
    if "tier: amx" not in text:
        bad.append("t_kern did not choose the amx tier")
    return bad


def main():
    if len(sys.argv) not in (7, 8):
        sys.exit(__doc__)
    work, build, bochs, bios, kernel, syslinux = sys.argv[1:7]
    model = sys.argv[7] if len(sys.argv) == 8 else None
    work = os.path.abspath(work)
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    files, lines = make_files(work, build, model)
    disc = make_disc(work, kernel, syslinux, files)
    bad = judge(emulate(work, bochs, bios, disc), lines)
    for b in bad:
        print("FAILED " + b)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
