#!/bin/sh
# Builds the test sound card into build/card/libclocked.so when it is older than its source. Needs gcc and libasound2-dev.
set -eu
cd "$(dirname "$0")/../.."
out=build/card/libclocked.so
if [ -e "$out" ] && [ "$out" -nt test/card/clocked.c ]; then exit 0; fi
command -v gcc >/dev/null || { echo "the test sound card needs gcc: apt-get install gcc libasound2-dev" >&2; exit 1; }
[ -e /usr/include/alsa/asoundlib.h ] || { echo "the test sound card needs libasound2-dev: apt-get install libasound2-dev" >&2; exit 1; }
mkdir -p build/card
gcc -shared -fPIC -DPIC -O2 -Wall -Wextra -o "$out.$$" test/card/clocked.c -lasound
mv "$out.$$" "$out"
