# Shared by the scripts of this folder; sourced, not run.

say() { printf 'offhook: %s\n' "$*"; }
fail() { printf 'offhook: %s\n' "$*" >&2; exit 1; }

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log_file=${OFFHOOK_SETUP_LOG:-$(mktemp /tmp/offhook-setup.XXXXXX)}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else fail "this needs root for: $* - run it as root, or install sudo"
  fi
}

# One line is said, the rest goes to the log; on failure its end is shown.
quietly() {
  "$@" >>"$log_file" 2>&1 || { tail -n 15 "$log_file" >&2; fail "this failed: $* (all of it is in $log_file)"; }
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# need_packages NAME... : installs what is missing. 'a|b' is the first of the two that this release has.
need_packages() {
  [ "${OFFHOOK_SKIP_PACKAGES:-}" = 1 ] && return 0
  command -v dpkg-query >/dev/null 2>&1 || fail "this machine is not Debian or Raspberry Pi OS: install $* by hand and set OFFHOOK_SKIP_PACKAGES=1"
  local missing=() name choice found
  for name in "$@"; do
    found=
    for choice in ${name//|/ }; do installed "$choice" && found=yes; done
    [ -n "$found" ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing Debian packages: ${missing[*]}"
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get update
  local chosen=()
  for name in "${missing[@]}"; do
    found=
    for choice in ${name//|/ }; do
      if [ -z "$found" ] && [ -n "$(apt-cache madison "$choice" 2>/dev/null)" ]; then found=$choice; fi
    done
    [ -n "$found" ] || fail "no Debian package ${name//|/ or } here: is the package list of this machine complete?"
    chosen+=("$found")
  done
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${chosen[@]}"
}

node_is_new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

# Leaves a Node.js of at least 20.19 first in PATH. Debian 13 has one; on Debian 12 a newer one comes from the npm
# registry as a plain package with the program in it, kept in the folder given.
need_node() {
  local keep=$1 arch
  if [ -x "$keep/node_modules/node/bin/node" ]; then PATH="$keep/node_modules/node/bin:$PATH"; export PATH; fi
  node_is_new_enough node && return 0
  command -v node >/dev/null 2>&1 || need_packages nodejs
  node_is_new_enough node && return 0
  case "$(uname -m)" in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "the Node.js $(node --version) of this Debian is too old and none is ready-made for $(uname -m): use Debian or Raspberry Pi OS 13, or install Node.js 20.19 or newer" ;;
  esac
  say "Node.js $(node --version) is too old (20.19 is needed): fetching one from the npm registry into $keep"
  mkdir -p "$keep"
  command -v npm >/dev/null 2>&1 || need_packages npm
  quietly npm install --prefix "$keep" --no-save --no-audit --no-fund --ignore-scripts "node@npm:node-linux-$arch@22"
  PATH="$keep/node_modules/node/bin:$PATH"; export PATH
  node_is_new_enough node || fail "the Node.js fetched into $keep does not run here"
}

# Whether node_modules is what the lock file says, by npm's own record of its last install. $1: 'run' asks only for what runs.
modules_are_there() {
  node - "$root_dir" "$1" <<'JS' 2>/dev/null
const { readFileSync } = require('node:fs');
const [, , root, kind] = process.argv;
const read = (path) => JSON.parse(readFileSync(`${root}/${path}`, 'utf8')).packages;
const have = read('node_modules/.package-lock.json');
const missing = Object.entries(read('package-lock.json')).filter(([path, p]) =>
  path !== '' && !p.optional && !p.devOptional && !(kind === 'run' && p.dev) && have[path]?.version !== p.version);
process.exit(missing.length === 0 ? 0 : 1);
JS
}

# Node modules as the lock file says; nothing when they are there already, however they came. $1: 'run' leaves out what only tests
# need, but does not take it away from somebody who has it.
need_modules() {
  modules_are_there "$1" && return 0
  command -v npm >/dev/null 2>&1 || need_packages npm
  say "installing Node modules"
  local omit=()
  [ "$1" = run ] && [ ! -d "$root_dir/node_modules/vitest" ] && omit=(--omit=dev)
  (cd "$root_dir" && quietly npm ci --ignore-scripts --no-audit --no-fund "${omit[@]}")
}

run_packages=('libasound2|libasound2t64' libopus0 libspeexdsp1 libsystemd0 alsa-utils iproute2 ca-certificates)
