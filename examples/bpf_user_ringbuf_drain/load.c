// SPDX-License-Identifier: 0BSD
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	static char log[1 << 16];
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
		    .kernel_log_size = sizeof(log), .kernel_log_level = 1);
	struct bpf_object *object = bpf_object__open_file("refused.bpf.o", &options);
	char *line;

	libbpf_set_print(NULL); /* the verifier's log is in `log` */
	if (!object)
		return 2;
	if (bpf_object__load(object) == 0)
		return 0;
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "callback return")) {
			puts(line);
			return 1;
		}
	perror("refused.bpf.o"); /* for another reason */
	return 1;
}
