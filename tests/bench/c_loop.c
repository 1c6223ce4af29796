/* The baseline of bench_mount.py: one file served by plain C and libfuse's own loop.
   usage: c_loop BACKING MOUNTPOINT; lookups, attributes, open, pread and reply, nothing else. */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int backing;
static char buffer[1 << 20];

static int fill(fuse_ino_t inode, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_ino = inode;
    if (inode == 1) {
        st->st_mode = S_IFDIR | 0555;
        st->st_nlink = 2;
    } else {
        if (fstat(backing, st))
            return errno;
        st->st_ino = inode;
        st->st_mode = S_IFREG | 0444;
    }
    return 0;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {0};
    if (parent != 1 || strcmp(name, "file")) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    entry.ino = 2;
    entry.attr_timeout = entry.entry_timeout = 0.0;
    fill(2, &entry.attr);
    fuse_reply_entry(req, &entry);
}

static void do_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct stat st;
    fill(inode, &st);
    fuse_reply_attr(req, &st, 0.0);
}

static void do_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    fi->keep_cache = 0;
    fuse_reply_open(req, fi);
}

static void do_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    ssize_t got = pread(backing, buffer, size, off);
    if (got < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_buf(req, buffer, got);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = do_lookup, .getattr = do_getattr, .open = do_open, .read = do_read,
};

int main(int argc, char **argv)
{
    char *words[] = {argv[0], "-o", "ro,fsname=c-loop", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, words);
    backing = open(argv[1], O_RDONLY);
    struct fuse_session *session =
        fuse_session_new(&args, &operations, sizeof operations, NULL);
    if (backing < 0 || !session || fuse_session_mount(session, argv[2]))
        return 1;
    if (fuse_set_signal_handlers(session))
        return 1;
    int result = fuse_session_loop(session);
    fuse_session_unmount(session);
    return result != 0;
}
