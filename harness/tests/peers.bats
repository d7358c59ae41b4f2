#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The client with which `make bench-peers` tries other people's echo servers.

load common

setup_file() {
	make -s -C "$ROOT" build/peers/server_load
	cat >"$BATS_FILE_TMPDIR/server.py" <<-'EOF'
		"""An echo server. Usage: server.py right|wrong|rude|busy FOLDER. It tells its port in FOLDER/port, and writes a
		line for each connection into FOLDER/connections. A wrong one changes a byte, a rude one sends nothing back
		and hangs up, a busy one computes for two milliseconds before it answers."""
		import os, selectors, socket, sys, time
		how, folder = sys.argv[1:]
		ready = selectors.DefaultSelector()
		listener = socket.create_server(("127.0.0.1", 0), backlog=512)
		ready.register(listener, selectors.EVENT_READ)
		with open(f"{folder}/port.new", "w", encoding="ascii") as file:
		    file.write(str(listener.getsockname()[1]))
		os.rename(f"{folder}/port.new", f"{folder}/port")
		with open(f"{folder}/connections", "w", encoding="ascii", buffering=1) as connections:
		    while True:
		        for key, _ in ready.select():
		            if key.fileobj is listener:
		                ready.register(listener.accept()[0], selectors.EVENT_READ)
		                connections.write("one\n")
		                continue
		            try:
		                came = key.fileobj.recv(65536)
		                ends = time.thread_time() + 0.002 * (how == "busy")
		                while time.thread_time() < ends:
		                    pass
		                if came and how != "rude":
		                    key.fileobj.sendall(b"\xff" + came[1:] if how == "wrong" else came)
		            except ConnectionError:
		                came = b""
		            if not came or how == "rude":
		                ready.unregister(key.fileobj)
		                key.fileobj.close()
	EOF
}

# Usage: serve right|wrong|rude|busy; $port is its port
serve() {
	rm -f "$BATS_TEST_TMPDIR/port"
	"$SYSTEM_PYTHON" "$BATS_FILE_TMPDIR/server.py" "$1" "$BATS_TEST_TMPDIR" 3>&- &
	server=$!
	until_true test -e "$BATS_TEST_TMPDIR/port"
	port=$(cat "$BATS_TEST_TMPDIR/port")
}

teardown() {
	[ -z "${server:-}" ] || kill "$server" || true
}

# Usage: load_with stay|visit|stay-unchecked CLIENTS
load_with() {
	local cpu
	cpu=$(taskset -cp $$ | sed 's/.*[:,-] *//')
	run --separate-stderr timeout "$HANG_S" "$ROOT/build/peers/server_load" "$1" "$port" "$server" "$2" 128 0.05 0.3 "$cpu"
}

connections() { wc -l <"$BATS_TEST_TMPDIR/connections"; }

@test "clients that stay connect once each" {
	serve right
	load_with stay 5
	assert_success
	[ "$(json ops_per_s | cut -d. -f1)" -gt 0 ]
	assert_equal "$(connections)" 5
}

@test "clients that visit connect for each message" {
	serve right
	load_with visit 3
	assert_success
	rate=$(json ops_per_s)
	# As many as were measured, and those of the warm-up.
	"$SYSTEM_PYTHON" -c "import sys; visits, rate = map(float, sys.argv[1:]); sys.exit(not visits > max(3, 0.3 * rate))" \
		"$(connections)" "$rate"
}

@test "CPU time is the server's, and not the client's" {
	serve busy
	load_with stay 1
	assert_success
	cost_us=$(json cpu_us_per_op) client_pct=$(json peer_util_pct) rate=$(json ops_per_s)
	# It computes for 2 ms a message by its own clock, and its client hardly at all. A message at the window's edge
	# may belong to it by half.
	"$SYSTEM_PYTHON" -c "import sys; cost_us, pct, rate = map(float, sys.argv[1:]); sys.exit(not (cost_us > 1500 > 1e4 * pct / rate))" \
		"$cost_us" "$client_pct" "$rate"
}

@test "a server that sends back other bytes is found, by clients that stay and by visitors" {
	serve wrong
	for load in stay visit; do
		load_with $load 2
		assert_failure 1
		assert_equal "$output" ""
		assert_regex "$stderr" 'differs'
	done
}

@test "stay-unchecked takes the server's word" {
	serve wrong
	load_with stay-unchecked 2
	assert_success
	assert_regex "$output" '^\{"ops_per_s": [1-9]'
}

@test "a server that hangs up is an error, and no rate" {
	serve rude
	for load in stay visit; do
		load_with $load 2
		assert_failure 1
		assert_equal "$output" ""
		assert_regex "$stderr" '^server_load: .'
	done
}

@test "a load that does not exist is refused" {
	run "$ROOT/build/peers/server_load" sta 1 1 1 128 0.05 0.3 0
	assert_failure 2
	assert_output --partial "stay|visit|stay-unchecked"
	run "$ROOT/build/peers/server_load" stay
	assert_failure 2
}
