/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* The file behind a descriptor of a task. */
#ifndef RS_BPF_FILE_H
#define RS_BPF_FILE_H

static __always_inline struct file *file_of_fd(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL, **files;

	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

/*
 * Which file that is. Its inode's place in memory alone, and its number alone, may soon be another's; and what is no file at
 * all (eventfd, epoll, …) shares one inode, and has operations of its own. Tells no address.
 */
static __always_inline __u64 identity_of(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u64 h = (__u64)inode ^ BPF_CORE_READ(inode, i_ino) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ h >> 29 ^ (__u64)BPF_CORE_READ(file, f_op)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 32 ^ BPF_CORE_READ(inode, i_generation)) * 0x94d049bb133111ebULL;
	return (h | RS_OBJECT_FILE) & ~RS_OBJECT_PART;
}

#endif
