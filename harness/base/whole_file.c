/* SPDX-License-Identifier: MIT */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_TRIED 16

/* Creates the file under a name of its own beside `file->path`. Returns its descriptor or -errno. */
static int create_unfinished(struct whole_file *file)
{
	const char *slash = strrchr(file->path, '/');
	const char *name = slash ? slash + 1 : file->path;
	for (int i = 0; i < NAMES_TRIED; i++) {
		unsigned dice;
		if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != sizeof dice)
			dice = (unsigned)getpid() + (unsigned)i;
		int length = snprintf(file->unfinished, sizeof file->unfinished, "%.*s.%s.%08x.new",
				      (int)(name - file->path), file->path, name, dice);
		if (length >= (int)sizeof file->unfinished)
			return -ENAMETOOLONG;
		int fd = open(file->unfinished,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int whole_file_open(struct whole_file *file, const char *path, struct reason *why)
{
	struct stat status;
	*file = (struct whole_file) { 0 };
	if (strlen(path) >= sizeof file->path)
		return reason_say_errno(why, ENAMETOOLONG, "%s", path);
	/* Root would put a file into the place of /dev/null. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return reason_say_errno(why, S_ISDIR(status.st_mode) ? EISDIR : EINVAL,
					"%s: it is no plain file and stays as it is", path);
	strcpy(file->path, path);
	int fd = create_unfinished(file);
	if (fd < 0)
		return reason_say_errno(why, fd, "creating %s (see --out)", path);
	file->stream = fdopen(fd, "w");
	if (file->stream)
		return 0;
	int error = errno;
	close(fd);
	unlink(file->unfinished);
	return reason_say_errno(why, error, "%s", path);
}

/* The new name must survive a power cut as well. */
static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	strcpy(folder, path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[1] = '\0';
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
	close(fd);
	return rc;
}

int whole_file_finish(struct whole_file *file, struct reason *why)
{
	int error = 0;
	errno = 0; /* ferror() tells that a write failed, and not why */
	if (fflush(file->stream) != 0 || ferror(file->stream))
		error = errno ? errno : EIO;
	/* EINVAL: not a file that can be synchronised. */
	if (!error && fsync(fileno(file->stream)) < 0 && errno != EINVAL)
		error = errno;
	if (fclose(file->stream) != 0 && !error)
		error = errno;
	file->stream = NULL;
	if (!error && rename(file->unfinished, file->path) < 0)
		error = errno;
	if (error) {
		unlink(file->unfinished);
		return reason_say_errno(why, error, "writing %s", file->path);
	}
	int rc = sync_folder_of(file->path);
	return rc < 0 ? reason_say_errno(why, rc, "writing back the folder of %s", file->path) : 0;
}

void whole_file_discard(struct whole_file *file)
{
	fclose(file->stream);
	file->stream = NULL;
	unlink(file->unfinished);
}

int whole_file_write_json(const char *path, const json_t *document, struct reason *why)
{
	struct whole_file file;
	int rc = whole_file_open(&file, path, why);
	if (rc < 0)
		return rc;
	errno = 0; /* json_dumpf() leaves the errno of a failed write */
	if (json_dumpf(document, file.stream, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 ||
	    fputc('\n', file.stream) == EOF) {
		rc = reason_say_errno(why, errno ? errno : EIO, "writing %s", path);
		whole_file_discard(&file);
		return rc;
	}
	return whole_file_finish(&file, why);
}
