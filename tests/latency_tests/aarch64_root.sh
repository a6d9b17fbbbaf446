#!/bin/sh
# Makes DIR/root (an aarch64 Debian with Python 3.11, 300 MB) and DIR/site (numpy and MNN for it) for test_aarch64.py.
# Needs debootstrap, dpkg and unzip; running it needs qemu-user-static (on Debian: apt install all four).
#     sh tests/latency_tests/aarch64_root.sh DIR
#     LITEFRONT_AARCH64=DIR python -m pytest -m long tests/latency_tests/test_aarch64.py
set -eu
dir=${1:?usage: aarch64_root.sh DIR}
mkdir -p "$dir/wheels" "$dir/site"
# The second stage of debootstrap would run aarch64 programs as they are; unpacking the packages is enough here.
debootstrap --foreign --arch=arm64 --variant=minbase --include=python3,libgomp1,libstdc++6 bookworm "$dir/root"
for package in "$dir"/root/var/cache/apt/archives/*.deb; do
    dpkg -x "$package" "$dir/root"
done
"${PYTHON:-python3}" -m pip download --no-deps --only-binary=:all: --implementation cp --python-version 3.11 \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    --dest "$dir/wheels" numpy MNN==3.6.1
for wheel in "$dir"/wheels/*.whl; do
    unzip -q -o "$wheel" -d "$dir/site"
done
