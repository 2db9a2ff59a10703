#!/usr/bin/env bash
# Hosts on one machine: network namespaces with addresses and names of their own, $BITS bits a second and $DELAY
# seconds away from each other. Needs root, Debian's iproute2 and MPICH.
#
#   hosts.sh up 4                          makes h1 to h4 (10.77.0.1 to .4), and a folder with a host file
#   hosts.sh run 4 COMMAND...              one rank on each of h1 to h4
#   hosts.sh cut 2 | hosts.sh join 2       takes h2 off the net, and puts it back
#   hosts.sh down                          takes all of it away
set -euo pipefail

SET=${SET:-0} # a number, of which there may be several at once
NET=10.77.$SET BRIDGE=cynet$SET-0 END=cynet$SET-v PREFIX=cynet$SET-h FOLDER=/run/cynet-hosts-$SET
BITS=${BITS:-1000000000} DELAY=${DELAY:-0.001}
mpiexec=${MPIEXEC:-mpiexec} python=${PYTHON:-python3}

up() {
    local i ends=()
    down
    mkdir -p "$FOLDER"
    : > "$FOLDER/hosts"
    for i in $(seq "$1"); do
        ip netns add "$PREFIX$i"
        ip link add "$END$i" up type veth peer name eth0 address "$(address "$i")" netns "$PREFIX$i"
        ends+=("$END$i")
        ip -n "$PREFIX$i" addr add "$NET.$i/24" dev eth0
        ip -n "$PREFIX$i" link set lo up
        ip -n "$PREFIX$i" link set eth0 up
        echo "$NET.$i:1" >> "$FOLDER/hosts"
    done
    bridged "${ends[@]}" 2> /dev/null || forwarded "${ends[@]}"
    ip addr add "$NET.254/24" dev "$BRIDGE" # where mpiexec is
    ip link set "$BRIDGE" up
    # What mpiexec calls in the place of ssh: ENTER HOST COMMAND...
    cat > "$FOLDER/enter" << ENTER
#!/usr/bin/env bash
while [[ \$1 == -* ]]; do shift; done
number=\${1##*.}
shift
exec ip netns exec "$PREFIX\$number" unshare --uts sh -c 'hostname "\$0"; exec sh -c "\$*"' "h\$number" "\$@"
ENTER
    chmod +x "$FOLDER/enter"
    for i in $(seq "$1"); do
        reached "$i" || { echo "hosts.sh: nobody answers at $NET.$i" >&2; down; return 1; }
    done
}

# Whether a host can be entered and refuses a call from here, as one that is there does, within some seconds.
reached() {
    local said
    "$FOLDER/enter" "$NET.$1" true || return
    for _ in 1 2 3 4 5; do
        said=$(LC_ALL=C timeout 2 bash -c ": < /dev/tcp/$NET.$1/9" 2>&1 || true)
        [[ $said != *refused* ]] || return 0
    done
    return 1
}

address() { printf '02:00:00:00:00:%02x' "$1"; }

# The hosts on a bridge: the kernel's netem gives what each sends its rate and delay.
bridged() {
    local end
    ip link add "$BRIDGE" type bridge
    for end in "$@"; do
        ip link set "$end" master "$BRIDGE"
        tc -n "$PREFIX${end#"$END"}" qdisc add dev eth0 root netem delay "${DELAY}s" rate "$BITS" limit 10000 || return
    done
}

# A kernel without netem: a process carries frames from one host to another, as late as a line would.
forwarded() {
    ip link del "$BRIDGE" 2> /dev/null || true
    ip link add "$BRIDGE" address "$(address 0)" type veth peer name "${END}0"
    ip link set "${END}0" up
    setsid "$python" "$(dirname "$0")/line.py" "$DELAY" "$BITS" "${END}0" "$@" < /dev/null &> "$FOLDER/log" &
    echo $! > "$FOLDER/line"
}

# Over TCP alone: libraries know that all of it is one machine, and would take its memory.
run() {
    local ranks=$1
    shift
    exec "$mpiexec" -launcher rsh -launcher-exec "$FOLDER/enter" -f "$FOLDER/hosts" -localhost "$NET.254" \
        -genv UCX_TLS tcp,self -genv FI_PROVIDER tcp -n "$ranks" "$@"
}

cut() { ip link set "$END$1" down; }
join() { ip link set "$END$1" up; }

down() {
    local name
    [[ ! -e $FOLDER/line ]] || kill "$(cat "$FOLDER/line")" 2> /dev/null || true
    for name in $(ip netns list 2> /dev/null | awk '{print $1}' | grep "^$PREFIX" || true); do
        ip netns pids "$name" | xargs -r kill -9 # a host that is taken away takes its processes along
        ip link del "$END${name#"$PREFIX"}" 2> /dev/null || true
        ip netns del "$name"
    done
    ip link del "$BRIDGE" 2> /dev/null || true
    rm -rf "$FOLDER"
}

"$@"
