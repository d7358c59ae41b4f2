# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by scripts beside it.

# own_apt FOLDER RELEASE ARCHITECTURE: lays out an apt in FOLDER that knows nothing of this machine's
# packages, and makes the apt commands of this shell use it. It checks signatures and needs no root.
own_apt() {
	mkdir -p "$1"/{state/lists/partial,cache/archives/partial}
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $2 main" >"$1/sources.list"
	: >"$1/status"
	cat >"$1/apt.conf" <<-END
		Dir::State "$1/state";
		Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "/nonexistent";
		APT::Architecture "$3";
		APT::Architectures "$3";
		APT::Sandbox::User "";
		APT::Update::Error-Mode "any";
		# A mirror may be a copy of some day.
		Acquire::Check-Valid-Until "false";
	END
	export APT_CONFIG=$1/apt.conf
	apt-get -q update
}
