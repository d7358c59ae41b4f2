#!/bin/sh
# SPDX-License-Identifier: MIT
# Records the results of fio that harness/tests/neighbours.bats reads. They are kept, so that the tests need
# no fio and do not change with it; run this again to see what a newer fio writes.
#
#   harness/tests/record_fio.sh
set -eu
cd "$(dirname "$0")/fixtures"
trap 'rm -f fio.test' EXIT

# record NAME FORMAT OPTION...: a hundred blocks of a small file, in one job or several.
record() {
	name=$1 format=$2
	shift 2
	fio --filename=fio.test --size=1M --bs=4k --number_ios=100 --output-format="$format" "$@" >"$name.json" || :
}

# The page cache is not asked to go past here: O_DIRECT where nothing else is said.
record psync json+ --direct=1 --lat_percentiles=1 --clat_percentiles=0 --name=one --rw=randread --ioengine=psync
record depths json+ --direct=1 --lat_percentiles=1 --clat_percentiles=0 --ioengine=libaio --rw=randread --stonewall \
	--name=shallow --iodepth=1 --name=deep --iodepth=8
# By default: quantiles of clat, no bins. And a note before the JSON, since psync has no depth.
record default json --direct=1 --ioengine=libaio --rw=randread --iodepth=8 --name=job
record note json --direct=1 --ioengine=psync --rw=randread --iodepth=16 --name=job
record buffered json+ --ioengine=psync --rw=read --name=job
record mixed json+ --direct=1 --ioengine=psync --rw=randrw --rwmixread=75 --name=job
record mixed-plain json --direct=1 --ioengine=psync --rw=randrw --rwmixread=75 --name=job
record unified json+ --direct=1 --ioengine=psync --rw=randrw --unified_rw_reporting=1 --name=job
record fsync json+ --direct=1 --ioengine=psync --rw=randwrite --fsync=4 --name=job
record grouped json+ --direct=1 --ioengine=psync --rw=randread --numjobs=4 --group_reporting --name=job
record apart json --direct=1 --ioengine=psync --rw=randread --numjobs=2 --name=job
record beside json --direct=1 --ioengine=psync --rw=randread --name=first --name=second
record trim json --ioengine=null --rw=trim --name=job
record rate json --direct=1 --ioengine=psync --rw=randread --rate_iops=2000 --name=job
record lean json --direct=1 --ioengine=libaio --rw=randread --iodepth=8 --gtod_reduce=1 --norandommap=1 \
	--iodepth_batch_submit=4 --iodepth_batch_complete_max=4 --name=job
# A job that fails: the file is smaller than what it is told to read.
record failed json --direct=1 --ioengine=psync --rw=randread --bs=513 --name=job
