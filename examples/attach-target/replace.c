// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

static void filter(const char *when, int program)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);

	if (bpf_prog_test_run_opts(program, &run))
		perror("running the filter");
	else
		printf("%s: %s\n", when, run.retval == XDP_DROP ? "dropped" : "passed");
}

int main(void)
{
	struct bpf_object *target = bpf_object__open_file("filter.bpf.o", NULL);
	struct bpf_object *object = bpf_object__open_file("plugin.bpf.o", NULL);
	struct bpf_program *plugin;
	struct bpf_link *link;
	int fd;

	if (!target || !object || bpf_object__load(target))
		return 1;
	fd = bpf_program__fd(bpf_object__find_program_by_name(target, "filter"));
	plugin = bpf_object__find_program_by_name(object, "plugin");

	if (bpf_program__set_attach_target(plugin, fd, "verdict") || bpf_object__load(object))
		return 1;
	filter("loaded", fd);
	link = bpf_program__attach(plugin);
	if (!link)
		return 1;
	filter("attached", fd);
	bpf_link__destroy(link);
	filter("detached", fd);

	bpf_object__close(object);
	bpf_object__close(target);
	return 0;
}
