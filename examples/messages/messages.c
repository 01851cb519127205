// SPDX-License-Identifier: 0BSD
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static char log[1 << 16];

static int keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t length = strlen(log);

	if (level != LIBBPF_WARN)
		return 0;
	return vsnprintf(log + length, sizeof(log) - length, format, arguments);
}

static void explain(const char *what, int err)
{
	char text[80];

	libbpf_strerror(err, text, sizeof(text));
	printf("%s: %s\n", what, text);
}

int main(void)
{
	struct bpf_object *object;

	libbpf_set_print(keep);
	object = bpf_object__open_file("messages.c", NULL);
	explain("open messages.c", libbpf_get_error(object));

	object = bpf_object__open_file("refused.bpf.o", NULL);
	if (!object)
		return 1;
	explain("open refused.bpf.o", libbpf_get_error(object));
	explain("load refused.bpf.o", bpf_object__load(object));
	if (strstr(log, "invalid access to packet"))
		puts("the verifier said: invalid access to packet");
	bpf_object__close(object);
	return 0;
}
