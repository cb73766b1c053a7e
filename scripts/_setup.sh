# shellcheck shell=bash
# Sourced by scripts/up and scripts/test: makes the virtual environment of requirements.lock and leaves its path in $venv.
#
# OMS_VENV   where it is (default: .venv in the checkout); one that this script did not make is used as it is
# OMS_PYTHON the interpreter to make it with (default: the newest of python3.11 ... python3.14 found, then python3)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${OMS_VENV:-$root/.venv}
stamp=$venv/.oms-stamp
log=

say() { printf '%s\n' "$*" >&2; }

fail() {  # what happened; what to type next
  say "error: $1"
  [ -n "$log" ] && [ -s "$log" ] && tail -n 12 "$log" | sed 's/^/  | /' >&2
  say "next:  $2"
  exit 1
}

find_python() {
  local candidate
  for candidate in ${OMS_PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or newer was found (${OMS_PYTHON:-looked for python3.11 ... python3.14 and python3})" \
    "install one (Debian: sudo apt-get install python3 python3-venv) or set OMS_PYTHON=/path/to/python3.11"
}

replaceable() {  # only what is surely a virtual environment, or nothing at all, is deleted
  [ ! -e "$venv" ] || [ -e "$stamp" ] || [ -e "$venv/pyvenv.cfg" ] || { [ -d "$venv" ] && [ -z "$(ls -A "$venv")" ]; }
}

as_root() {  # run a command as root, if that needs no password
  if [ "$(id -u)" = 0 ]; then "$@"; else command -v sudo >/dev/null && sudo -n "$@"; fi
}

# Debian splits ensurepip and pip off Python. In this order: uv; venv; venv without pip, filled by the system's pip;
# the missing package installed by apt-get.
make_venv() {
  local python=$1
  replaceable || fail "$venv exists and is no virtual environment: it is left as it is" \
    "name a folder that may be made, such as OMS_VENV=$root/.venv, or remove it yourself"
  rm -rf "$venv"
  if command -v uv >/dev/null; then uv venv -q --python "$python" "$venv" >>"$log" 2>&1 && return; fi
  if "$python" -c 'import ensurepip' 2>/dev/null; then "$python" -m venv "$venv" >>"$log" 2>&1 && return; fi
  if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$venv" >>"$log" 2>&1 && return
  fi
  say "setup: this Python has neither ensurepip nor pip; apt-get install python3-venv ..."
  if command -v apt-get >/dev/null && as_root sh -c 'apt-get update -qq && apt-get install -y -qq python3-venv' >>"$log" 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv" >>"$log" 2>&1 && return
  fi
  fail "a virtual environment could not be made in $venv" "sudo apt-get install python3-venv, then the same command again"
}

pip() {  # the environment's own, or that of the Python that made it
  if [ -x "$venv/bin/pip" ]; then "$venv/bin/pip" "$@"; else "$python" -m pip --python "$venv/bin/python" "$@"; fi
}

pip_install() {
  pip install -q --no-compile --disable-pip-version-check --require-hashes -r "$1" >>"$log" 2>&1
}

# uv installs in a fifth of the time. It does not read pip's settings, so it is given pip's index.
uv_install() {
  local uv index
  uv=$(command -v uv) || {
    sed -n '/^uv==/,/[^\\]$/p' "$root/requirements.lock" >"$log.uv"
    pip_install "$log.uv" && uv=$venv/bin/uv
  }
  rm -f "$log.uv"
  [ -x "$uv" ] || return
  index=$(pip config list 2>/dev/null | sed -n "s/^[a-z:]*\.index.url='\(.*\)'\$/\1/p" | head -n 1) || index=
  UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-15} UV_NATIVE_TLS=${UV_NATIVE_TLS:-true} \
    "$uv" pip install -q --python "$venv/bin/python" ${index:+--default-index "$index"} \
    --require-hashes -r "$root/requirements.lock" >>"$log" 2>&1
}

install_locked() {
  local python=$1
  uv_install || pip_install "$root/requirements.lock" || fail "the locked packages could not be installed" \
    "check that pip reaches a package index (pip config list), then the same command again; the whole log: $log"
}

# The checkout is run from where it stands; building it would fetch a build backend that no hash covers.
link_checkout() {
  local packages
  packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$root" >"$packages/oms-checkout.pth"
  printf '#!%s\nimport sys\n\nfrom scripts.cli import main\n\nsys.exit(main())\n' "$venv/bin/python" >"$venv/bin/oms"
  chmod 755 "$venv/bin/oms"
}

setup() {
  local wanted python
  wanted=$(cksum <"$root/requirements.lock")
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted $root" ] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
  if [ -n "${OMS_VENV:-}" ] && [ -x "$venv/bin/python" ] && [ ! -e "$stamp" ]; then return; fi
  python=$(find_python) || exit 1
  log=$(mktemp "${TMPDIR:-/tmp}/oms-setup.XXXXXX")
  say "setup: making $venv with $python and the packages of requirements.lock ..."
  if command -v flock >/dev/null; then exec 9>"$root/.setup.lock" && flock 9; fi
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted $root" ]; then  # unless another run just made it
    make_venv "$python"
    install_locked "$python"
    link_checkout
    printf '%s' "$wanted $root" >"$stamp"
  fi
  if command -v flock >/dev/null; then exec 9>&-; fi
  say "setup: done in ${SECONDS} s"
  rm -f "$log"
  log=
}
