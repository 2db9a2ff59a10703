#!/usr/bin/env bash
# Hosts on one machine: network namespaces with addresses and names of their own, joined by a bridge, 1 Gbit/s
# and 1 ms away from each other where the kernel has netem. Needs root, Debian's iproute2 and MPICH.
#
#   hosts.sh up 4                          makes h1 to h4 (10.77.0.1 to .4), and a folder with a host file
#   hosts.sh run 4 COMMAND...              one rank on each of h1 to h4
#   hosts.sh cut 2 | hosts.sh join 2       takes h2 off the net, and puts it back
#   hosts.sh down                          takes all of it away
set -euo pipefail

NET=10.77.0 BRIDGE=cynetbr PREFIX=cynet-h FOLDER=${CYNET_HOSTS:-/tmp/cynet-hosts}
RATE=${RATE:-1gbit} DELAY=${DELAY:-1ms}
mpiexec=${MPIEXEC:-mpiexec}

up() {
    down
    mkdir -p "$FOLDER"
    : > "$FOLDER/hosts"
    ip link add "$BRIDGE" type bridge
    ip addr add "$NET.254/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    for i in $(seq "$1"); do
        ip netns add "$PREFIX$i"
        ip link add "cynetv$i" type veth peer name eth0 netns "$PREFIX$i"
        ip link set "cynetv$i" master "$BRIDGE" up
        ip -n "$PREFIX$i" addr add "$NET.$i/24" dev eth0
        ip -n "$PREFIX$i" link set lo up
        ip -n "$PREFIX$i" link set eth0 up
        shape "$PREFIX$i"
        echo "$NET.$i:1" >> "$FOLDER/hosts"
    done
    # What mpiexec calls in the place of ssh: ENTER HOST COMMAND...
    cat > "$FOLDER/enter" << 'ENTER'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
number=${1##*.}
shift
exec ip netns exec "cynet-h$number" unshare --uts sh -c 'hostname "$0"; exec sh -c "$*"' "h$number" "$@"
ENTER
    chmod +x "$FOLDER/enter"
}

# Rate and delay of what a host sends; a kernel without netem knows the rate alone.
shape() {
    local on=(ip netns exec "$1" tc qdisc add dev eth0 root)
    "${on[@]}" netem delay "$DELAY" rate "$RATE" limit 10000 2> /dev/null && return
    "${on[@]}" tbf rate "$RATE" burst 256kbit latency 400ms && echo "hosts.sh: no netem here: $1 has no delay" >&2
}

# Over TCP alone: libraries know that all of it is one machine, and would take its memory.
run() {
    local ranks=$1
    shift
    exec "$mpiexec" -launcher rsh -launcher-exec "$FOLDER/enter" -f "$FOLDER/hosts" -localhost "$NET.254" \
        -genv UCX_TLS tcp,self -genv FI_PROVIDER tcp -n "$ranks" "$@"
}

cut() { ip link set "cynetv$1" down; }
join() { ip link set "cynetv$1" up; }

down() {
    local name
    for name in $(ip netns list 2> /dev/null | awk '{print $1}' | grep "^$PREFIX" || true); do
        ip netns pids "$name" | xargs -r kill -9 # a host that is taken away takes its processes along
        ip link del "cynetv${name#"$PREFIX"}" 2> /dev/null || true
        ip netns del "$name"
    done
    ip link del "$BRIDGE" 2> /dev/null || true
    rm -rf "$FOLDER"
}

"$@"
