"""The part of libbpf that the package calls, declared for cffi: `userrb._libbpf` is built from it.

The calls of the ring itself stand in `csrc/`: a sample has to be a C type to count its views.
"""

from __future__ import annotations

import subprocess

from cffi import FFI

ffi = FFI()

ffi.cdef("""
    #define BPF_MAP_TYPE_RINGBUF ...
    #define BPF_MAP_TYPE_USER_RINGBUF ...
    #define LIBBPF_MAJOR_VERSION ...
    #define LIBBPF_MINOR_VERSION ...

    const char *libbpf_version_string(void);
    int libbpf_strerror(int err, char *buf, size_t size);
    const char *libbpf_bpf_map_type_str(int type);
    const char *libbpf_bpf_prog_type_str(int type);
    int libbpf_num_possible_cpus(void);
    int libbpf_probe_bpf_map_type(int map_type, const void *opts);

    struct bpf_object *bpf_object__open_file(const char *path, const void *opts);
    int bpf_object__load(struct bpf_object *obj);
    void bpf_object__close(struct bpf_object *obj);
    struct bpf_map *bpf_object__next_map(const struct bpf_object *obj, const struct bpf_map *map);
    struct bpf_program *bpf_object__next_program(
        const struct bpf_object *obj, struct bpf_program *prog);

    const char *bpf_map__name(const struct bpf_map *map);
    int bpf_map__fd(const struct bpf_map *map);
    int bpf_map__type(const struct bpf_map *map);
    uint32_t bpf_map__max_entries(const struct bpf_map *map);
    int bpf_map__set_max_entries(struct bpf_map *map, uint32_t max_entries);
    uint32_t bpf_map__key_size(const struct bpf_map *map);
    uint32_t bpf_map__value_size(const struct bpf_map *map);
    uint32_t bpf_map__btf_key_type_id(const struct bpf_map *map);
    uint32_t bpf_map__btf_value_type_id(const struct bpf_map *map);
    const void *bpf_map__initial_value(struct bpf_map *map, size_t *size);

    const char *bpf_program__name(const struct bpf_program *prog);
    const char *bpf_program__section_name(const struct bpf_program *prog);
    int bpf_program__fd(const struct bpf_program *prog);
    int bpf_program__type(const struct bpf_program *prog);
    struct bpf_link *bpf_program__attach(const struct bpf_program *prog);
    int bpf_link__destroy(struct bpf_link *link);
    struct bpf_link *bpf_program__attach_tracepoint(
        const struct bpf_program *prog, const char *category, const char *name);
    struct bpf_link *bpf_program__attach_raw_tracepoint(
        const struct bpf_program *prog, const char *name);
    struct bpf_link *bpf_program__attach_kprobe(
        const struct bpf_program *prog, bool retprobe, const char *function);
    struct bpf_link *bpf_program__attach_xdp(const struct bpf_program *prog, int ifindex);
    struct bpf_link *bpf_program__attach_cgroup(const struct bpf_program *prog, int cgroup_fd);
    int userrb_attach_tcx(int prog_fd, int ifindex, bool egress);
    int userrb_attach_tc(int prog_fd, int ifindex, bool egress, uint32_t *handle,
        uint32_t *priority);
    int userrb_detach_tc(int ifindex, bool egress, uint32_t handle, uint32_t priority);

    int bpf_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
        uint32_t max_entries, const void *opts);
    int bpf_obj_get(const char *pathname);
    int bpf_obj_pin(int fd, const char *pathname);
    int bpf_map_lookup_elem(int fd, const void *key, void *value);
    int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
    int bpf_map_delete_elem(int fd, const void *key);
    int bpf_map_get_next_key(int fd, const void *key, void *next_key);
    struct bpf_map_info {
        uint32_t type;
        uint32_t id;
        uint32_t key_size;
        uint32_t value_size;
        uint32_t max_entries;
        ...;
    };
    int userrb_map_info(int fd, struct bpf_map_info *info);

    struct bpf_test_run_opts {
        const void *data_in;
        void *data_out;
        uint32_t data_size_in;
        uint32_t data_size_out;
        const void *ctx_in;
        void *ctx_out;
        uint32_t ctx_size_in;
        uint32_t ctx_size_out;
        uint32_t retval;
        int repeat;
        uint32_t duration;
        ...;
    };
    int userrb_test_run(int prog_fd, struct bpf_test_run_opts *opts);

    struct btf *bpf_object__btf(const struct bpf_object *obj);
    const void *btf__raw_data(const struct btf *btf, uint32_t *size);
    struct btf *btf__new(const void *data, uint32_t size);
    void btf__free(struct btf *btf);
    uint32_t btf__type_cnt(const struct btf *btf);
    const char *btf__name_by_offset(const struct btf *btf, uint32_t offset);
    const struct btf_type *btf__type_by_id(const struct btf *btf, uint32_t id);
    int64_t btf__resolve_size(const struct btf *btf, uint32_t id);
    #define BTF_KIND_INT ...
    #define BTF_KIND_PTR ...
    #define BTF_KIND_ARRAY ...
    #define BTF_KIND_STRUCT ...
    #define BTF_KIND_UNION ...
    #define BTF_KIND_ENUM ...
    #define BTF_KIND_ENUM64 ...
    #define BTF_KIND_FLOAT ...
    #define BTF_KIND_TYPEDEF ...
    #define BTF_KIND_VOLATILE ...
    #define BTF_KIND_CONST ...
    #define BTF_KIND_RESTRICT ...
    #define BTF_KIND_TYPE_TAG ...
    #define BTF_KIND_VAR ...
    #define BTF_KIND_DATASEC ...
    #define BTF_INT_SIGNED ...
    #define BTF_INT_BOOL ...
    struct btf_type { uint32_t name_off; uint32_t size; uint32_t type; ...; };
    struct btf_member { uint32_t name_off; uint32_t type; ...; };
    struct btf_array { uint32_t type; uint32_t nelems; ...; };
    struct btf_enum { int32_t val; ...; };
    struct btf_var_secinfo { uint32_t type; uint32_t offset; ...; };
    uint16_t btf_kind(const struct btf_type *t);
    uint16_t btf_vlen(const struct btf_type *t);
    bool btf_kflag(const struct btf_type *t);
    uint8_t btf_int_encoding(const struct btf_type *t);
    struct btf_member *btf_members(const struct btf_type *t);
    struct btf_array *btf_array(const struct btf_type *t);
    struct btf_enum *btf_enum(const struct btf_type *t);
    struct btf_var_secinfo *btf_var_secinfos(const struct btf_type *t);
    uint32_t btf_member_bit_offset(const struct btf_type *t, uint32_t member_idx);
    uint32_t btf_member_bitfield_size(const struct btf_type *t, uint32_t member_idx);

    void userrb_log_start(void);
    char *userrb_log_take(void);
    void free(void *memory);
""")

