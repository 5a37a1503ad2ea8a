#!/usr/bin/env bash
# Tries the bridge's Debian package as a technician would, in a Debian made for it: install, start, reload, kill, stop the process so that
# the watchdog must act, upgrade, run from a read-only root, remove, purge. Needs root on Debian with debootstrap and
# systemd-container, takes about four minutes, and leaves nothing behind.
#
#   scripts/try-package.sh [PACKAGE.deb]     without one, that of this machine's architecture that `make bridge` has built
#
# No bus and no sensor is in a container, and which devices the service may open is not shown here.
set -euo pipefail

faults=0

# expect WHAT COMMAND... says whether COMMAND succeeds.
expect() {
  local what=$1
  shift
  if "$@" >/tmp/expect.log 2>&1; then
    echo "ok    $what"
    return
  fi
  echo "FAIL  $what: $*"
  sed 's/^/      /' /tmp/expect.log
  faults=$((faults + 1))
}

# within SECONDS COMMAND... waits until COMMAND succeeds.
within() {
  local last=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$last" ] || return 1
    sleep 0.2
  done
}

fails() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "is $1, not $2" && return 1; }; }

readonly unit=lamppost-bridge.service config=/etc/lamppost-bridge/bridge.yaml state=/var/lib/lamppost-bridge

# ---- in the container that systemd has booted ----

