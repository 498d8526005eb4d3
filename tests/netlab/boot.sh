#!/bin/sh
# Boots systemd as PID 1 on a throw-away root. Run by tests/netlab/booted.py inside new mount, PID, network, UTS, IPC and
# cgroup namespaces: boot.sh BASE PYTHON PACKAGES PROJECT. BASE becomes a tmpfs that nobody else sees; the root is an overlay
# whose upper side lies there, so that nothing that happens here reaches the host.
set -eu
base=$1 python=$2 packages=$3 project=$4
root=$base/root

mount -t tmpfs -o mode=0755 lab "$base"
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" lab "$root"
for place in tmp var/tmp var/log run dev; do
    mount -t tmpfs -o mode=0755 lab "$root/$place"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"

mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
mkdir -m 755 "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 lab "$root/dev/shm"

# The program, where a user without any right to our home folder can read it.
mkdir -p "$root/opt/lab/python" "$root/opt/lab/packages" "$root/opt/lab/project"
for pair in "$python:python" "$packages:packages" "$project:project"; do
    mount --bind "${pair%:*}" "$root/opt/lab/${pair##*:}"
    mount -o remount,bind,ro "$root/opt/lab/${pair##*:}"
done

cat >"$root/usr/bin/netsla" <<'END'
#!/bin/sh
PYTHONPATH=/opt/lab/project:/opt/lab/packages PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/lab/python/lib \
    exec /opt/lab/python/bin/python3 -m netsla "$@"
END
chmod 755 "$root/usr/bin/netsla"

# None of the host's own units and generators; of systemd's, the journal.
for place in etc/systemd/system usr/lib/systemd/system-generators; do
    mount -t tmpfs -o mode=0755 lab "$root/$place"
done
for wanted in "$root"/usr/lib/systemd/system/*.target.wants/*; do
    case ${wanted##*/} in
    systemd-journald-audit.socket) ln -sf /dev/null "$root/etc/systemd/system/${wanted##*/}" ;; # the kernel has one for all
    systemd-journald* | *.target | *.slice) ;;
    *) ln -sf /dev/null "$root/etc/systemd/system/${wanted##*/}" ;;
    esac
done
cat >"$root/etc/systemd/system/lab.target" <<'END'
[Unit]
Description=What the lab needs
Requires=basic.target systemd-journald.socket
After=basic.target
AllowIsolate=yes
END
rm -rf "$root/etc/netsla"

ip link set lo up
sysctl -qw net.ipv4.ping_group_range="0 2147483647"
hostname lab

cd "$root"
mkdir -p old
pivot_root . old
exec </dev/null
umount -l /old
rmdir /old
# From here on there is no way back. See that it is so: no mount of the host is left but the read-only ones made here.
if awk '$0 !~ / - (overlay|tmpfs|proc|sysfs|cgroup2|devpts) / && $5 !~ /^\/opt\/lab\// {print; found = 1} END {exit !found}' \
    /proc/self/mountinfo; then
    echo "boot.sh: these mounts are not ours: nothing is booted" >&2
    exit 1
fi
awk '$5 ~ /^\/opt\/lab\// && $6 !~ /^ro/ {exit 1}' /proc/self/mountinfo
mount -o bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --unit=lab.target --show-status=no
