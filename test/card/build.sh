#!/bin/sh
# Builds the test sound card and its mixer into build/card/ when they are older than their sources. Needs gcc and libasound2-dev.
set -eu
cd "$(dirname "$0")/../.."
for name in clocked controls; do
  out=build/card/lib$name.so
  if [ -e "$out" ] && [ "$out" -nt "test/card/$name.c" ]; then continue; fi
  command -v gcc >/dev/null || { echo "the test sound card needs gcc: apt-get install gcc libasound2-dev" >&2; exit 1; }
  [ -e /usr/include/alsa/asoundlib.h ] || { echo "the test sound card needs libasound2-dev: apt-get install libasound2-dev" >&2; exit 1; }
  mkdir -p build/card
  gcc -shared -fPIC -DPIC -O2 -Wall -Wextra -o "$out.$$" "test/card/$name.c" -lasound
  mv "$out.$$" "$out"
done
