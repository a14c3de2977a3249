/* A disk that hangs: preloaded into a process, it holds whoever touches it.
 *
 * While $HELD.sync exists, fsync and fdatasync do not return; while $HELD.open exists, nothing below
 * the folder $HELD_FOLDER can be opened. As with a real disk, the calling thread alone is held, in a
 * call that nobody can end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_for(const char *what) {
  char path[4096];
  snprintf(path, sizeof path, "%s.%s", getenv("HELD"), what);
  while (access(path, F_OK) == 0)
    usleep(10000);
}

static void wait_to_open(const char *path) {
  const char *folder = getenv("HELD_FOLDER");
  if (folder && strncmp(path, folder, strlen(folder)) == 0)
    wait_for("open");
}

static mode_t mode_in(int flags, va_list more) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define SYNC(name)                                                             \
  int name(int fd) {                                                           \
    wait_for("sync");                                                          \
    return ((int (*)(int))dlsym(RTLD_NEXT, #name))(fd);                        \
  }

#define OPEN(name)                                                             \
  int name(const char *path, int flags, ...) {                                 \
    va_list more;                                                              \
    va_start(more, flags);                                                     \
    mode_t mode = mode_in(flags, more);                                        \
    va_end(more);                                                              \
    wait_to_open(path);                                                        \
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
  }

SYNC(fsync)
SYNC(fdatasync)
OPEN(open)
OPEN(open64)
