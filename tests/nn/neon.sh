#!/bin/sh
# The kernels for AArch64 with dot products: t_kern, built by a cross compiler
# and run under an emulator. usage: neon.sh REPO WORKDIR
set -eu
root=$1
dir=$2
cc=aarch64-linux-gnu-gcc
qemu=
for q in qemu-aarch64-static qemu-aarch64; do
    if command -v $q >/dev/null; then
        qemu=$q
        break
    fi
done
if ! command -v $cc >/dev/null || [ -z "$qemu" ]; then
    echo "skipped: needs $cc and qemu-aarch64" \
        "(Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)"
    exit 77
fi
mkdir -p "$dir"
lib=$root/lib
$cc -std=c11 -O2 -static -Wall -Wextra -Werror -D_GNU_SOURCE \
    -fno-math-errno -ffp-contract=off \
    -I"$lib" -I"$root/tests/unit" -I"$root/tests/nn/cross" \
    "$root/tests/unit/t_kern.c" "$lib/nn/attend.c" "$lib/nn/cpu.c" \
    "$lib/nn/kern.c" "$lib/nn/kern_neon.c" "$lib/base/mem.c" \
    "$lib/base/status.c" -lm -o "$dir/t_kern_neon"
out=$("$qemu" -cpu max "$dir/t_kern_neon")
echo "$out"
# it was the tier meant that ran
echo "$out" | grep '^tier: neon' >/dev/null
# a processor without the instructions: the scalar tier
"$qemu" -cpu cortex-a53 "$dir/t_kern_neon" | grep '^tier: scalar'
