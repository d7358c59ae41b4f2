/* SPDX-License-Identifier: MIT */
#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int plain_file_open(const char *path, FILE **file, struct reason *why)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return reason_say_errno(why, errno, "%s", path);
	int error = 0;
	if (fstat(fd, &status) < 0)
		error = errno;
	else if (!S_ISREG(status.st_mode))
		error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	*file = error ? NULL : fdopen(fd, "r");
	if (*file)
		return 0;
	if (!error)
		error = errno;
	close(fd);
	return reason_say_errno(why, error, "%s: no plain file", path);
}