SOURCE = r"""
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int userrb_map_info(int fd, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size);
}

static int userrb_test_run(int prog_fd, struct bpf_test_run_opts *opts)
{
	opts->sz = sizeof(*opts);
	return bpf_prog_test_run_opts(prog_fd, opts);
}

/* Headers before Linux 6.6 and libbpf before 1.3 know no tcx, but the system call works. */
static int userrb_attach_tcx(int prog_fd, int ifindex, bool egress)
{
	enum { TCX_INGRESS = 46, TCX_EGRESS = 47 };

	return bpf_link_create(prog_fd, ifindex, egress ? TCX_EGRESS : TCX_INGRESS, NULL);
}

static int userrb_attach_tc(int prog_fd, int ifindex, bool egress, uint32_t *handle,
	uint32_t *priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = prog_fd);
	int error = bpf_tc_hook_create(&hook);

	if (error && error != -EEXIST)
		return error;
	error = bpf_tc_attach(&hook, &options);
	*handle = options.handle;
	*priority = options.priority;
	return error;
}

static int userrb_detach_tc(int ifindex, bool egress, uint32_t handle, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);

	return bpf_tc_detach(&hook, &options);
}

/* libbpf prints from inside a call, where no exception can be raised: its lines are gathered, a
 * level digit before each, and taken by the thread that made the call. */
static __thread FILE *log_stream;
static __thread char *log_text;
static __thread size_t log_size;

static int log_print(enum libbpf_print_level level, const char *format, va_list values)
{
	if (level == LIBBPF_DEBUG)
		return 0;
	if (!log_stream)
		log_stream = open_memstream(&log_text, &log_size);
	if (!log_stream)
		return 0;
	fputc('0' + level, log_stream);
	return vfprintf(log_stream, format, values);
}

static void userrb_log_start(void)
{
	libbpf_set_print(log_print);
}

static char *userrb_log_take(void)
{
	if (!log_stream)
		return NULL;
	fclose(log_stream);
	log_stream = NULL;
	return log_text;
}
"""


def pkg_config(option: str) -> list[str]:
    """Return libbpf's flags; setup.py has already said what is missing if anything is."""
    query = ["pkg-config", option, "libbpf"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()


ffi.set_source(
    "userrb._libbpf",
    SOURCE,
    extra_compile_args=["-std=gnu11", "-O2", *pkg_config("--cflags")],
    extra_link_args=pkg_config("--libs"),
    py_limited_api=True,
)

if __name__ == "__main__":
    ffi.compile(verbose=True)