property() { systemctl show --value --property "$1" "$unit"; }
active() { [ "$(property ActiveState)/$(property SubState)" = active/running ]; }
# another PID tells whether the service runs, and as another process.
another() { active && [ "$(property MainPID)" != "$1" ]; }
status_is() { grep -qE "^$1:[[:space:]]*$2\$" "/proc/$(property MainPID)/status" || { grep "^$1:" "/proc/$(property MainPID)/status" && return 1; }; }
says() { journalctl --quiet --unit "$unit" --boot --grep "$1" >/dev/null; }
# kept is how many bytes of readings wait on the disk. The link is never up here, so they only become more.
kept() { find "$state/outbox/spool" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'; }
keeps_more_than() { [ "$(kept)" -gt "$1" ]; }

configure() {
  sed -i 's|publisher: ""|publisher: bridge-7|; s|url: .*|url: mqtt://127.0.0.1:1|' "$config"
  # Times that a person would not wait for.
  mkdir -p /etc/systemd/system/lamppost-bridge.service.d
  printf '[Service]\nWatchdogSec=3\nRestartSec=1\n' >/etc/systemd/system/lamppost-bridge.service.d/soon.conf
  systemctl daemon-reload
}

runs_confined() {
  expect "it runs as its own user" status_is Uid "$(id -u lamppost-bridge)(\s+[0-9]+){3}"
  expect "it has no capability" status_is CapEff 0+
  expect "it cannot get any" status_is NoNewPrivs 1
  expect "its system calls are filtered" status_is Seccomp 2
  for group in i2c spi gpio dialout; do
    expect "it is in the group $group" grep -qE "^Groups:.*\b$(getent group "$group" | cut -d: -f3)\b" "/proc/$(property MainPID)/status"
  done
  expect "what it keeps is for it alone" same "$(stat -c '%U %a' "$state")" "lamppost-bridge 700"
}

survives() {
  local before first
  first=$(kept)
  before=$(property MainPID)
  expect "systemctl reload is understood" systemctl reload "$unit"
  expect "and does not end it" same "$(property MainPID)" "$before"
  expect "readings are on the disk" within 90 keeps_more_than "$first"
  first=$(kept)
  kill -KILL "$before"
  expect "it is back after kill -9" within 20 another "$before"
  expect "what it had kept is there" keeps_more_than "$((first - 1))"
  before=$(property MainPID)
  kill -STOP "$before"
  expect "it is back after it no longer answered the watchdog" within 60 another "$before"
  expect "and the watchdog did it" says 'Watchdog timeout'
  expect "an ordered stop" systemctl stop "$unit"
  expect "ended well" same "$(property Result)" success
}

inside_writable() {
  expect "it is not started before a person has set it up" fails active
  systemctl start "$unit" --no-block
  expect "without a publisher it says what to set" within 20 says 'publisher: '
  systemctl stop "$unit"
  configure
  expect "the settings pass its own check" lamppost-bridge config check --config "$config"
  expect "systemctl enable --now" systemctl enable --now "$unit"
  expect "it runs, and has said that it is ready" active
  runs_confined
  survives
  systemctl start "$unit"
  local before
  before=$(property MainPID)
  expect "an upgrade" dpkg --force-confold --install /packages/later.deb
  expect "starts the new version" within 20 another "$before"
  # shellcheck disable=SC2016 # dpkg-query puts in what it is
  expect "which is there" grep -q 'later$' <(dpkg-query -W -f '${Version}\n' lamppost-bridge)
  expect "and keeps what a person has set" grep -q 'publisher: bridge-7' "$config"
  expect "it is still enabled" systemctl is-enabled "$unit"
}

inside_readonly() {
  expect "the root file system is read-only" fails touch /nowhere
  expect "it starts at boot" within 30 active
  runs_confined
  survives
}

inside_remove() {
  expect "it starts at boot" within 30 active
  local before
  before=$(property MainPID)
  expect "removing" dpkg --remove lamppost-bridge
  expect "ends the process" fails test -e "/proc/$before"
  expect "nothing is enabled" fails test -e "/etc/systemd/system/multi-user.target.wants/$unit"
  expect "systemd knows it no more" fails systemctl cat "$unit"
  expect "settings are kept" grep -q 'publisher: bridge-7' "$config"
  expect "readings are kept" keeps_more_than 0
}

if [ "${1:-}" = inside ]; then
  PATH=$PATH:/usr/sbin:/sbin
  {
    "inside_$2"
    echo "faults $faults"
    [ "$faults" -eq 0 ] || journalctl --boot --unit "$unit" --no-pager | tail -50
  } >/result/log 2>&1
  systemctl poweroff --no-block
  exit
fi

# ---- on the machine ----

cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
  echo "this needs root, debootstrap and systemd-nspawn: apt-get install debootstrap systemd-container, and sudo $0" >&2
  exit 1
fi
architecture=$(dpkg --print-architecture)
package=${1:-$(find build/bridge -name "lamppost-bridge_*_$architecture.deb" 2>/dev/null | head -n 1 || true)}
[ -n "$package" ] || { echo "no package for $architecture is in build/bridge; run make bridge first" >&2 && exit 1; }

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
mkdir "$work/packages" "$work/result" "$work/state"
cp "$package" "$work/packages/bridge.deb"
# A later version of the same, with a new line in a file of settings.
dpkg-deb --raw-extract "$package" "$work/later"
sed -i 's/^Version: .*/&.later/' "$work/later/DEBIAN/control"
echo "# A later version has more to say." >>"$work/later/etc/lamppost-bridge/bridge.yaml"
dpkg-deb --root-owner-group --build "$work/later" "$work/packages/later.deb" >/dev/null

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt-get puts in what these are
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk -v suite="$suite" '$1 == suite { print $2; exit }')
echo "making a Debian $suite; $(basename "$package")"
debootstrap --variant=minbase --include=systemd,systemd-sysv,udev,passwd "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || {
  tail -n 5 "$work/debootstrap.log" >&2
  exit 1
}

in_root() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
mode_is() { same "$(in_root stat -c '%U:%G %a' "$1")" "$2"; }
# files lists the root without what dpkg and the databases of users write about what they do.
files() {
  find "$root" -xdev \( -path "$root/packages" -o -path "$root/var/lib/dpkg" -o -path "$root/var/log" -o -path "$root/var/cache" -o -path "$root/run" \) -prune -o -printf '%P %U:%G %m\n' |
    grep -vE '^etc/(passwd|shadow|group|gshadow|subuid|subgid)-? |^etc/\.pwd\.lock ' | sort
}
exposure() { in_root systemd-analyze security --offline=true --threshold=20 "/usr/lib/systemd/system/$unit"; }
silent() { same "$("$@" 2>&1)" ""; }

