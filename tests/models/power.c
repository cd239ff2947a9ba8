/* What a disk has not got yet: each write to a record's files is kept with what was there before, until it is
   synced. The journal (POWER_JOURNAL) tells a test what a power cut would take away. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char names[1024][512];
static int journal = -1;

static void begin(void) {
  if (journal >= 0 || !getenv("POWER_JOURNAL")) return;
  int (*open_)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  journal = open_(getenv("POWER_JOURNAL"), O_WRONLY | O_APPEND | O_CREAT, 0600);
}

static void note(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= 1024) return;
  size_t length = strlen(path);
  int ours = length > 3 && length < 500 && (flags & O_ACCMODE) != O_RDONLY &&
             (!strcmp(path + length - 3, ".db") || (length > 4 && !strcmp(path + length - 4, "-wal")));
  strcpy(names[fd], ours ? path : "");
}

static void keep(uint8_t what, int fd, int64_t at, uint32_t count) {
  begin();
  if (journal < 0 || fd < 0 || fd >= 1024 || !names[fd][0]) return;
  ssize_t (*write_)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  struct stat now;
  fstat(fd, &now);
  char *before = malloc(count ? count : 1);
  int reader = ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(names[fd], O_RDONLY);
  ssize_t had = count && reader >= 0 ? pread(reader, before, count, at) : 0;
  if (reader >= 0) close(reader);
  uint32_t length = had > 0 ? (uint32_t)had : 0;
  uint16_t name = (uint16_t)strlen(names[fd]);
  int64_t size = now.st_size;
  size_t all = 1 + 2 + name + 8 + 8 + 4 + length;
  char *line = malloc(all), *p = line;
  *p++ = (char)what;
  memcpy(p, &name, 2), p += 2;
  memcpy(p, names[fd], name), p += name;
  memcpy(p, &at, 8), p += 8;
  memcpy(p, &size, 8), p += 8;
  memcpy(p, &length, 4), p += 4;
  memcpy(p, before, length);
  write_(journal, line, all);
  free(line);
  free(before);
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    int mode = va_arg(more, int);                                         \
    va_end(more);                                                         \
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);        \
    int fd = next(path, flags, mode);                                     \
    note(fd, path, flags);                                                \
    return fd;                                                            \
  }
OPEN(open)
OPEN(open64)

#define WRITE(name, type)                                                 \
  ssize_t name(int fd, const void *bytes, size_t count, type at) {        \
    keep(1, fd, at, (uint32_t)count);                                     \
    ssize_t (*next)(int, const void *, size_t, type) = dlsym(RTLD_NEXT, #name); \
    return next(fd, bytes, count, at);                                    \
  }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

#define CUT(name, type)                                                   \
  int name(int fd, type size) {                                           \
    struct stat now;                                                      \
    if (fd >= 0 && fd < 1024 && names[fd][0] && !fstat(fd, &now) && size < now.st_size) \
      keep(1, fd, size, (uint32_t)(now.st_size - size));                  \
    int (*next)(int, type) = dlsym(RTLD_NEXT, #name);                     \
    return next(fd, size);                                                \
  }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

#define SYNC(name)                                                        \
  int name(int fd) {                                                      \
    int (*next)(int) = dlsym(RTLD_NEXT, #name);                           \
    int done = next(fd);                                                  \
    if (!done) keep(2, fd, 0, 0);                                         \
    return done;                                                          \
  }
SYNC(fsync)
SYNC(fdatasync)
