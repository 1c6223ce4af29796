/* The baseline of the mount's benchmarks: a file, or a folder, served by plain C.
   usage: c_loop BACKING MOUNTPOINT [SPIN_US [THREADS DELAY_US]]
   Lookups, attributes, open, pread and reply, nothing else. A file appears as `file`, and each
   `stat` of it is asked; names of a folder are remembered by the kernel, as ours are. The loop is
   libfuse's own, or, with SPIN_US, one that looks that long for a request before it sleeps, or, with
   THREADS, libfuse's for many threads, each read of which takes DELAY_US first. */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int backing, is_folder;
static __thread char buffer[1 << 20];
static long delay_us;

/* in a folder an inode's number is the address of its path below the folder */
static const char *path_of(fuse_ino_t inode)
{
    return inode == 1 ? "." : (const char *)inode;
}

static double timeout(void)
{
    return is_folder && !delay_us ? 300.0 : 0.0;
}

static int fill(fuse_ino_t inode, struct stat *st)
{
    memset(st, 0, sizeof *st);
    if (is_folder) {
        if (fstatat(backing, path_of(inode), st, AT_SYMLINK_NOFOLLOW))
            return errno;
    } else if (inode == 1) {
        st->st_mode = S_IFDIR | 0555;
        st->st_nlink = 2;
    } else {
        if (fstat(backing, st))
            return errno;
        st->st_mode = S_IFREG | 0444;
    }
    st->st_ino = inode;
    return 0;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {0};
    int failed = ENOENT;
    entry.ino = 2;
    if (is_folder) {
        char *path;
        if (asprintf(&path, "%s/%s", path_of(parent), name) > 0)
            entry.ino = (fuse_ino_t)path; /* for the life of the benchmark */
    }
    if (is_folder || (parent == 1 && !strcmp(name, "file")))
        failed = fill(entry.ino, &entry.attr);
    entry.attr_timeout = entry.entry_timeout = timeout();
    if (failed)
        fuse_reply_err(req, failed);
    else
        fuse_reply_entry(req, &entry);
}

static void do_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct stat st;
    if (fill(inode, &st))
        fuse_reply_err(req, EIO);
    else
        fuse_reply_attr(req, &st, timeout());
}

static void do_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    fi->fh = is_folder ? openat(backing, path_of(inode), O_RDONLY | O_CLOEXEC) : backing;
    fi->keep_cache = is_folder && !delay_us;
    fi->noflush = 1;
    if ((int)fi->fh < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_open(req, fi);
}

static void do_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    if (delay_us)
        usleep(delay_us);
    ssize_t got = pread(fi->fh, buffer, size, off);
    if (got < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_buf(req, buffer, got);
}

static void do_init(void *unused, struct fuse_conn_info *connection)
{
    connection->max_background = 64; /* as ours */
    connection->congestion_threshold = 48;
}

static void do_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    if (is_folder)
        close(fi->fh);
    fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = do_lookup, .getattr = do_getattr, .open = do_open, .read = do_read,
    .release = do_release, .init = do_init,
};

static long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int spinning_loop(struct fuse_session *session, long spin_ns)
{
    struct fuse_buf request = {.mem = NULL};
    struct pollfd readable = {.fd = fuse_session_fd(session), .events = POLLIN};
    while (!fuse_session_exited(session)) {
        long end = now_ns() + spin_ns;
        while (poll(&readable, 1, 0) == 0 && now_ns() < end)
            ;
        int got = fuse_session_receive_buf(session, &request); /* sleeps if there is none */
        if (got == -EINTR)
            continue;
        if (got <= 0)
            break;
        fuse_session_process_buf(session, &request);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char *words[] = {argv[0], "-o", "ro,fsname=c-loop", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, words);
    struct stat st;
    backing = open(argv[1], O_RDONLY);
    struct fuse_session *session =
        fuse_session_new(&args, &operations, sizeof operations, NULL);
    if (backing < 0 || fstat(backing, &st) || !session || fuse_session_mount(session, argv[2]))
        return 1;
    is_folder = S_ISDIR(st.st_mode);
    if (fuse_set_signal_handlers(session))
        return 1;
    struct fuse_loop_config *threads = fuse_loop_cfg_create();
    if (argc > 4)
        fuse_loop_cfg_set_max_threads(threads, atoi(argv[4]));
    delay_us = argc > 5 ? atol(argv[5]) : 0;
    int result = argc > 4   ? fuse_session_loop_mt(session, threads)
                 : argc > 3 ? spinning_loop(session, atol(argv[3]) * 1000)
                            : fuse_session_loop(session);
    fuse_session_unmount(session);
    return result != 0;
}