mkdir "$root/packages"
cp "$work"/packages/*.deb "$root/packages"
files >"$work/before"
groups_before=$(cut -d: -f1 "$root/etc/group")
expect "it installs in an image, where no systemd runs" in_root dpkg --install /packages/bridge.deb
expect "the configuration is root's, and the service may read it" mode_is /etc/lamppost-bridge root:lamppost-bridge\ 750
expect "what is kept is the service's" mode_is "$state" lamppost-bridge:lamppost-bridge\ 700
expect "the program is root's" mode_is /usr/bin/lamppost-bridge root:root\ 755
expect "the user is in the groups of the buses, and no other" \
  same "$(in_root id -Gn lamppost-bridge | tr ' ' '\n' | sort | xargs)" "dialout gpio i2c lamppost-bridge spi"
expect "nobody can sign in as that user" same "$(in_root getent passwd lamppost-bridge | cut -d: -f7)" /usr/sbin/nologin
expect "nothing is enabled" fails test -e "$root/etc/systemd/system/multi-user.target.wants/$unit"
# shellcheck disable=SC2016 # so does dpkg-query
expect "both files of settings belong to the person" same "$(in_root dpkg-query -W -f '${Conffiles}' lamppost-bridge | grep -c yaml)" 2
expect "systemd has nothing to say against the unit" silent in_root systemd-analyze verify "$unit"
expect "its exposure is at most 2.0" exposure
echo "      $(exposure | tail -n 1)"
expect "lamppost-bridge version" in_root lamppost-bridge version
expect "lamppost-bridge check --simulate, as the service's user" \
  in_root setpriv --reuid lamppost-bridge --regid lamppost-bridge --init-groups lamppost-bridge check --simulate --data "$state"
in_root systemctl enable --quiet "$unit"
expect "it is removed from an image" in_root dpkg --remove lamppost-bridge
expect "settings stay" in_root test -e "$config"
expect "it is purged" in_root dpkg --purge lamppost-bridge
files >"$work/after"
expect "and has left no file" diff "$work/before" "$work/after"
expect "but the user, without a password, and its groups" \
  same "$(comm -13 <(sort <<<"$groups_before") <(cut -d: -f1 "$root/etc/group" | sort) | xargs)" "gpio i2c lamppost-bridge spi"
expect "it installs again" in_root dpkg --install /packages/bridge.deb

# boot WHAT OPTION... boots the root, lets inside_WHAT look, and takes over its findings.
boot() {
  echo "booting: $1"
  local what=$1
  shift
  rm -f "$work/result/log"
  install -m 0755 "scripts/$(basename "$0")" "$root/try"
  printf '[Service]\nExecStart=/try inside %s\n[Install]\nWantedBy=multi-user.target\n' "$what" >"$root/etc/systemd/system/try.service"
  in_root systemctl enable --quiet try.service
  timeout --kill-after 20 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe --directory "$root" \
    --bind "$work/result:/result" "$@" --boot >"$work/boot.log" 2>&1 </dev/null || true
  cat "$work/result/log" || tail -n 30 "$work/boot.log"
  faults=$((faults + $(sed -n 's/^faults //p' "$work/result/log" 2>/dev/null || echo 1)))
}
boot writable
chown "$(in_root id -u lamppost-bridge):$(in_root id -g lamppost-bridge)" "$work/state"
chmod 0700 "$work/state"
boot readonly --read-only --bind "$work/state:$state"
boot remove
expect "it is purged" in_root dpkg --purge lamppost-bridge
rm -r "$root/etc/systemd/system/lamppost-bridge.service.d" "$root/etc/systemd/system/try.service" "$root/try"
in_root rm -f /etc/systemd/system/multi-user.target.wants/try.service
for left in /etc/lamppost-bridge "$state" /usr/bin/lamppost-bridge "/usr/lib/systemd/system/$unit" "/etc/systemd/system/multi-user.target.wants/$unit"; do
  expect "$left is gone" fails test -e "$root$left"
done

if [ "$faults" -gt 0 ]; then
  echo "$faults faults" >&2
  exit 1
fi
echo "all well"
